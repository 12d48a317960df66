"""Read embeddings.parquet, whose footer records how the vectors were made."""

import dataclasses
import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from stage.errors import CorruptFile, EmptyInput, InputMissing, SchemaMismatch
from stage.foreign import read_json

from pgloader.row_checks import REPEATED, RERUN, TEXTS, RowChecks

METADATA_KEY: Final = b"data-registry"  # of the footer
FACTS: Final = ("source_data_version", "embedding_model", "revision")
MAX_DIMENSION: Final = 2000  # of an HNSW index of pgvector
BATCH_ROWS: Final = 2048  # some megabytes


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """A file of embeddings; its SHA-256 is the id of its load."""

    path: Path
    load_id: str
    rows: int
    dimension: int
    facts: dict[str, Any]
    file: pa.NativeFile  # stays open, so that the content is that of load_id if the path is replaced meanwhile

    @classmethod
    def read(cls, path: Path) -> "Embeddings":
        """Open a file and read its footer. Raises InputMissing, EmptyInput, CorruptFile or SchemaMismatch."""
        if not path.is_file():
            raise InputMissing(path, "file not found", "run the stage chunk-embed")
        if not path.stat().st_size:
            raise EmptyInput(path, "empty file", RERUN)
        file, digest = pa.OSFile(str(path)), hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
        with _corrupt_file_errors(path), pq.ParquetFile(file) as parquet:
            schema, rows = parquet.schema_arrow, parquet.metadata.num_rows
        dimension = _dimension(schema, path)
        if not rows:
            raise EmptyInput(path, "no rows", RERUN)
        return cls(path, digest.hexdigest(), rows, dimension, _facts(schema, dimension, path), file)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows in checked batches of some megabytes. Raises CorruptFile, SchemaMismatch or BadRows."""
        checks = RowChecks(self.path, self.dimension)
        options = {"page_checksum_verification": True, "read_dictionary": REPEATED}
        with _corrupt_file_errors(self.path), pq.ParquetFile(self.file, **options) as parquet:
            for batch in parquet.iter_batches(BATCH_ROWS, columns=[*TEXTS, "chunk_index", "embedding"]):
                checks.check(batch)
                yield batch


@contextmanager
def _corrupt_file_errors(path: Path) -> Iterator[None]:
    """Translate errors of pyarrow into CorruptFile; errors of the operating system have an errno and pass."""
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise CorruptFile(path, f"invalid Parquet file: {error}", RERUN) from error


def _dimension(schema: pa.Schema, path: Path) -> int:
    """Return the dimension of the vectors. Raises SchemaMismatch for a missing column or one of another type."""
    types = {**dict.fromkeys(TEXTS, pa.string()), "chunk_index": pa.int32()}
    for name in (*types, "embedding"):
        if name not in schema.names:
            raise SchemaMismatch(path, f"column {name} not found", RERUN)
    for name, expected in types.items():
        if schema.field(name).type != expected:
            raise SchemaMismatch(path, f"column {name}: expected {expected}, got {schema.field(name).type}", RERUN)
    vector = schema.field("embedding").type
    if not pa.types.is_fixed_size_list(vector) or vector.value_type != pa.float32():
        raise SchemaMismatch(path, f"column embedding: expected fixed_size_list<float>, got {vector}", RERUN)
    if not 1 <= vector.list_size <= MAX_DIMENSION:
        what = f"unsupported dimension {vector.list_size}; an HNSW index supports 1 to {MAX_DIMENSION}"
        raise SchemaMismatch(path, what, "use a model with a smaller dimension")
    return int(vector.list_size)


def _facts(schema: pa.Schema, dimension: int, path: Path) -> dict[str, Any]:
    where, shape = f"{path} footer", dict.fromkeys(FACTS, re.compile(r"[^\0]*")) | {"dimension": int}
    content = (schema.metadata or {}).get(METADATA_KEY, b"{}")
    facts: dict[str, Any] = read_json(content, where, shape, SchemaMismatch, RERUN)
    if facts["dimension"] != dimension:
        raise SchemaMismatch(path, f"expected dimension {facts['dimension']} as in the footer, got {dimension}", RERUN)
    return facts

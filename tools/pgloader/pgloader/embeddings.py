"""Read embeddings.parquet: its footer says what was embedded, and how."""

import dataclasses
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from stage.errors import CorruptFile, EmptyInput, InputMissing, SchemaMismatch
from stage.foreign import read_json

from pgloader.row_checks import REMAKE, REPEATED, TEXTS, RowChecks

KEY: Final = b"data-registry"  # of the footer
FACTS: Final = ("source_data_version", "embedding_model", "revision")
MOST_DIMENSIONS: Final = 2000  # that pgvector's HNSW takes
BATCH: Final = 2048  # rows at once: some megabytes


@dataclasses.dataclass(frozen=True)
class Embeddings:
    """A file of embeddings. Its SHA-256 is the id of its load."""

    path: Path
    load_id: str
    rows: int
    dimension: int
    facts: dict[str, Any]
    opened: pa.NativeFile  # read from to the end, whatever takes its name meanwhile

    @classmethod
    def read(cls, path: Path) -> "Embeddings":
        """Read the footer. Raises InputMissing, EmptyInput, CorruptFile or SchemaMismatch."""
        if not path.is_file():
            raise InputMissing(path, "no such file", "run the stage chunk-embed")
        if not path.stat().st_size:
            raise EmptyInput(path, "the file is empty", REMAKE)
        opened, digest = pa.OSFile(str(path)), hashlib.sha256()
        while block := opened.read(1 << 20):
            digest.update(block)
        with _whole(path), pq.ParquetFile(opened) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
        dimension = _dimension(schema, path)
        if not rows:
            raise EmptyInput(path, "has no rows", REMAKE)
        return cls(path, digest.hexdigest(), rows, dimension, _facts(schema, dimension, path), opened)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, checked, some megabytes at a time. Raises CorruptFile, SchemaMismatch or BadRows."""
        checks = RowChecks(self.path, self.dimension)
        options = {"page_checksum_verification": True, "read_dictionary": REPEATED}
        with _whole(self.path), pq.ParquetFile(self.opened, **options) as file:
            for batch in file.iter_batches(BATCH, columns=[*TEXTS, "chunk_index", "embedding"]):
                checks.check(batch)
                yield batch


@contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, OSError) and error.errno:
            raise
        raise CorruptFile(path, f"not a whole Parquet file: {error}", REMAKE) from error


def _dimension(schema: pa.Schema, path: Path) -> int:
    wanted = {**dict.fromkeys(TEXTS, pa.string()), "chunk_index": pa.int32()}
    for name in (*wanted, "embedding"):
        if name not in schema.names:
            raise SchemaMismatch(path, f"has no column {name}", REMAKE)
    for name, kind in wanted.items():
        if schema.field(name).type != kind:
            raise SchemaMismatch(path, f"{name} is {schema.field(name).type}, not {kind}", REMAKE)
    vector = schema.field("embedding").type
    if not pa.types.is_fixed_size_list(vector) or vector.value_type != pa.float32():
        raise SchemaMismatch(path, f"embedding is {vector}, not fixed_size_list<float32>", REMAKE)
    if not 1 <= vector.list_size <= MOST_DIMENSIONS:
        fix = "use a model of fewer dimensions"
        raise SchemaMismatch(path, f"{vector.list_size} dimensions, of which HNSW takes 1 to {MOST_DIMENSIONS}", fix)
    return int(vector.list_size)


def _facts(schema: pa.Schema, dimension: int, path: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = read_json((schema.metadata or {})[KEY], f"{path} footer", dict, SchemaMismatch, REMAKE)
        told = {name: facts[name] for name in (*FACTS, "dimension")}
    except (KeyError, ValueError, TypeError) as error:
        raise SchemaMismatch(path, f"its footer does not say what was embedded: {error}", REMAKE) from error
    for name in FACTS:
        if not isinstance(told[name], str) or "\0" in told[name]:
            raise SchemaMismatch(path, f"its footer has no text as {name}", REMAKE)
    if told["dimension"] != dimension:
        raise SchemaMismatch(path, f"{dimension} dimensions, its footer says {told['dimension']}", REMAKE)
    return facts

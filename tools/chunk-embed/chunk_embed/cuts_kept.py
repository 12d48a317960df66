"""Keep how documents were cut, so that what has not changed is not cut again.

One Parquet file for each way of cutting, with the documents of the last run, and its SHA-256 at the end. A file that is
damaged is as good as none.
"""

import contextlib
import dataclasses
import hashlib
import json
import logging
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from stage.output import replacing

from chunk_embed.chunks import Chunk

log = logging.getLogger(__name__)
DIGEST: Final = 32  # bytes of a SHA-256
SCHEMA: Final = pa.schema(
    [
        ("doc_id", pa.string()),
        ("left_out", pa.string()),
        *((field.name, pa.int64() if field.type is int else pa.string()) for field in dataclasses.fields(Chunk)),
        ("given", pa.string()),
        ("ids", pa.list_(pa.int32())),
        ("tokens", pa.int64()),
    ]
)
CHUNK: Final = [field.name for field in dataclasses.fields(Chunk)]


@dataclasses.dataclass(frozen=True)
class CutDocument:
    """The chunks of a document, each with what a model is given of it, the tokens of that, and how many it has itself.

    ``left_out`` is how many characters are in no chunk, by kind.
    """

    chunks: list[tuple[Chunk, str, list[int], int]]
    left_out: dict[str, int]


class CutCache:
    """The cuts of one way of cutting, by the documents' SHA-256; without a folder, it holds nothing."""

    def __init__(self, folder: Path | None, made_by: dict[str, Any]) -> None:
        told = {**made_by, "code": _code(), "python": sys.version, "tokenizers": version("tokenizers")}
        name = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]
        self._path = folder / "cuts" / f"{name}.parquet" if folder else None

    def get(self) -> dict[str, CutDocument]:
        """Return what is there, whole."""
        if not self._path or not self._path.is_file():
            return {}
        data = self._path.read_bytes()
        if hashlib.sha256(data[:-DIGEST]).digest() != data[-DIGEST:]:
            log.warning("%s is damaged: cutting all documents again", self._path)
            return {}
        table = pq.ParquetFile(pa.BufferReader(data[:-DIGEST])).read()
        columns = {name: table[name].to_pylist() for name in SCHEMA.names}
        found: dict[str, CutDocument] = {}
        chunks = map(Chunk, *(columns[name] for name in CHUNK))
        rows = zip(chunks, columns["given"], columns["ids"], columns["tokens"], strict=True)
        for doc_id, left_out, row in zip(columns["doc_id"], columns["left_out"], rows, strict=True):
            if doc_id not in found:
                found[doc_id] = CutDocument([], json.loads(left_out))
            found[doc_id].chunks.append(row)
        return found

    def put(self, documents: Mapping[str, CutDocument]) -> None:
        """Keep these documents, and no others; that it cannot be done is said, and is no failure."""
        if not self._path:
            return
        cut = [(doc_id, json.dumps(each.left_out), *row) for doc_id, each in documents.items() for row in each.chunks]
        columns = {
            "doc_id": [row[0] for row in cut],
            "left_out": [row[1] for row in cut],
            **{name: [getattr(row[2], name) for row in cut] for name in CHUNK},
            "given": [row[3] for row in cut],
            "ids": [row[4] for row in cut],
            "tokens": [row[5] for row in cut],
        }
        written = pa.BufferOutputStream()
        pq.write_table(pa.table(columns, SCHEMA), written, compression="zstd")
        data = written.getvalue().to_pybytes()
        try:
            with replacing(self._path) as (temporary,):
                temporary.write_bytes(data + hashlib.sha256(data).digest())
        except OSError as error:
            log.warning("the cache %s takes no more: %s", self._path, error.strerror)


def _code() -> str:
    """Return a digest of this package: code that cuts otherwise finds nothing that was cut before."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        with contextlib.suppress(FileNotFoundError):
            digest.update(path.read_bytes())
    return digest.hexdigest()

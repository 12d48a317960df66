"""A cache of chunked documents, so that unchanged documents are not chunked again.

One Parquet file per combination of settings, tokenizer and code, with the documents of the last run, followed by its
SHA-256. A damaged file is ignored.
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
CHUNK: Final = [field.name for field in dataclasses.fields(Chunk)]
SCHEMA: Final = pa.schema(
    [
        ("doc_id", pa.string()),
        ("left_out", pa.string()),
        *((field.name, pa.int64() if field.type is int else pa.string()) for field in dataclasses.fields(Chunk)),
        ("model_input", pa.string()),
        ("ids", pa.list_(pa.int32())),
        ("tokens", pa.int64()),
    ]
)


@dataclasses.dataclass(frozen=True)
class ChunkedDocument:
    """The chunks of a document, each with the model input, the ids of its tokens, and the token count of the chunk.

    ``left_out`` is the number of characters that are in no chunk, by kind.
    """

    chunks: list[tuple[Chunk, str, list[int], int]]
    left_out: dict[str, int]


class ChunkCache:
    """Chunked documents by the SHA-256 of the document; always empty without a folder."""

    def __init__(self, folder: Path | None, made_by: dict[str, Any]) -> None:
        key = {**made_by, "code": _code_digest(), "python": sys.version, "tokenizers": version("tokenizers")}
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:32]
        self._path = folder / "chunks" / f"{name}.parquet" if folder else None

    def get(self) -> dict[str, ChunkedDocument]:
        """Return all documents in the cache."""
        if not self._path or not self._path.is_file():
            return {}
        data = self._path.read_bytes()
        if hashlib.sha256(data[:-DIGEST]).digest() != data[-DIGEST:]:
            log.warning("%s is damaged: chunking all documents again", self._path)
            return {}
        table = pq.ParquetFile(pa.BufferReader(data[:-DIGEST])).read()
        columns = {name: table[name].to_pylist() for name in SCHEMA.names}
        documents: dict[str, ChunkedDocument] = {}
        chunks = map(Chunk, *(columns[name] for name in CHUNK))
        rows = zip(chunks, columns["model_input"], columns["ids"], columns["tokens"], strict=True)
        for doc_id, left_out, row in zip(columns["doc_id"], columns["left_out"], rows, strict=True):
            if doc_id not in documents:
                documents[doc_id] = ChunkedDocument([], json.loads(left_out))
            documents[doc_id].chunks.append(row)
        return documents

    def put(self, documents: Mapping[str, ChunkedDocument]) -> None:
        """Replace the documents in the cache; a failure to write is a warning, not an error."""
        if not self._path:
            return
        rows = [
            (doc_id, json.dumps(document.left_out), *row)
            for doc_id, document in documents.items()
            for row in document.chunks
        ]
        columns = {
            "doc_id": [row[0] for row in rows],
            "left_out": [row[1] for row in rows],
            **{name: [getattr(row[2], name) for row in rows] for name in CHUNK},
            "model_input": [row[3] for row in rows],
            "ids": [row[4] for row in rows],
            "tokens": [row[5] for row in rows],
        }
        buffer = pa.BufferOutputStream()
        pq.write_table(pa.table(columns, SCHEMA), buffer, compression="zstd")
        data = buffer.getvalue().to_pybytes()
        try:
            with replacing(self._path) as (temporary,):
                temporary.write_bytes(data + hashlib.sha256(data).digest())
        except OSError as error:
            log.warning("cannot write to the cache %s: %s", self._path, error.strerror)


def _code_digest() -> str:
    """Return the SHA-256 of this package, so that changed code does not read what other code chunked."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        with contextlib.suppress(FileNotFoundError):
            digest.update(path.read_bytes())
    return digest.hexdigest()

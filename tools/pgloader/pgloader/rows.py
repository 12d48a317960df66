"""Encode rows in the format of binary COPY, column by column, and compute their digests.

With the adapters of psycopg and pgvector instead, a load takes 1.8 times the processor time (tests/bench/README.md).

Formats: https://www.postgresql.org/docs/current/sql-copy.html, and the receive functions of uuid, text, vector
(pgvector's src/vector.c) and jsonb.
"""

import hashlib
import json
import os
import struct
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from pgloader.embeddings import Embeddings
from pgloader.row_checks import matrix

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TRAILER: Final = struct.pack(">h", -1)
FIELD_COUNT: Final = struct.pack(">h", 4)  # id, content, embedding, metadata
JSONB_VERSION: Final = b"\x01"
# Keys of the metadata that name the image and the run that loaded a row, and their variables; no part of the digest.
LOADED_BY: Final = {"docker_image": "DOCKER_IMAGE_TAG", "argo_workflow_uid": "ARGO_WORKFLOW_UID"}
# The digest of a row: SHA-256 of id, content and vector in binary form, each after its length, and of the metadata as
# text without the keys of LOADED_BY.
DIGEST: Final = sql.SQL(
    "sha256(int4send(16) || uuid_send(id) || int4send(octet_length(content)) || convert_to(content, 'UTF8')"
    " || int4send(4 + 4 * vector_dims(embedding)) || vector_send(embedding)"
    " || convert_to((metadata - {}::text[])::text, 'UTF8'))"
).format(sql.Literal(list(LOADED_BY)))


def binary_rows(embeddings: Embeddings) -> Iterator[tuple[bytes, dict[bytes, bytes]]]:
    """Yield parts of the COPY stream between HEADER and TRAILER, each with the digests of its rows by row id."""
    loaded_by = json.dumps({key: os.environ.get(name, "") for key, name in LOADED_BY.items()})[:-1] + ", "
    for batch in embeddings.batches():
        yield _encode(batch, embeddings, JSONB_VERSION + loaded_by.encode())


def checksum(digests: dict[bytes, bytes]) -> str:
    """Return the SHA-256 of the row digests in the order of their ids, as the server computes it."""
    return hashlib.sha256(b"".join(digests[row_id] for row_id in sorted(digests))).hexdigest()


def _encode(batch: pa.RecordBatch, embeddings: Embeddings, loaded_by: bytes) -> tuple[bytes, dict[bytes, bytes]]:
    width = 4 * embeddings.dimension
    ids = bytes.fromhex("".join(batch["id"].to_pylist()).replace("-", ""))
    content = batch["content"].cast(pa.binary())
    vectors = matrix(batch["embedding"], embeddings.dimension).astype(">f4").tobytes()
    metadata = _metadata(batch, embeddings.facts)
    sizes = pc.binary_length(metadata)
    rows = pc.binary_join_element_wise(
        *(FIELD_COUNT + struct.pack(">i", 16), _slices(ids, 16)),
        *(_lengths(pc.binary_length(content)), content),
        *(struct.pack(">ihh", 4 + width, embeddings.dimension, 0), _slices(vectors, width)),
        *(_lengths(pc.add(sizes, len(loaded_by))), loaded_by, metadata),
        b"",
    )
    digests = {}
    for row, size, offset in zip(rows.to_pylist(), sizes.to_pylist(), range(0, len(ids), 16), strict=True):
        vector_end = len(row) - size - len(loaded_by) - 4
        hashed = b"%b{%b" % (row[len(FIELD_COUNT) : vector_end], row[-size:])
        digests[ids[offset : offset + 16]] = hashlib.sha256(hashed).digest()
    return bytes(rows.buffers()[2]), digests


def _metadata(batch: pa.RecordBatch, facts: dict[str, Any]) -> pa.Array:
    """Return the metadata of each row after its opening brace, as the server prints jsonb: shorter keys first."""
    version, model = (json.dumps(facts[key], ensure_ascii=False) for key in ("source_data_version", "embedding_model"))
    metadata = pc.binary_join_element_wise(
        *('"doc_id": ', _quoted(batch["doc_id"])),
        *(', "section_h1": ', _quoted(batch["section_h1"])),
        *(', "section_h2": ', _quoted(batch["section_h2"])),
        *(', "section_h3": ', _quoted(batch["section_h3"])),
        *(', "chunk_index": ', batch["chunk_index"].cast(pa.string())),
        *(', "source_file": ', _quoted(batch["source_file"])),
        *(', "source_repo": ', _quoted(batch["source_repo"])),
        f', "data_version": {version}, "embedding_model": {model}, "dvc_data_version": {version}}}',
        "",
    )
    return metadata.cast(pa.binary())


def _quoted(column: pa.DictionaryArray) -> pa.Array:
    """Return the values as JSON strings, null as the empty string, because readers show the value as it is."""
    texts = [json.dumps(value, ensure_ascii=False) for value in column.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(column.indices).fill_null('""')


def _lengths(sizes: pa.Array) -> pa.Array:
    """Return numbers as big-endian 32-bit integers."""
    return _slices(sizes.to_numpy().astype(np.dtype(">i4")).tobytes(), 4)


def _slices(data: bytes, width: int) -> pa.Array:
    """Return ``data`` in values of ``width`` bytes."""
    count = len(data) // width
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), count, [None, pa.py_buffer(data)]).cast(pa.binary())

"""Write ``embeddings.parquet`` and the manifest beside it."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from samples import ManifestWriter
from stage.output import replacing

from chunk_embed.rows import Row

META: Final = b"data-registry"
SPLIT: Final = "all"
GROUP: Final = 8192  # rows of a row group
VECTOR: Final = "embedding"


def schema(dimension: int) -> pa.Schema:
    """Return the columns of ``embeddings.parquet``."""
    text = {name: pa.field(name, pa.string(), nullable=False) for name in ("id", "content", "doc_id")}
    return pa.schema(
        [
            text["id"],
            text["content"],
            pa.field(VECTOR, pa.list_(pa.field("item", pa.float32(), nullable=False), dimension), nullable=False),
            pa.field("source_repo", pa.string(), nullable=False),
            pa.field("source_file", pa.string(), nullable=False),
            pa.field("chunk_index", pa.int32(), nullable=False),
            text["doc_id"],
            ("section_h1", pa.string()),
            ("section_h2", pa.string()),
            ("section_h3", pa.string()),
            pa.field("start", pa.int32(), nullable=False),
            pa.field("end", pa.int32(), nullable=False),
            pa.field("tokens", pa.int32(), nullable=False),
            pa.field("embedded_tokens", pa.int32(), nullable=False),
        ]
    )


def write_embeddings(
    rows: Sequence[Row], vectors: npt.NDArray[np.float32], meta: dict[str, Any], output: Path, samples: Path
) -> None:
    """Write both files, whole or not at all; the manifest comes last and names the other by its SHA-256.

    ``vectors`` has shape (rows, dimension). The same rows, vectors and ``meta`` give the same bytes.
    """
    columns = schema(vectors.shape[1])
    plain = columns.remove(columns.get_field_index(VECTOR))
    written = columns.with_metadata({META: json.dumps(meta, ensure_ascii=False)})
    repeated = ["source_repo", "source_file", "doc_id", "section_h1", "section_h2", "section_h3"]
    with replacing(output, samples) as (to, manifest_to), ManifestWriter(manifest_to, plain, ["id"]) as manifest:
        with (
            to.open("wb") as file,
            pq.ParquetWriter(
                file, written, compression="zstd", use_dictionary=repeated, write_page_checksum=True
            ) as writer,
        ):
            for first in range(0, len(rows), GROUP):
                batch = _batch(rows[first : first + GROUP], vectors[first : first + GROUP], columns)
                writer.write_batch(batch)
                start = 0
                for part in _by_source(rows[first : first + GROUP]):
                    piece = batch.slice(start, part).select(plain.names)
                    manifest.add(piece, split=SPLIT, file=output.as_posix(), source=rows[first + start].document.name)
                    start += part
        with to.open("rb") as written_file:
            digest = hashlib.file_digest(written_file, "sha256").hexdigest()
        manifest.finish({output.as_posix(): digest})


def _by_source(rows: Sequence[Row]) -> list[int]:
    """Return how many rows in a row come from the same document."""
    runs: list[int] = []
    last = None
    for row in rows:
        if row.document.name != last:
            runs.append(0)
            last = row.document.name
        runs[-1] += 1
    return runs


def _batch(rows: Sequence[Row], vectors: npt.NDArray[np.float32], columns: pa.Schema) -> pa.RecordBatch:
    values: dict[str, Any] = {
        "id": [row.id for row in rows],
        "content": [row.chunk.text for row in rows],
        "source_repo": [row.document.repo for row in rows],
        "source_file": [row.document.name for row in rows],
        "chunk_index": [row.index for row in rows],
        "doc_id": [row.document.doc_id for row in rows],
        "section_h1": [row.chunk.h1 for row in rows],
        "section_h2": [row.chunk.h2 for row in rows],
        "section_h3": [row.chunk.h3 for row in rows],
        "start": [row.chunk.start for row in rows],
        "end": [row.chunk.end for row in rows],
        "tokens": [row.tokens for row in rows],
        "embedded_tokens": [len(row.ids) for row in rows],
    }
    arrays = []
    for field in columns:
        if field.name == VECTOR:
            flat = pa.array(np.ascontiguousarray(vectors).ravel())
            arrays.append(pa.FixedSizeListArray.from_arrays(flat, type=field.type))
        else:
            arrays.append(pa.array(values[field.name], field.type))
    return pa.record_batch(arrays, schema=columns)

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

METADATA_KEY: Final = b"data-registry"  # of the footer
SPLIT: Final = "all"
GROUP_ROWS: Final = 8192  # of a row group
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
    """Write both files atomically; the manifest is written last and has the SHA-256 of the other file.

    ``vectors`` has shape (rows, dimension). The same rows, vectors and ``meta`` give the same bytes.
    """
    columns = schema(vectors.shape[1])
    without_vector = columns.remove(columns.get_field_index(VECTOR))
    file_schema = columns.with_metadata({METADATA_KEY: json.dumps(meta, ensure_ascii=False)})
    repeated = ["source_repo", "source_file", "doc_id", "section_h1", "section_h2", "section_h3"]
    with (
        replacing(output, samples) as (to, manifest_to),
        ManifestWriter(manifest_to, without_vector, ["id"]) as manifest,
    ):
        with (
            to.open("wb") as file,
            pq.ParquetWriter(
                file, file_schema, compression="zstd", use_dictionary=repeated, write_page_checksum=True
            ) as writer,
        ):
            for first in range(0, len(rows), GROUP_ROWS):
                batch = _batch(rows[first : first + GROUP_ROWS], vectors[first : first + GROUP_ROWS], columns)
                writer.write_batch(batch)
                start = 0
                for count in _rows_by_document(rows[first : first + GROUP_ROWS]):
                    piece = batch.slice(start, count).select(without_vector.names)
                    manifest.add(piece, split=SPLIT, file=output.as_posix(), source=rows[first + start].document.name)
                    start += count
        with to.open("rb") as written_file:
            digest = hashlib.file_digest(written_file, "sha256").hexdigest()
        manifest.finish({output.as_posix(): digest})


def _rows_by_document(rows: Sequence[Row]) -> list[int]:
    """Return the number of consecutive rows of each document."""
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

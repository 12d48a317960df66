"""Files as chunk-embed writes them, of texts and vectors that nobody needs a model for."""

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

WORDS = [f"word{number}" for number in range(2000)]


def columns(rows: int, dimension: int = 8, seed: int = 0, words: int = 30) -> dict[str, Any]:
    """Return the columns of a file; the same arguments give the same ones."""
    random = np.random.default_rng(seed)
    vectors = random.standard_normal((rows, dimension), dtype=np.float32)
    names = [f"repo-{row // 10}_README.md" for row in range(rows)]
    return {
        "id": [str(uuid.uuid5(uuid.NAMESPACE_OID, f"{seed} {row}")) for row in range(rows)],
        "content": [f"row{row} " + " ".join(random.choice(WORDS, words)) for row in range(rows)],
        "embedding": vector_column(vectors),
        "source_repo": [name.removesuffix("_README.md") for name in names],
        "source_file": names,
        "chunk_index": pa.array([row % 10 for row in range(rows)], pa.int32()),
        "doc_id": [hashlib.sha256(name.encode()).hexdigest()[:32] for name in names],
        "section_h1": pa.array([None if row % 3 else f'Title "{row}" \\ ünï\t🙂' for row in range(rows)], pa.string()),
        "section_h2": pa.array(["Setup"] * rows, pa.string()),
        "section_h3": pa.nulls(rows, pa.string()),
        "start": pa.array(range(rows), pa.int32()),
        "end": pa.array(range(1, rows + 1), pa.int32()),
        "tokens": pa.array([9] * rows, pa.int32()),
    }


def vector_column(vectors: "np.ndarray[Any, np.dtype[np.float32]]") -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel(), pa.float32()), vectors.shape[1])


def facts(dimension: int = 8, version: str = "opencloudhub-readmes-v1.0.0", **changes: Any) -> dict[str, Any]:
    told = {
        "dataset": "opencloudhub-readmes",
        "source_data_version": version,
        "source_logical_hash": "0" * 64,
        "embedding_model": "sentence-transformers/all-MiniLM-L6-v2",
        "revision": "c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        "dimension": dimension,
    }
    return {**told, **changes}


def write_embeddings(
    path: Path,
    rows: int = 60,
    dimension: int = 8,
    seed: int = 0,
    version: str = "opencloudhub-readmes-v1.0.0",
    words: int = 30,
    **changed: Any,
) -> Path:
    """Write a file; columns may be changed, or dropped with None."""
    table = {**columns(rows, dimension, seed, words), **changed}
    made = pa.table({name: column for name, column in table.items() if column is not None})
    footer = {"data-registry": json.dumps(facts(dimension, version))}
    pq.write_table(made.replace_schema_metadata(footer), path, compression="zstd", write_page_checksum=True)
    return path

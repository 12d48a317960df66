"""The logical hash: what a data set is, whatever wrote its files."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from samples.manifest import read_manifest

ROWS_IN_MEMORY = 1 << 20


def logical_hash(path: Path) -> str:
    """Return the logical hash of the data set that a manifest describes, as 64 hex digits.

    Memory stays within about 150 MB: a large manifest is read several times, a range of sample ids each time.
    """
    manifest = read_manifest(path)
    digest = hashlib.sha256()
    digest.update(json.dumps(manifest.columns, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        names = sorted(_split_names(file), key=str.encode)
        ranges = min(256, -(-manifest.rows // ROWS_IN_MEMORY))
        for split in names:
            digest.update(json.dumps(split, ensure_ascii=False).encode() + b"\n")
            for part in range(ranges):
                digest.update(_ordered(file, split, 256 * part // ranges, 256 * (part + 1) // ranges))
    return digest.hexdigest()


def _split_names(file: pq.ParquetFile) -> set[str]:
    return {name for batch in file.iter_batches(columns=["split"]) for name in pc.unique(batch["split"]).to_pylist()}


def _ordered(file: pq.ParquetFile, split: str, low: int, high: int) -> bytes:
    """Return id and content hash of the split's samples whose id starts with a byte in [low, high), in order."""
    pairs = []
    for batch in file.iter_batches(columns=["split", "sample_id", "content_hash"]):
        mask = pc.equal(batch["split"], split).to_numpy(zero_copy_only=False)
        pair = np.hstack((_bytes(batch["sample_id"], 16), _bytes(batch["content_hash"], 32)))
        pairs.append(pair[mask & (pair[:, 0] >= low) & (pair[:, 0] < high)])
    rows = np.vstack(pairs) if pairs else np.empty((0, 48), np.uint8)
    return np.sort(rows.view("S48").ravel()).tobytes()


def _bytes(column: pa.Array, width: int) -> np.ndarray:
    buffer = column.buffers()[1]
    return np.frombuffer(buffer, np.uint8, len(column) * width, column.offset * width).reshape(-1, width)

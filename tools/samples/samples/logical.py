"""The logical hash of a dataset, which does not depend on how its files are written."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .manifest import read_manifest
from .ranges import Rows, by_first_byte, fixed_width

PAIR = {"sample_id": 16, "content_hash": 32}  # bytes


def logical_hash(path: Path) -> str:
    """Return the logical hash of the dataset of a manifest, as 64 hex digits."""
    digest = hashlib.sha256(_line(read_manifest(path).columns))
    for split in sorted(_splits(path), key=str.encode):
        digest.update(_line(split))

        def rows_of(batch: pa.RecordBatch, split: str = split) -> Rows:
            batch = batch.filter(pc.field("split") == split)
            rows = np.empty(batch.num_rows, [("pair", "S48")])
            columns = [fixed_width(batch[name], width).view("u1").reshape(-1, width) for name, width in PAIR.items()]
            rows["pair"] = np.hstack(columns).view("S48").ravel()
            return rows

        for rows in by_first_byte(path, ["split", *PAIR], rows_of, by="pair"):
            digest.update(rows.tobytes())
    return digest.hexdigest()


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _splits(path: Path) -> set[str]:
    with pq.ParquetFile(path, pre_buffer=False) as file:
        batches = file.iter_batches(columns=["split"])
        return {name for batch in batches for name in pc.unique(batch["split"]).to_pylist()}

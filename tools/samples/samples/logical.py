"""The logical hash: what a data set is, whatever wrote its files."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .manifest import read_manifest
from .ranges import Rows, by_first_byte, fixed_width


def logical_hash(path: Path) -> str:
    """Return the logical hash of the data set that a manifest describes, as 64 hex digits."""
    digest = hashlib.sha256(_line(read_manifest(path).columns))
    for split in sorted(_splits(path), key=str.encode):
        digest.update(_line(split))

        def rows_of(batch: pa.RecordBatch, split: str = split) -> Rows:
            chosen = batch.filter(pc.field("split") == split)
            rows = np.empty(chosen.num_rows, [("whole", "S48")])
            rows["whole"] = (
                np.hstack(
                    [fixed_width(chosen[name], width).view("u1").reshape(-1, width) for name, width in PAIR.items()]
                )
                .view("S48")
                .ravel()
            )
            return rows

        for rows in by_first_byte(path, ["split", *PAIR], rows_of, by="whole"):
            digest.update(rows.tobytes())
    return digest.hexdigest()


PAIR = {"sample_id": 16, "content_hash": 32}


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _splits(path: Path) -> set[str]:
    with pq.ParquetFile(path, pre_buffer=False) as file:
        return {
            name for batch in file.iter_batches(columns=["split"]) for name in pc.unique(batch["split"]).to_pylist()
        }

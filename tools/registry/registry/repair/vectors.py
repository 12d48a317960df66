"""Compare the vectors of a release with those of a rebuild: the last digits may differ."""

import dataclasses
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

TOLERANCE = 1e-6  # of each component of a unit vector
VECTOR = "embedding"
ROWS = 1 << 14  # in memory at a time


@dataclasses.dataclass(frozen=True)
class Vectors:
    """Whether everything but the vectors is equal, and the largest difference between those."""

    same_chunks: bool
    distance: float

    @property
    def agree(self) -> bool:
        return self.same_chunks and self.distance <= TOLERANCE


def compare(released: Path, built: Path) -> Vectors:
    """Compare two files of embedded chunks."""
    distance = 0.0
    with pq.ParquetFile(released) as one, pq.ParquetFile(built) as other:
        if one.schema_arrow != other.schema_arrow or one.metadata.num_rows != other.metadata.num_rows:
            return Vectors(False, np.inf)
        for first, second in zip(one.iter_batches(ROWS), other.iter_batches(ROWS), strict=True):
            if first.drop_columns([VECTOR]) != second.drop_columns([VECTOR]):
                return Vectors(False, np.inf)
            gap = np.abs(_numbers(first) - _numbers(second))
            distance = max(distance, float(np.nan_to_num(gap, nan=np.inf).max(initial=0)))
    return Vectors(True, distance)


def _numbers(batch: pa.RecordBatch) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    numbers: np.ndarray[tuple[int], np.dtype[np.float32]] = batch.column(VECTOR).flatten().to_numpy()
    return numbers

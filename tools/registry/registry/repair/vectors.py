"""Compare the vectors of a release with those of a rebuild: the last digits may differ."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

TOLERANCE = 1e-6  # of each component of a unit vector
VECTOR = "embedding"
ROWS = 1 << 14  # in memory at a time


def distance_between(released: Path, built: Path) -> float:
    """Return the largest difference between the vectors of two files of embedded chunks; ``inf`` if more differs."""
    distance = 0.0
    with pq.ParquetFile(released) as one, pq.ParquetFile(built) as other:
        if one.schema_arrow != other.schema_arrow or one.metadata.num_rows != other.metadata.num_rows:
            return np.inf
        for first, second in zip(one.iter_batches(ROWS), other.iter_batches(ROWS), strict=True):
            if first.drop_columns([VECTOR]) != second.drop_columns([VECTOR]):
                return np.inf
            gap = np.subtract(*(batch.column(VECTOR).flatten().to_numpy() for batch in (first, second)))
            distance = max(distance, float(np.nan_to_num(np.abs(gap), nan=np.inf).max(initial=0)))
    return distance

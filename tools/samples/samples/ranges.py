"""Read a manifest in parts small enough to sort in memory: the first byte of a hash divides them evenly."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

ROWS_IN_MEMORY = 1 << 18

Rows = npt.NDArray[np.void]


def by_first_byte(
    source: Path | BinaryIO, columns: list[str], rows_of: Callable[[pa.RecordBatch], Rows], by: str
) -> Iterator[Rows]:
    """Yield the rows of a manifest, made by ``rows_of`` from each batch, sorted by the field ``by`` (an S type).

    The file is read once per 260 000 rows or so. Raises OSError if a page fails its checksum.
    """
    with pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False) as file:
        parts = max(1, min(256, -(-file.metadata.num_rows // ROWS_IN_MEMORY)))
        for part in range(parts):
            low, high = 256 * part // parts, 256 * (part + 1) // parts
            selected = []
            for batch in file.iter_batches(columns=columns):
                rows = rows_of(batch)
                first = np.frombuffer(rows[by].tobytes(), np.uint8)[:: rows.dtype[by].itemsize]
                selected.append(rows[(first >= low) & (first < high)])
            if any(map(len, selected)):
                rows = np.concatenate(selected)
                yield rows[np.argsort(rows[by], kind="stable")]


def fixed_width(column: pa.Array, width: int) -> npt.NDArray[np.bytes_]:
    """Return a fixed-size binary column as byte strings of ``width`` bytes, without a copy."""
    buffer = column.buffers()[1]
    return np.frombuffer(buffer, f"S{width}", len(column), column.offset * width)

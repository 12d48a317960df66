"""Find the rows of columns, nested or not, with a wrong value."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc


def first_row(column: pa.Array, test: Callable[[pa.Array], pa.Array | None]) -> int | None:
    """Return the first row with a value, at any depth, for which the test is true; None without any.

    The test is given each array of innermost values, and returns booleans, or None if it is not about their type.
    """
    if pa.types.is_list(column.type):
        item = first_row(column.flatten(), test)
        return None if item is None else int(pc.list_parent_indices(column)[item].as_py())
    if pa.types.is_struct(column.type):
        rows = [row for part in column.flatten() if (row := first_row(part, test)) is not None]
        return min(rows, default=None)
    result = test(column)
    row = -1 if result is None else pc.index(result, True).as_py()
    return None if row < 0 else int(row)


def first_failing(column: pa.Array, convert: Callable[[pa.Array], object]) -> int:
    """Return the first row that cannot be converted: by halves, as a conversion takes all rows or none."""
    low, high = 0, len(column)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            convert(pa.concat_arrays([column.slice(low, middle - low)]))
            low = middle
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            high = middle
    return low

"""Row numbers of a split, from what a training has: numbers, a mask, or the index of a data frame.

What could mean two things is refused: the values of a pandas Series may be row numbers or labels, and a mask whose
index is another order than the split's would choose other rows by position than by index.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from data_registry.stage.errors import UsageError

Rows = npt.NDArray[np.int64]
UNCLEAR = (
    *("Series", "DataFrame", "LazyFrame", "Categorical", "CategoricalIndex", "MultiIndex", "MaskedArray"),
    *("Table", "RecordBatch", "DictionaryArray"),
)
NUMBERS = "give a list or array of row numbers, counted from 0, or a mask: rows=train.index"


def row_numbers(rows: Any, count: int) -> Rows:
    """Return the row numbers that ``rows`` names in a split of ``count`` rows: repeated ones stay repeated.

    Raises UsageError for what is neither row numbers nor a mask, or could mean two things.
    """
    kind = _kind(rows)
    if kind == "Series":
        return _of_series(rows, count)
    if kind:
        fix = "rows=train.index, for a frame whose index is that of the split" if kind == "DataFrame" else NUMBERS
        raise UsageError("rows", f"expected row numbers or a mask, got a {kind}", fix)
    if isinstance(rows, list | tuple) and len({isinstance(row, bool | np.bool_) for row in rows}) > 1:
        raise UsageError("rows", "expected row numbers or a mask, got both", NUMBERS)
    array = _array(rows)
    return _of_mask(array, count) if array.dtype.kind == "b" else _of_numbers(array, count)


def _kind(rows: Any) -> str:
    """Return the class of a value that does not say by itself which rows it means, as a DataFrame; otherwise "".

    By the names of classes: of pandas, polars, pyarrow, numpy, and of what follows pandas, as modin and dask; none of
    them need be installed.
    """
    return next((base.__name__ for base in type(rows).__mro__ if base.__name__ in UNCLEAR), "")


def _of_series(rows: Any, count: int) -> Rows:
    """Return the rows of a mask that is a Series, by its index; polars has none, and is taken by position."""
    if str(rows.dtype).lower() not in {"bool", "boolean", "bool[pyarrow]"}:
        what = f"ambiguous Series of {rows.dtype}: its values may be row numbers or labels"
        fix = "rows=series.index for the rows that it has, rows=series.to_numpy() where its values are row numbers"
        raise UsageError("rows", what, fix)
    values = rows.to_list()
    if not all(isinstance(value, bool) for value in values):
        raise UsageError("rows", "the mask has missing values", "replace them by True or False")
    if not hasattr(rows, "index"):
        return _of_mask(np.array(values, bool), count)
    index = np.asarray(rows.index)
    if index.dtype.kind not in "iu" or len(index) != count or not np.array_equal(np.sort(index), np.arange(count)):
        what = f"the mask's index is not that of the split, 0 to {count - 1}"
        raise UsageError("rows", what, "rows=frame.index[mask], for a frame whose index is that of the split")
    mask = np.zeros(count, bool)
    mask[index] = values
    return np.flatnonzero(mask)


def _of_mask(mask: npt.NDArray[Any], count: int) -> Rows:
    if len(mask) != count:
        raise UsageError("rows", f"expected a mask of {count} values, got {len(mask)}", "give one value a row")
    return np.flatnonzero(mask)


def _of_numbers(numbers: npt.NDArray[Any], count: int) -> Rows:
    if len(numbers) and not 0 <= int(numbers.min()) <= int(numbers.max()) < count:
        wrong = numbers[(numbers < 0) | (numbers >= count)][0]
        raise UsageError("rows", f"row {wrong} is out of range, 0 to {count - 1}", "check split and version")
    if len(numbers) == count > 2 and int(numbers.max()) <= 1:
        what = f"ambiguous: {count} numbers, each 0 or 1, may be a mask or row numbers"
        raise UsageError("rows", what, "give a mask as truth values: rows=mask.astype(bool)")
    return numbers.astype(np.int64)


def _array(rows: Any) -> npt.NDArray[Any]:
    try:
        array = np.asarray(rows)
    except (ValueError, TypeError, NotImplementedError, RuntimeError) as error:  # ragged lists; arrays on a GPU
        raise UsageError("rows", f"expected row numbers or a mask: {error}", NUMBERS) from error
    if array.ndim != 1 or (array.dtype.kind not in "iub" and len(array)):
        raise UsageError("rows", f"expected row numbers or a mask, got {type(rows).__name__}", NUMBERS)
    return array

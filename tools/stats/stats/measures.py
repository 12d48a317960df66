"""What is measured of a column by its type: numbers that stand for its values, and its range as text."""

import math
from collections import Counter
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from samples.arrow_types import is_binary, is_list, is_string

from stats.media import MEDIA, SIZE, read_media
from stats.median import Floats

DECIMALS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
PER_MICROSECOND = 1000  # nanoseconds, which a double has no room for since 1970


def is_number(kind: pa.DataType) -> bool:
    """Say whether values of a type are numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def is_countable(kind: pa.DataType) -> bool:
    """Say whether a distribution can have the values of a type: numbers, booleans, texts, dates."""
    return is_number(kind) or is_string(kind) or bool(pa.types.is_boolean(kind) or pa.types.is_date(kind))


def measure_names(name: str, kind: pa.DataType, media: str) -> list[str]:
    """Return the names of the measures of a column: of numbers and times its own, of others ``name.part``.

    ``media`` is ``image``, ``audio`` or empty. The list is empty for texts, booleans and structs.
    """
    if is_number(kind) or pa.types.is_temporal(kind):
        return [name]
    parts = MEDIA.get(media, ("length",) * is_list(kind) + (SIZE,) * is_binary(kind))
    return [f"{name}.{part}" for part in parts]


def measured(column: pa.Array, media: str, formats: Counter[str]) -> list[Floats]:
    """Return the finite values of each measure of a column that has some; the formats of media are counted."""
    if media:
        return read_media(column, media, formats)
    if is_list(column.type):
        column = pc.list_value_length(column)
    elif is_binary(column.type):
        column = pc.binary_length(column)
    return [finite(column)]


def finite(column: pa.Array) -> Floats:
    """Return the finite values of a column of numbers; of times, how many of their unit, microseconds at most."""
    if pa.types.is_temporal(column.type):
        counts: Floats = np.floor_divide(_counts(column), _divisor(column.type)).astype(np.float64)
        return counts
    values = column.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    is_finite: Floats = values[np.isfinite(values)]
    return is_finite


class Range:
    """The smallest and the largest value of a column of times or decimals, which a JSON number may not have exactly."""

    def __init__(self, kind: pa.DataType) -> None:
        self._kind = kind
        self._ends: list[int | Decimal] = []

    @classmethod
    def suits(cls, kind: pa.DataType) -> bool:
        """Say whether values of a type have a range as text."""
        return bool(pa.types.is_temporal(kind) or pa.types.is_decimal(kind))

    def add(self, column: pa.Array) -> None:
        """Add the values of a batch."""
        ends = pc.min_max(column if pa.types.is_decimal(self._kind) else _counts(column)).as_py().values()
        values = [*self._ends, *(value for value in ends if value is not None)]
        self._ends = [min(values), max(values)] if values else []

    def texts(self, median: float | None) -> dict[str, str | None]:
        """Return min and max as text, and of times the median, given that of their numbers."""
        low, high = map(self._text, self._ends or (None, None))
        if pa.types.is_decimal(self._kind):
            return {"min": low, "max": high}
        middle = None if median is None else math.floor(median) * _divisor(self._kind)
        return {"min": low, "max": high, "median": self._text(middle)}

    def _text(self, value: int | Decimal | None) -> str | None:
        """Return a decimal in digits; a time in ISO 8601, one with a time zone in UTC, a duration in seconds."""
        if value is None:
            return None
        if isinstance(value, Decimal):
            return f"{value:f}"
        unit = _unit(self._kind)
        if pa.types.is_duration(self._kind):
            return f"{'-' * (value < 0)}PT{Decimal(abs(value)).scaleb(-DECIMALS[unit]):f}S"
        text = str(np.datetime_as_string(np.int64(value).astype(f"datetime64[{unit}]")))
        if pa.types.is_time(self._kind):
            return text.partition("T")[2]
        return f"{text}Z" if pa.types.is_timestamp(self._kind) and self._kind.tz else text


def _counts(column: pa.Array) -> npt.NDArray[np.integer]:
    """Return times that are not null as counts of their unit."""
    integers = pa.int32() if column.type.bit_width == 32 else pa.int64()
    return np.asarray(column.drop_null().view(integers).to_numpy())


def _unit(kind: pa.DataType) -> str:
    return "D" if pa.types.is_date(kind) else str(kind.unit)


def _divisor(kind: pa.DataType) -> int:
    return PER_MICROSECOND if _unit(kind) == "ns" else 1

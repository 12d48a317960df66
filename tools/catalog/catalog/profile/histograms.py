"""Histograms of numbers, text lengths and pixel values, with the same round bin edges for every split."""

import dataclasses
import decimal
import itertools
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from data_registry.samples.arrow_types import is_list, is_string

from catalog.profile.rows import Rows, flat, is_image, is_number

Numbers = npt.NDArray[Any]
Measurements = Mapping[str, Numbers]  # the values of a batch by name
BINS = 40  # at most, and one or two for the ends
COLUMNS = 24  # numeric columns that get a histogram
NAME_RATIO = 10  # texts this many times shorter than the longest are names or headings: their length says nothing
GREY_EDGES = tuple(float(edge) for edge in range(0, 257, 8))


@dataclasses.dataclass(frozen=True)
class Histogram:
    """Counts of values per bin; ``split`` is empty if there is only one.

    A value on an edge belongs to the bin above, except on the last edge. Few whole numbers have a bin each, from the
    number to the next.
    """

    name: str
    split: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Extent:
    """The range of some numbers, and whether all are whole."""

    low: int | float
    high: int | float
    is_whole: bool


def histograms_of(rows: Rows) -> tuple[Histogram, ...]:
    """Return the histograms of all columns without classes, in the order of columns. Raises CorruptFile."""
    types = _unlabelled_types(rows)
    images = [name for name, kind in types.items() if is_image(kind)][:1]
    numbers = [name for name, kind in types.items() if is_number(kind)][:COLUMNS]
    texts = [name for name, kind in types.items() if is_string(kind)]

    def measure(split: str, columns: Sequence[str]) -> Iterator[Measurements]:
        return map(_measurements, rows.read(split, columns)) if columns else iter(())

    ranges = extents(itertools.chain.from_iterable(measure(split, numbers + texts) for split in rows.splits))
    longest = max((ranges[name].high for name in texts if name in ranges), default=0)
    names = [
        name for name in texts if name in ranges and not ranges[name].low < ranges[name].high > longest / NAME_RATIO
    ]
    edges = dict.fromkeys(images, GREY_EDGES)
    edges |= {name: edges_of(extent) for name, extent in ranges.items() if name not in names}
    titles = {name: f"characters of {name}" for name in texts}
    titles |= {name: "colour value" if is_list(types[name].value_type.value_type) else "grey value" for name in images}
    counted = [
        histogram for split in rows.splits for histogram in count_values(split, measure(split, list(edges)), edges)
    ]
    return tuple(
        dataclasses.replace(histogram, name=titles.get(name, name))
        for name in edges
        for histogram in counted
        if histogram.name == name
    )


def columns_without_histogram(rows: Rows) -> int:
    """Return how many numeric columns there are beyond those that get a histogram. Raises CorruptFile."""
    return max(0, sum(map(is_number, _unlabelled_types(rows).values())) - COLUMNS)


def extents(batches: Iterable[Measurements]) -> dict[str, Extent]:
    """Return the extent of everything that has a finite value."""
    ranges: dict[str, Extent] = {}
    for name, values in _finite(batches):
        is_whole = values.dtype.kind in "iu" or bool(np.all(values == np.floor(values)))
        extent = Extent(values.min().item(), values.max().item(), is_whole)
        before = ranges.get(name, extent)
        ranges[name] = Extent(
            min(before.low, extent.low), max(before.high, extent.high), before.is_whole and extent.is_whole
        )
    return ranges


def edges_of(extent: Extent) -> tuple[float, ...]:
    """Return bin edges at 1, 2 or 5 times a power of ten that cover an extent; whole ones for whole numbers.

    They are computed in decimal: 0.3 is an edge, not its neighbour, and a value of 0.3 belongs to the bin above.
    """
    low, high = Decimal(extent.low), Decimal(extent.high)
    step = _round_up(max((high - low) / BINS, _smallest_step(extent)))
    first = int((low / step).to_integral_value(decimal.ROUND_FLOOR))
    if extent.is_whole:
        last = int((high / step).to_integral_value(decimal.ROUND_FLOOR)) + 1
    else:
        last = max(first + 1, int((high / step).to_integral_value(decimal.ROUND_CEILING)))
    largest = sys.float_info.max
    return tuple(min(max(float(number * step), -largest), largest) for number in range(first, last + 1))


def count_values(
    split: str, batches: Iterable[Measurements], edges: Mapping[str, tuple[float, ...]]
) -> list[Histogram]:
    """Return the histograms of everything that has edges, in their order; none for what has no values."""
    counts = {name: np.zeros(len(bins) - 1, np.int64) for name, bins in edges.items()}
    for name, values in _finite(batches):
        if name in edges:
            counts[name] += _bin_counts(values, np.array(edges[name]))
    return [Histogram(name, split, edges[name], tuple(bins.tolist())) for name, bins in counts.items() if bins.any()]


def _bin_counts(values: Numbers, edges: Numbers) -> Numbers:
    if values.dtype != np.uint8:
        return np.histogram(values, edges)[0]
    frequencies = np.bincount(values, minlength=256)  # faster for the many bytes of images
    return np.histogram(np.arange(256), edges, weights=frequencies)[0].astype(np.int64)


def _smallest_step(extent: Extent) -> Decimal:
    """Return the smallest step: one that floats can tell apart; a tenth of the value if there is only one."""
    distinct = 2 * Decimal(math.ulp(max(abs(float(extent.low)), abs(float(extent.high)))))
    if extent.is_whole:
        return max(Decimal(1), distinct)
    tenth = abs(Decimal(extent.low)) / 10 if extent.low == extent.high else Decimal(0)
    return max(tenth, distinct)


def _round_up(step: Decimal) -> Decimal:
    power = Decimal(1).scaleb(step.adjusted())
    return next(times * power for times in (1, 2, 5, 10) if times * power >= step)


def _finite(batches: Iterable[Measurements]) -> Iterator[tuple[str, Numbers]]:
    for name, values in itertools.chain.from_iterable(batch.items() for batch in batches):
        finite = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        if len(finite):
            yield name, finite


def _unlabelled_types(rows: Rows) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in rows.schema() if field.name not in rows.classes}


def _measurements(batch: pa.RecordBatch) -> Measurements:
    return {
        name: _numbers(flat(column).drop_null()).to_numpy(zero_copy_only=False)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }


def _numbers(column: pa.Array) -> pa.Array:
    if is_string(column.type):
        return pc.utf8_length(column)
    if pa.types.is_boolean(column.type):
        return column.cast(pa.uint8())
    return column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column

"""Histograms of numbers that come in batches, with the same round edges for every split."""

import dataclasses
import decimal
import itertools
import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[Any]
Measured = Mapping[str, Numbers]  # what a batch gives, by name
BINS = 40  # a histogram has at most so many, and one or two for the ends


@dataclasses.dataclass(frozen=True)
class Histogram:
    """How many values lie from each edge up to the next; ``split`` is empty where there is one only.

    A value on an edge belongs above it, but for the last edge. Whole numbers of which there are few have a bin each,
    from the number to the next.
    """

    name: str
    split: str
    edges: tuple[float, ...]
    counts: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class Extent:
    """The least and the greatest of some numbers, and whether all are whole."""

    low: int | float
    high: int | float
    whole: bool


def extents(measured: Iterable[Measured]) -> dict[str, Extent]:
    """Return the extent of everything measured that has a finite value."""
    found: dict[str, Extent] = {}
    for name, values in _finite(measured):
        whole = values.dtype.kind in "iu" or bool(np.all(values == np.floor(values)))
        here = Extent(values.min().item(), values.max().item(), whole)
        before = found.get(name, here)
        found[name] = Extent(min(before.low, here.low), max(before.high, here.high), before.whole and here.whole)
    return found


def edges_of(extent: Extent) -> tuple[float, ...]:
    """Return round edges, at 1, 2 or 5 times a power of ten, that hold an extent; whole ones for whole numbers.

    They are computed in decimal, so that 0.3 is an edge and not its neighbour, and a value of 0.3 lies above it.
    """
    low, high = Decimal(extent.low), Decimal(extent.high)
    step = _round_up(max((high - low) / BINS, _least(extent)))
    first = int((low / step).to_integral_value(decimal.ROUND_FLOOR))
    if extent.whole:
        last = int((high / step).to_integral_value(decimal.ROUND_FLOOR)) + 1
    else:
        last = max(first + 1, int((high / step).to_integral_value(decimal.ROUND_CEILING)))
    most = sys.float_info.max
    return tuple(min(max(float(number * step), -most), most) for number in range(first, last + 1))


def count(split: str, measured: Iterable[Measured], edges: Mapping[str, tuple[float, ...]]) -> list[Histogram]:
    """Return the histogram of everything measured that has edges, in their order; none where there are no values."""
    counts = {name: np.zeros(len(each) - 1, np.int64) for name, each in edges.items()}
    for name, values in _finite(measured):
        if name in edges:
            counts[name] += _counted(values, np.array(edges[name]))
    return [Histogram(name, split, edges[name], tuple(found.tolist())) for name, found in counts.items() if found.any()]


def _counted(values: Numbers, edges: Numbers) -> Numbers:
    if values.dtype != np.uint8:
        return np.histogram(values, edges)[0]
    often = np.bincount(values, minlength=256)  # the bytes of images are many, and this is the quick way
    return np.histogram(np.arange(256), edges, weights=often)[0].astype(np.int64)


def _least(extent: Extent) -> Decimal:
    """Return what a step must have at least: numbers that a float tells apart; a tenth of a value that stands alone."""
    told_apart = 2 * Decimal(math.ulp(max(abs(float(extent.low)), abs(float(extent.high)))))
    if extent.whole:
        return max(Decimal(1), told_apart)
    alone = abs(Decimal(extent.low)) / 10 if extent.low == extent.high else Decimal(0)
    return max(alone, told_apart)


def _round_up(step: Decimal) -> Decimal:
    power = Decimal(1).scaleb(step.adjusted())
    return next(times * power for times in (1, 2, 5, 10) if times * power >= step)


def _finite(measured: Iterable[Measured]) -> Iterator[tuple[str, Numbers]]:
    for name, values in itertools.chain.from_iterable(each.items() for each in measured):
        kept = values[np.isfinite(values)] if values.dtype.kind == "f" else values
        if len(kept):
            yield name, kept

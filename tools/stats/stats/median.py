"""Exact medians of many values in bounded memory, by radix selection.

Doubles are mapped to 64-bit integers of the same order, read as four digits of 16 bits. Counts of a digit tell which
value of it the median has; when few enough values share the known digits, they are collected and sorted. Most columns
take one pass after the first count, none more than four.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

BITS = 16
MAX_COLLECTED = 1 << 18  # values per column: 2 MB
MAX_COLLECTED_TOTAL = 1 << 23  # values of all columns in memory at a time: 64 MB
SIGN = np.uint64(1 << 63)


@dataclasses.dataclass(frozen=True, eq=False)
class Counts:
    """The number of values per digit, without zeros, because there may be many columns."""

    digits: Numbers
    counts: Numbers

    @classmethod
    def of(cls, digits: Numbers) -> "Counts":
        if len(digits) < 1 << BITS >> 4:
            return cls(*np.unique(digits, return_counts=True))
        counts = np.bincount(digits)
        nonzero = np.flatnonzero(counts)
        return cls(nonzero, counts[nonzero])

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def __add__(self, other: "Counts") -> "Counts":
        if not len(self.digits):
            return other
        digits, inverse = np.unique(np.concatenate((self.digits, other.digits)), return_inverse=True)
        counts = np.zeros(len(digits), np.int64)
        np.add.at(counts, inverse, np.concatenate((self.counts, other.counts)))
        return Counts(digits, counts)


def count_digits(values: Floats, known: int = 0, prefix: int = 0) -> Counts:
    """Count the values by the digit after the first ``known`` ones, of those values where these are ``prefix``."""
    digits = _ordered(values) >> np.uint64(64 - BITS * (known + 1))
    if known:
        digits = digits[digits >> np.uint64(BITS) == prefix]
    return Counts.of((digits & np.uint64((1 << BITS) - 1)).astype(np.int64))


def medians(
    digits: Mapping[str, Counts], read: Callable[[list[str]], Iterable[tuple[str, Floats]]]
) -> dict[str, float]:
    """Return the median of each column that is not empty, given the counts of its first digits.

    ``read`` yields the values of the named columns, in any number of parts.
    """
    searches = {name: _Search(counts) for name, counts in digits.items() if counts.total}
    while names := _next_columns({name: search for name, search in searches.items() if search.median is None}):
        for name, values in read(names):
            searches[name].add(values)
        for name in names:
            searches[name].end_pass()
    return {name: search.median for name, search in searches.items() if search.median is not None}


def _next_columns(searches: Mapping[str, "_Search"]) -> list[str]:
    """Return as many columns as can be collected in one pass, at least one if there is any."""
    sizes = accumulate(search.max_collected for search in searches.values())
    return [
        name
        for name, size in zip(searches, sizes, strict=True)
        if size <= MAX_COLLECTED_TOTAL or name == next(iter(searches))
    ]


class _Search:
    """The search for the median of one column."""

    def __init__(self, counts: Counts) -> None:
        self.median: float | None = None
        self._above: float = np.inf
        total = counts.total
        self._rank, self._even = (total - 1) // 2, total % 2 == 0
        self._known, self._prefix = 0, 0
        self._narrow(counts)

    def add(self, values: Floats) -> None:
        if self._counts is not None:
            self._counts += count_digits(values, self._known, self._prefix)
            return
        leading = _ordered(values) >> np.uint64(64 - BITS * self._known)
        self._collected.append(values[leading == self._prefix][: self._limit])
        if (leading > self._prefix).any():
            self._above = min(self._above, float(values[leading > self._prefix].min()))

    def end_pass(self) -> None:
        if self._counts is not None:
            self._narrow(self._counts)
            return
        values = np.append(np.sort(np.concatenate(self._collected)[: self._limit]), self._above)
        lower = float(values[self._rank])
        self.median = (lower + float(values[self._rank + 1])) / 2 if self._even else lower

    def _narrow(self, counts: Counts) -> None:
        """Add the digit of the value at ``_rank`` to the known ones, and choose whether to count or collect next."""
        ends = np.cumsum(counts.counts)
        index = int(np.searchsorted(ends, self._rank, side="right"))
        digit, count = int(counts.digits[index]), int(counts.counts[index])
        self._rank -= int(ends[index - 1]) if index else 0
        self.max_collected = count  # in the next pass
        self._known, self._prefix = self._known + 1, self._prefix << BITS | digit
        self._collected: list[Floats] = []
        self._above = np.inf
        self._counts: Counts | None = None
        self._limit: int | None = None
        if self._known == 64 // BITS:  # all values are equal: two of them are enough
            self._rank, self._limit = 0, 1 if self._rank == count - 1 else 2
        elif count > MAX_COLLECTED:
            self._counts, self.max_collected = Counts.of(np.empty(0, np.int64)), 1 << BITS


def _ordered(values: Floats) -> npt.NDArray[np.uint64]:
    """Map doubles to integers of the same order: flip the sign bit, and for negative values all others too."""
    bits = np.ascontiguousarray(values + 0.0).view(np.uint64)
    return np.where(bits & SIGN, ~bits, bits | SIGN)

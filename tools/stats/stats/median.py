"""Exact medians of many values in bounded memory, by radix selection.

Doubles are mapped to 64-bit integers of the same order and looked at 16 bits at a time. Counting a digit's values tells
which of them the median has; once few enough values share the digits known so far, they are gathered and sorted. Most
columns take one pass after the first count, none more than four.
"""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from itertools import accumulate

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Numbers = npt.NDArray[np.int64]

BITS = 16
FEW = 1 << 18  # values to gather: 2 MB a column
GATHERED = 1 << 23  # values in memory at a time, of all columns: 64 MB
SIGN = np.uint64(1 << 63)


@dataclasses.dataclass(frozen=True, eq=False)
class Counts:
    """How many values have which digit. Those that none has are left out: there may be many columns."""

    digits: Numbers
    counts: Numbers

    @classmethod
    def of(cls, digits: Numbers) -> "Counts":
        if len(digits) < 1 << BITS >> 4:
            return cls(*np.unique(digits, return_counts=True))
        counts = np.bincount(digits)
        found = np.flatnonzero(counts)
        return cls(found, counts[found])

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    def __add__(self, other: "Counts") -> "Counts":
        if not len(self.digits):
            return other
        digits, place = np.unique(np.concatenate((self.digits, other.digits)), return_inverse=True)
        counts = np.zeros(len(digits), np.int64)
        np.add.at(counts, place, np.concatenate((self.counts, other.counts)))
        return Counts(digits, counts)


def count_digits(values: Floats, known: int = 0, prefix: int = 0) -> Counts:
    """Count the values by the digit after the first ``known`` ones, which must be ``prefix``."""
    digits = _ordered(values) >> np.uint64(64 - BITS * (known + 1))
    if known:
        digits = digits[digits >> np.uint64(BITS) == prefix]
    return Counts.of((digits & np.uint64((1 << BITS) - 1)).astype(np.int64))


def medians(
    digits: Mapping[str, Counts], again: Callable[[list[str]], Iterable[tuple[str, Floats]]]
) -> dict[str, float]:
    """Return the median of each column, given the counts of its first digits (an empty column has none).

    ``again`` reads the named columns once more, in any number of pieces.
    """
    searches = {name: _Search(counts) for name, counts in digits.items() if counts.total}
    while left := _together({name: search for name, search in searches.items() if search.median is None}):
        for name, values in again(left):
            searches[name].add(values)
        for name in left:
            searches[name].end_pass()
    return {name: search.median for name, search in searches.items() if search.median is not None}


def _together(searches: Mapping[str, "_Search"]) -> list[str]:
    """Return the first columns whose values can be gathered at once, at least one of those that there are."""
    sizes = accumulate(search.gathered for search in searches.values())
    return [
        name for name, size in zip(searches, sizes, strict=True) if size <= GATHERED or name == next(iter(searches))
    ]


class _Search:
    """The search for the middle value, or the middle two, of one column."""

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
        self._inside.append(values[leading == self._prefix][: self._keep])
        if (leading > self._prefix).any():
            self._above = min(self._above, float(values[leading > self._prefix].min()))

    def end_pass(self) -> None:
        if self._counts is not None:
            self._narrow(self._counts)
            return
        inside = np.append(np.sort(np.concatenate(self._inside)[: self._keep]), self._above)
        lower = float(inside[self._rank])
        self.median = (lower + float(inside[self._rank + 1])) / 2 if self._even else lower

    def _narrow(self, counts: Counts) -> None:
        """Add the digit that holds the rank to the known ones, and decide what the next pass does."""
        below = np.cumsum(counts.counts)
        place = int(np.searchsorted(below, self._rank, side="right"))
        digit, count = int(counts.digits[place]), int(counts.counts[place])
        self._rank -= int(below[place - 1]) if place else 0
        self.gathered = count  # values at most that the next pass keeps
        self._known, self._prefix = self._known + 1, self._prefix << BITS | digit
        self._inside: list[Floats] = []
        self._above = np.inf
        self._counts: Counts | None = None
        self._keep: int | None = None
        if self._known == 64 // BITS:  # all values inside are equal: two of them tell as much as all
            self._rank, self._keep = 0, 1 if self._rank == count - 1 else 2
        elif count > FEW:
            self._counts, self.gathered = Counts.of(np.empty(0, np.int64)), 1 << BITS


def _ordered(values: Floats) -> npt.NDArray[np.uint64]:
    """Map doubles to integers of the same order: flip the sign bit, and for negative values all others too."""
    bits = np.ascontiguousarray(values + 0.0).view(np.uint64)
    return np.where(bits & SIGN, ~bits, bits | SIGN)

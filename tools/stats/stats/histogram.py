"""Exact figures of whole numbers, from how often each occurs."""

import math

import numpy as np
import numpy.typing as npt


class Histogram:
    """Counts of whole numbers from 0: mean, spread, extremes and median, in whole-number arithmetic to the end."""

    def __init__(self) -> None:
        self._counts = np.zeros(1, np.int64)

    def add(self, values: npt.NDArray[np.integer]) -> None:
        """Count some values, none of them negative."""
        counts = np.bincount(values, minlength=len(self._counts))
        counts[: len(self._counts)] += self._counts
        self._counts = counts

    def merge(self, other: "Histogram") -> None:
        """Add what another has counted."""
        longer, shorter = sorted((self._counts, other._counts), key=len, reverse=True)
        self._counts = longer.copy()
        self._counts[: len(shorter)] += shorter

    @property
    def count(self) -> int:
        return int(self._counts.sum())

    @property
    def mean(self) -> float | None:
        return self._sum(1) / self.count if self.count else None

    def std(self, ddof: int) -> float | None:
        """Return the standard deviation, with ``ddof`` degrees of freedom less than values; None for too few."""
        count = self.count
        if count <= ddof:
            return None
        return math.sqrt((count * self._sum(2) - self._sum(1) ** 2) / (count * (count - ddof)))

    @property
    def min(self) -> int | None:
        return int(np.flatnonzero(self._counts)[0]) if self.count else None

    @property
    def max(self) -> int | None:
        return int(np.flatnonzero(self._counts)[-1]) if self.count else None

    @property
    def median(self) -> float | None:
        if not self.count:
            return None
        below = np.cumsum(self._counts)
        middle = [np.searchsorted(below, rank, side="right") for rank in ((self.count - 1) // 2, self.count // 2)]
        return int(sum(middle)) / 2

    def _sum(self, power: int) -> int:
        return sum(int(self._counts[value]) * int(value) ** power for value in np.flatnonzero(self._counts))

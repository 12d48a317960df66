"""Exact statistics of integers, from their counts."""

import math

import numpy as np
import numpy.typing as npt


class Histogram:
    """Counts of non-negative integers; mean, std, min, max and median in exact integer arithmetic."""

    def __init__(self) -> None:
        self._counts = np.zeros(1, np.int64)

    def add(self, values: npt.NDArray[np.integer]) -> None:
        """Count values, none of them negative."""
        counts = np.bincount(values, minlength=len(self._counts))
        counts[: len(self._counts)] += self._counts
        self._counts = counts

    def merge(self, other: "Histogram") -> None:
        """Add the counts of another histogram."""
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
        """Return the standard deviation with ``ddof`` delta degrees of freedom; None for too few values."""
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
        ends = np.cumsum(self._counts)
        middle = [np.searchsorted(ends, rank, side="right") for rank in ((self.count - 1) // 2, self.count // 2)]
        return int(sum(middle)) / 2

    def _sum(self, power: int) -> int:
        return sum(int(self._counts[value]) * int(value) ** power for value in np.flatnonzero(self._counts))

"""Count, mean, std, min and max of a numeric column, from batches, in constant memory."""

import math

import numpy as np

from stats.median import Floats, count_digits


class Moments:
    """Running count, mean, sum of squared deviations, min and max, and the counts of digits for the median.

    Batches are merged after Chan, Golub and LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing Sample
    Variances" (1979).
    """

    def __init__(self) -> None:
        self.count = self.missing = 0
        self.mean = self.squares = 0.0
        self.min, self.max = math.inf, -math.inf
        self.digits = count_digits(np.empty(0))

    def add(self, values: Floats, missing: int = 0) -> None:
        """Add the finite values of a batch; ``missing`` is the number of others."""
        self.missing += missing
        if not len(values):
            return
        with np.errstate(over="ignore", invalid="ignore"):  # an overflow is reported as null
            mean, count = values.mean(), len(values)
            delta, total = mean - self.mean, self.count + count
            self.squares += float(np.square(values - mean).sum() + np.square(delta) * self.count * count / total)
            self.mean += float(delta * count / total)
        self.count = total
        self.min, self.max = min(self.min, float(values.min())), max(self.max, float(values.max()))
        self.digits += count_digits(values)

    @property
    def std(self) -> float | None:
        """The sample standard deviation (ddof = 1, as in pandas), or None for fewer than two values."""
        return math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else None

    @property
    def sum(self) -> float:
        """The sum of the values, 0 if there are none."""
        return self.mean * self.count

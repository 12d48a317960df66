"""Measure one column, from batches: missing values, statistics, range, value counts, formats of media."""

from collections import Counter
from collections.abc import Collection
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import UsageError

from stats.measures import Range, is_number, measure_names, measured
from stats.media import SIZE
from stats.median import Floats
from stats.moments import Moments
from stats.report import rounded

MAX_DISTINCT = 10_000  # values of a distribution


class ColumnFigures:
    """Running figures of a column; ``numbers`` are by measure: the column's name, or ``name.part``.

    ``media`` is ``image``, ``audio`` or empty. A column whose measures have the names of other columns, ``names``, has
    no numbers.
    """

    def __init__(self, field: pa.Field, media: str, is_counted: bool, names: Collection[str]) -> None:
        self.name, self._media = field.name, media
        measures = measure_names(field.name, field.type, media)
        is_clear = measures == [field.name] or not any(measure in names for measure in measures)
        self.numbers = {measure: Moments() for measure in measures} if is_clear else {}
        self.range = Range(field.type) if Range.suits(field.type) else None
        self.counts = Counter[Any]() if is_counted else None
        self.formats = Counter[str]()
        self.missing = 0
        self._is_number = is_number(field.type)

    def add(self, column: pa.Array) -> dict[str, Floats]:
        """Add a batch; return the values of measures other than the column itself.

        Raises UsageError for too many distinct values to count.
        """
        self.missing += column.null_count
        if self.range:
            self.range.add(column)
        if self.counts is not None:
            _count(self.counts, column, self.name)
        if not self.numbers:
            return {}
        values = dict(zip(self.numbers, measured(column, self._media, self.formats), strict=True))
        for measure, of_measure in values.items():
            self.numbers[measure].add(of_measure, len(column) - len(of_measure))
        return {measure: of_measure for measure, of_measure in values.items() if measure != self.name}

    @property
    def not_finite(self) -> int:
        """The number of NaN and infinite values."""
        return self.numbers[self.name].missing - self.missing if self._is_number else 0

    def statistics(self, medians: dict[str, float]) -> dict[str, dict[str, float | None]]:
        """Return the statistics by measure, given the medians; of times there is a range only, as text."""
        measures = {} if self.range and not self._is_number else self.numbers
        return {
            measure: {
                **_statistics(moments, medians.get(measure)),
                **({"sum": rounded(moments.sum)} if measure == f"{self.name}.{SIZE}" else {}),
            }
            for measure, moments in measures.items()
        }


def _statistics(moments: Moments, median: float | None) -> dict[str, float | None]:
    has_values = moments.count > 0
    return {
        "mean": rounded(moments.mean) if has_values else None,
        "std": rounded(moments.std),
        "min": rounded(moments.min) if has_values else None,
        "max": rounded(moments.max) if has_values else None,
        "median": rounded(median),
    }


def _count(counter: Counter[Any], column: pa.Array, name: str) -> None:
    pairs = pc.value_counts(column.filter(pc.invert(pc.is_null(column, nan_is_null=True))))
    for value, count in zip(pairs.field("values").to_pylist(), pairs.field("counts").to_pylist(), strict=True):
        counter[value] += count
    if len(counter) > MAX_DISTINCT:
        raise UsageError(
            "stats.distributions", f"{name} has more than {MAX_DISTINCT} distinct values", "remove it from the list"
        )

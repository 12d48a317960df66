"""Measure one table: statistics of numeric columns, value counts, missing values."""

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import UsageError
from stage.progress import progress

from stats.median import Floats, medians
from stats.moments import Moments
from stats.report import rounded
from stats.table_input import column_groups, read_table

MAX_DISTINCT = 10_000  # values of a distribution


@dataclasses.dataclass(frozen=True)
class TableFigures:
    """The number of rows of a table and, by column: its statistics, value counts, and number of missing values."""

    rows: int
    statistics: dict[str, dict[str, float | None]]
    counts: dict[str, Counter[Any]]
    missing: Counter[str]
    not_finite: dict[str, int]

    def distributions(self) -> dict[str, dict[str, int]]:
        """Return the value counts, sorted by value."""
        return {
            name: {str(value): counter[value] for value in sorted(counter)} for name, counter in self.counts.items()
        }

    def warnings(self) -> Iterator[str]:
        """Yield warnings about the figures, at least one for each that is null."""
        for name, count in self.missing.items():
            if count == self.rows:
                yield f"{name} has no value"
        for name, statistics in self.statistics.items():
            if not_finite := self.not_finite[name]:
                yield f"{name} has {not_finite} values that are not finite; its statistics leave them out"
            if missing_keys := [key for key, value in statistics.items() if value is None]:
                yield f"{name} has no {', '.join(missing_keys)}"
        for name, counter in self.counts.items():
            if len(counter) == 1:
                yield f"{name} has one value only"


def measure_table(table: Path, schema: pa.Schema, counted: Sequence[str], rows: int) -> TableFigures:
    """Return the figures of a table, in one pass over it and at least one for medians.

    ``counted`` are the columns whose values are counted, ``rows`` is the expected number of rows, for the progress.
    Wide Parquet tables are read some columns at a time.

    Raises CorruptFile, SchemaMismatch, or UsageError for a column with too many distinct values to count.
    """
    numbers = {field.name: Moments() for field in schema if _is_number(field.type)}
    counts: dict[str, Counter[Any]] = {name: Counter() for name in counted}
    missing: Counter[str] = Counter()
    groups, read = column_groups(table, schema.names), 0
    for names in groups:
        read = 0
        for batch in _with_progress(read_table(table, schema, names if len(groups) > 1 else None), table, rows):
            read += batch.num_rows
            for name in names:
                column = batch[name]
                missing[name] += column.null_count
                if name in numbers:
                    values = _finite(column)
                    numbers[name].add(values, len(column) - len(values))
                if name in counts:
                    _count(counts[name], column, name)
    not_finite = {name: moments.missing - missing[name] for name, moments in numbers.items()}
    return TableFigures(read, _statistics(numbers, table, schema, read) if read else {}, counts, missing, not_finite)


def _with_progress(batches: Iterator[pa.RecordBatch], table: Path, rows: int) -> Iterator[pa.RecordBatch]:
    with progress(f"measuring {table.name}", rows, "rows") as advance:
        for batch in batches:
            yield batch
            advance(batch.num_rows)


def _statistics(
    numbers: dict[str, Moments], table: Path, schema: pa.Schema, rows: int
) -> dict[str, dict[str, float | None]]:
    def read(names: list[str]) -> Iterator[tuple[str, Floats]]:
        for group in column_groups(table, names):
            for batch in _with_progress(read_table(table, schema, group), table, rows):
                yield from ((name, _finite(batch[name])) for name in group)

    median_of = medians({name: moments.digits for name, moments in numbers.items()}, read)
    return {
        name: {
            "mean": rounded(moments.mean) if moments.count else None,
            "std": rounded(moments.std),
            "min": rounded(moments.min) if moments.count else None,
            "max": rounded(moments.max) if moments.count else None,
            "median": rounded(median_of.get(name)),
        }
        for name, moments in numbers.items()
    }


def _count(counter: Counter[Any], column: pa.Array, name: str) -> None:
    pairs = pc.value_counts(column.filter(pc.invert(pc.is_null(column, nan_is_null=True))))
    for value, count in zip(pairs.field("values").to_pylist(), pairs.field("counts").to_pylist(), strict=True):
        counter[value] += count
    if len(counter) > MAX_DISTINCT:
        raise UsageError(
            "stats.distributions", f"{name} has more than {MAX_DISTINCT} distinct values", "remove it from the list"
        )


def _finite(column: pa.Array) -> Floats:
    values = column.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    finite: Floats = values[np.isfinite(values)]
    return finite


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))

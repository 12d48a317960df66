"""Measure one table: the figures of its columns, in as few passes as medians need."""

import dataclasses
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import pyarrow as pa
from stage.progress import progress

from stats.column_figures import ColumnFigures
from stats.measures import finite
from stats.media import MEDIA, UNKNOWN
from stats.median import Floats, medians
from stats.settings import Dataset
from stats.table_input import column_groups, read_table

MAX_IN_MEMORY = 1 << 22  # bytes of lengths and sizes


@dataclasses.dataclass(frozen=True)
class TableFigures:
    """The number of rows of a table and, by column: value counts, missing values, ranges, formats of media.

    Statistics are by measure: a column of numbers, or ``name.part`` of another column.
    """

    rows: int
    statistics: dict[str, dict[str, float | None]]
    counts: dict[str, Counter[Any]]
    missing: dict[str, int]
    not_finite: dict[str, int]
    ranges: dict[str, dict[str, str | None]]
    formats: dict[str, Counter[str]]

    def totals(self, num_features: int) -> dict[str, Any]:
        """Return what metadata.json says of a table, or of a split, beside its statistics."""
        return {
            "num_samples": self.rows,
            "num_features": num_features,
            **{f"{name}.format_distribution": dict(sorted(counter.items())) for name, counter in self.formats.items()},
            **{f"{name}_distribution": counts for name, counts in self.distributions().items()},
            **({"ranges": self.ranges} if self.ranges else {}),
        }

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
            if not_finite := self.not_finite.get(name):
                yield f"{name} has {not_finite} values that are not finite; its statistics leave them out"
            if missing_keys := [key for key, value in statistics.items() if value is None]:
                yield f"{name} has no {', '.join(missing_keys)}"
        for name, counter in self.counts.items():
            if len(counter) == 1:
                yield f"{name} has one value only"
        for name, counter in self.formats.items():
            if unknown := counter[UNKNOWN]:
                yield f"{name} has {unknown} files of unknown format; its statistics besides bytes leave them out"


def measure_table(table: Path, dataset: Dataset, counted: Sequence[str], rows: int, folder: Path) -> TableFigures:
    """Return the figures of a table, in one pass over it and at least one for medians of numbers and times.

    ``counted`` are the columns whose values are counted, besides booleans; ``rows`` is the expected number of rows, for
    the progress. Wide Parquet tables are read some columns at a time. Lengths and sizes, of which the median is found
    without another pass, are in an unnamed file in ``folder``, 8 bytes each.

    Raises CorruptFile, SchemaMismatch, or UsageError for a column with too many distinct values to count.
    """
    schema = dataset.schema()
    counted = list(dict.fromkeys([*counted, *(field.name for field in schema if pa.types.is_boolean(field.type))]))
    media = {column.name: column.type for column in dataset.columns if column.type in MEDIA}
    columns = {
        field.name: ColumnFigures(field, media.get(field.name, ""), field.name in counted, schema.names)
        for field in schema
    }
    groups, read = column_groups(table, schema.names), 0
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.SpooledTemporaryFile(MAX_IN_MEMORY, dir=str(folder)) as file:
        values = _Values(file)
        for names in groups:
            read = 0
            for batch in _with_progress(read_table(table, schema, names if len(groups) > 1 else None), table, rows):
                read += batch.num_rows
                for name in names:
                    values.add(columns[name].add(batch[name]))
        median_of = _medians(columns.values(), values, table, schema, read)
    return TableFigures(
        read,
        {name: row for column in columns.values() for name, row in column.statistics(median_of).items() if read},
        {name: counts for name in counted if (counts := columns[name].counts) is not None},
        {name: column.missing for name, column in columns.items()},
        {name: column.not_finite for name, column in columns.items()},
        {name: column.range.texts(median_of.get(name)) for name, column in columns.items() if column.range},
        {name: columns[name].formats for name in media},
    )


def _with_progress(batches: Iterator[pa.RecordBatch], table: Path, rows: int) -> Iterator[pa.RecordBatch]:
    with progress(f"measuring {table.name}", rows, "rows") as advance:
        for batch in batches:
            yield batch
            advance(batch.num_rows)


def _medians(
    columns: Iterable[ColumnFigures], values: "_Values", table: Path, schema: pa.Schema, rows: int
) -> dict[str, float]:
    def read(names: list[str]) -> Iterator[tuple[str, Floats]]:
        yield from values.read(names)
        for group in column_groups(table, [name for name in names if name in schema.names]):
            for batch in _with_progress(read_table(table, schema, group), table, rows):
                yield from ((name, finite(batch[name])) for name in group)

    digits = {name: moments.digits for column in columns for name, moments in column.numbers.items()}
    return medians(digits, read)


class _Values:
    """Numbers by name, in a file."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._parts: list[tuple[str, int, int]] = []  # name, position and number

    def add(self, values: Mapping[str, Floats]) -> None:
        for name, numbers in values.items():
            self._parts.append((name, self._file.tell(), len(numbers)))
            self._file.write(numbers.tobytes())

    def read(self, names: Sequence[str]) -> Iterator[tuple[str, Floats]]:
        """Yield the numbers of some names, in the parts in which they were added."""
        wanted = {*names}
        for name, position, count in self._parts:
            if name in wanted:
                self._file.seek(position)
                yield name, np.frombuffer(self._file.read(8 * count), np.float64)

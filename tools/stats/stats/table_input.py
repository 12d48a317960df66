"""Read a processed table, CSV or Parquet, in batches of the declared types."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from stage.errors import CorruptFile, SchemaMismatch

from stats.checked import CORRUPT, first_of, named

ROWS = 1 << 16
COLUMNS = 128  # of a Parquet file that are read at once
VALUES = COLUMNS * ROWS  # of a batch: fewer rows where there are more columns
ITEMS = 1 << 25  # of the lists of a batch, whatever shape is declared
BLOCK = 1 << 22  # bytes of CSV read at once: no row may be longer


def read_table(table: Path, schema: pa.Schema, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the table in batches.

    Raises CorruptFile, with the row group, where the file cannot be read or a page fails its checksum, and
    SchemaMismatch where its columns are not those of the schema.
    """
    if table.suffix == ".csv":
        yield from _read_csv(table, schema, columns)
    else:
        yield from read_parquet(table, schema, columns)


def _read_csv(table: Path, schema: pa.Schema, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    types = dict(zip(schema.names, schema.types, strict=True))
    try:
        with pa_csv.open_csv(
            table,
            read_options=pa_csv.ReadOptions(block_size=BLOCK),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(column_types=types, include_columns=columns, null_values=[""]),
        ) as reader:
            if reader.schema.names != (columns or schema.names):
                raise _other_columns(table, reader.schema.names, schema.names)
            yield from reader
    except CORRUPT as error:
        raise CorruptFile(table, str(error), "run the parquetizer again") from error


def read_parquet(
    table: Path,
    schema: pa.Schema,
    columns: list[str] | None = None,
    rows: int = ROWS,
    groups: Iterable[int] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield a Parquet file, or some row groups of it, in batches of at most ``rows``; raises as ``read_table`` does."""
    group = 0
    try:
        with pq.ParquetFile(table, page_checksum_verification=True, pre_buffer=False) as file:  # it would keep all
            if not file.schema_arrow.equals(schema):  # not by their texts: Parquet calls the items of lists elements
                raise _other_columns(table, named(file.schema_arrow), named(schema))
            rows = min(rows, max(1, VALUES // max(1, len(columns or schema.names))))
            for group in range(file.num_row_groups) if groups is None else groups:
                most = rows if columns else _rows(file.metadata.row_group(group), rows)
                for batch in file.iter_batches(most, row_groups=[group], columns=columns):
                    batch.validate(full=True)  # Parquet does not look whether a text is UTF-8
                    yield batch
    except CORRUPT as error:
        raise CorruptFile(f"{table} row group {group}", str(error), "run the parquetizer again") from error


def _rows(group: pq.RowGroupMetaData, rows: int) -> int:
    """Return how many rows may be read at once, by how many items all lists of a row group have."""
    items = sum(group.column(number).num_values for number in range(group.num_columns))
    return int(min(rows, max(1, ITEMS * group.num_rows // max(1, items))))


def column_groups(table: Path, names: list[str]) -> list[list[str]]:
    """Return the columns that are read in one pass: Parquet is read by column, and takes room for each.

    Of a CSV file every pass reads all.
    """
    together = len(names) if table.suffix == ".csv" else COLUMNS
    return [names[first : first + together] for first in range(0, len(names), together)]


def count_row_groups(table: Path) -> int:
    """Return how many row groups a Parquet file has. Raises CorruptFile where that cannot be read."""
    try:
        with pq.ParquetFile(table) as file:
            return int(file.num_row_groups)
    except CORRUPT as error:
        raise CorruptFile(f"{table} row group 0", str(error), "run the parquetizer again") from error


def _other_columns(table: Path, found: list[Any], wanted: list[Any]) -> SchemaMismatch:
    return SchemaMismatch(
        table, f"its columns are {first_of(found)}, its manifest's {first_of(wanted)}", "run the parquetizer again"
    )

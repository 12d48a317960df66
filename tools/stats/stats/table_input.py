"""Read a processed table, CSV or Parquet, in batches of the declared types."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from stage.errors import CorruptFile, SchemaMismatch

from stats.manifests import CORRUPT, RERUN, names_and_types, shortened

MAX_ROWS = 1 << 16  # per batch
MAX_COLUMNS = 128  # of a Parquet file per pass
MAX_VALUES = MAX_COLUMNS * MAX_ROWS  # per batch: fewer rows if there are more columns
MAX_ITEMS = 1 << 25  # of the lists in a batch
MAX_BYTES = 1 << 23  # of a batch, of files for instance
BLOCK = 1 << 22  # bytes of CSV that are read at once; a row cannot be longer


def read_table(table: Path, schema: pa.Schema, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the table in batches.

    Raises CorruptFile, with the row group, if the file cannot be read or a page has a wrong checksum, and
    SchemaMismatch if its columns differ from the schema.
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
                raise _column_mismatch(table, reader.schema.names, schema.names)
            yield from reader
    except CORRUPT as error:
        raise CorruptFile(table, str(error), RERUN) from error


def read_parquet(
    table: Path,
    schema: pa.Schema,
    columns: list[str] | None = None,
    rows: int = MAX_ROWS,
    groups: Iterable[int] | None = None,
) -> Iterator[pa.RecordBatch]:
    """Yield a Parquet file, or some row groups of it, in batches of at most ``rows``; raises as ``read_table`` does."""
    group = 0
    try:
        with pq.ParquetFile(table, page_checksum_verification=True, pre_buffer=False) as file:  # buffers all
            needs_cast = not file.schema_arrow.equals(schema)  # not compared as text: Parquet names list items element
            if needs_cast and not file.schema_arrow.equals(_stored(schema)):
                raise _column_mismatch(table, names_and_types(file.schema_arrow), names_and_types(schema))
            rows = min(rows, max(1, MAX_VALUES // max(1, len(columns or schema.names))))
            for group in range(file.num_row_groups) if groups is None else groups:
                batch_rows = rows if columns else _batch_rows(file.metadata.row_group(group), rows)
                for batch in file.iter_batches(batch_rows, row_groups=[group], columns=columns):
                    batch.validate(full=True)  # reading Parquet does not check for UTF-8
                    yield batch.cast(pa.schema(map(schema.field, batch.schema.names))) if needs_cast else batch
    except CORRUPT as error:
        raise CorruptFile(f"{table} row group {group}", str(error), RERUN) from error


def _batch_rows(group: pq.RowGroupMetaData, rows: int) -> int:
    """Return the number of rows to read at once, by the items of lists and the bytes of a row group."""
    items = sum(group.column(number).num_values for number in range(group.num_columns))
    share = min(MAX_ITEMS / max(1, items), MAX_BYTES / max(1, group.total_byte_size))  # of the row group
    return min(rows, max(1, int(share * group.num_rows)))


def _stored(schema: pa.Schema) -> pa.Schema:
    """Return a schema as Parquet stores it: times and timestamps in seconds become milliseconds."""
    file = pa.BufferOutputStream()
    pq.write_table(schema.empty_table(), file)
    return pq.read_schema(pa.BufferReader(file.getvalue()))


def column_groups(table: Path, names: list[str]) -> list[list[str]]:
    """Return the columns to read in each pass: all of a CSV file, some of a Parquet file, to bound its memory."""
    together = max(1, len(names)) if table.suffix == ".csv" else MAX_COLUMNS
    return [names[first : first + together] for first in range(0, len(names), together)]


def count_row_groups(table: Path) -> int:
    """Return the number of row groups of a Parquet file. Raises CorruptFile."""
    try:
        with pq.ParquetFile(table) as file:
            return int(file.num_row_groups)
    except CORRUPT as error:
        raise CorruptFile(f"{table} row group 0", str(error), RERUN) from error


def _column_mismatch(table: Path, actual: list[Any], expected: list[Any]) -> SchemaMismatch:
    what = f"expected columns {shortened(expected)} as in the manifest, got {shortened(actual)}"
    return SchemaMismatch(table, what, RERUN)

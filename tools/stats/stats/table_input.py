"""Read a processed table, CSV or Parquet, in batches of the types that its manifest declares."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from samples import Manifest
from stage.errors import CorruptFile, SchemaMismatch

from stats.checked import CORRUPT, named

ROWS = 1 << 16
BLOCK = 1 << 22  # bytes of CSV read at once: no row may be longer


def read_table(table: Path, manifest: Manifest, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the table in batches.

    Raises CorruptFile, with the row group, where the file cannot be read or a page fails its checksum, and
    SchemaMismatch where its columns are not those of the manifest.
    """
    if table.suffix == ".csv":
        yield from _read_csv(table, manifest, columns)
    else:
        yield from read_parquet(table, manifest, columns)


def _read_csv(table: Path, manifest: Manifest, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    types = {name: pa.type_for_alias(kind) for name, kind in manifest.columns}
    try:
        with pa_csv.open_csv(
            table,
            read_options=pa_csv.ReadOptions(block_size=BLOCK),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(column_types=types, include_columns=columns, null_values=[""]),
        ) as reader:
            _check_columns(table, reader.schema.names, columns or list(types))
            yield from reader
    except CORRUPT as error:
        raise CorruptFile(table, str(error), "run the parquetizer again") from error


def read_parquet(
    table: Path, manifest: Manifest, columns: list[str] | None = None, rows: int = ROWS
) -> Iterator[pa.RecordBatch]:
    """Yield a Parquet file in batches of at most ``rows``; raises as ``read_table`` does."""
    group = 0
    try:
        with pq.ParquetFile(table, page_checksum_verification=True) as file:
            _check_columns(table, named(file.schema_arrow), manifest.columns)
            for group in range(file.num_row_groups):
                for batch in file.iter_batches(rows, row_groups=[group], columns=columns):
                    batch.validate(full=True)  # Parquet does not look whether a text is UTF-8
                    yield batch
    except CORRUPT as error:
        raise CorruptFile(f"{table} row group {group}", str(error), "run the parquetizer again") from error


def _check_columns(table: Path, found: list[Any], wanted: list[Any]) -> None:
    if found != wanted:
        raise SchemaMismatch(table, f"its columns are {found}, its manifest's {wanted}", "run the parquetizer again")

"""Read a processed table, CSV or Parquet, in batches of the types that its manifest declares."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from samples import Manifest
from stage.errors import CorruptFile

from stats.checked import CORRUPT

ROWS = 1 << 16
BLOCK = 1 << 22  # bytes of CSV read at once: no row may be longer


def read_table(table: Path, manifest: Manifest, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the table in batches.

    Raises CorruptFile, with the row group, where the file cannot be read or a page fails its checksum.
    """
    if table.suffix == ".csv":
        yield from _read_csv(table, manifest, columns)
    else:
        yield from read_parquet(table, columns)


def _read_csv(table: Path, manifest: Manifest, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    types = {name: pa.type_for_alias(kind) for name, kind in manifest.columns}
    try:
        yield from pa_csv.open_csv(
            table,
            read_options=pa_csv.ReadOptions(block_size=BLOCK),
            parse_options=pa_csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=types, include_columns=columns or list(types), null_values=[""]
            ),
        )
    except pa.ArrowInvalid as error:
        raise CorruptFile(table, str(error), "run the parquetizer again") from error


def read_parquet(table: Path, columns: list[str] | None = None, rows: int = ROWS) -> Iterator[pa.RecordBatch]:
    """Yield a Parquet file in batches of at most ``rows``; raise CorruptFile, with the row group, as ``read_table``."""
    group = 0
    try:
        with pq.ParquetFile(table, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                yield from file.iter_batches(rows, row_groups=[group], columns=columns)
    except CORRUPT as error:
        raise CorruptFile(f"{table} row group {group}", str(error), "run the parquetizer again") from error

"""Read a processed table, CSV or Parquet, in batches of the types that its manifest declares."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from samples import Manifest, read_manifest
from stage.errors import ChecksumMismatch, CorruptFile, InputMissing

ROWS = 1 << 16
BLOCK = 1 << 22  # bytes of CSV read at once: no row may be longer
CORRUPT = (OSError, ValueError, KeyError, pa.ArrowException)  # what a broken Parquet file makes pyarrow raise


def checked_manifest(samples: Path, table: Path) -> Manifest:
    """Read the manifest of ``table``, and make sure that it is of these very bytes.

    Raises InputMissing, CorruptFile, or ChecksumMismatch where the two do not belong together.
    """
    for path in (samples, table):
        if not path.is_file():
            raise InputMissing(path, "no such file", "run the parquetizer")
    try:
        manifest = read_manifest(samples)
    except CORRUPT as error:
        raise CorruptFile(samples, f"not a whole manifest: {error}", "run the parquetizer again") from error
    with table.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != manifest.files.get(table.as_posix()):
        raise ChecksumMismatch(table, f"is not the file that {samples} describes", "run the parquetizer again")
    return manifest


def read_table(table: Path, manifest: Manifest, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Yield the table in batches.

    Raises CorruptFile, with the row group, where the file cannot be read or a page fails its checksum.
    """
    if table.suffix == ".csv":
        yield from _read_csv(table, manifest, columns)
    else:
        yield from _read_parquet(table, columns)


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


def _read_parquet(table: Path, columns: list[str] | None) -> Iterator[pa.RecordBatch]:
    group = 0
    try:
        with pq.ParquetFile(table, page_checksum_verification=True) as file:
            for group in range(file.num_row_groups):
                yield from file.iter_batches(ROWS, row_groups=[group], columns=columns)
    except CORRUPT as error:
        raise CorruptFile(f"{table} row group {group}", str(error), "run the parquetizer again") from error

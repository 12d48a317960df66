"""Read a CSV file as Arrow batches of declared types, and reject everything that does not match them."""

import csv
import io
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from stage.errors import BadRows, EmptyInput, SchemaMismatch
from stage.progress import progress
from stage.redaction import listed

from parquetizer.checked_bytes import CheckedBytes
from parquetizer.csv_diagnosis import field_size_limit, first_bad_row
from parquetizer.file_kinds import kind_error
from parquetizer.table_settings import TableSettings

NO_ROWS: Final = ("no rows after the header", "check that the source sent the whole file")
DELIMITERS: Final = {",": ",", ";": ";", "\t": "\\t", "|": "|", ":": ":", " ": " "}  # and as written in YAML
MAX_NAME: Final = 1 << 12  # characters of a column name


def read_csv(path: Path, schema: pa.Schema, settings: TableSettings) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a CSV file in batches of the given schema, in file order.

    Raises BadRows (with the line, or with the kind of the file if it is not CSV), SchemaMismatch if the header does not
    match the schema, EmptyInput without rows.
    """
    try:
        yield from _read(path, schema, settings)
    except (BadRows, SchemaMismatch) as error:
        raise kind_error(path, error, settings.encoding) from error


def _read(path: Path, schema: pa.Schema, settings: TableSettings) -> Iterator[pa.RecordBatch]:
    rows = 0
    with (
        progress(f"reading {path.name}", path.stat().st_size, "bytes") as advance,
        CheckedBytes(path, settings.encoding, settings.quote, settings.multiline, advance) as source,
    ):
        _check_header(path, source.peek(settings.block_bytes), schema, settings)
        try:
            for batch in _reader(source, schema, settings):
                _check_values(batch, settings)
                rows += batch.num_rows
                yield batch
        except pa.ArrowInvalid as error:
            fallback = BadRows(path, str(error), "correct the file, or raise max-field-bytes")
            raise first_bad_row(path, schema, settings) or fallback from error
    if not rows:
        raise EmptyInput(path, *NO_ROWS)


def _reader(source: CheckedBytes, schema: pa.Schema, settings: TableSettings) -> pa_csv.CSVStreamingReader:
    return pa_csv.open_csv(
        pa.PythonFile(source, mode="r"),
        read_options=pa_csv.ReadOptions(block_size=settings.block_bytes),
        parse_options=pa_csv.ParseOptions(
            delimiter=settings.delimiter, quote_char=settings.quote, newlines_in_values=settings.multiline
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=schema,
            include_columns=schema.names,
            null_values=settings.null_values,
            strings_can_be_null=True,
            check_utf8=False,  # done by CheckedBytes
        ),
    )


def _check_values(batch: pa.RecordBatch, settings: TableSettings) -> None:
    """Raise ArrowInvalid for values that Arrow accepts and we do not; the diagnosis then finds the row."""
    for column in batch.columns:
        if pa.types.is_floating(column.type):
            if not pc.all(pc.is_finite(column), min_count=0).as_py():
                raise pa.ArrowInvalid("not a finite number")
        elif pa.types.is_string(column.type):
            longest = pc.max(pc.binary_length(column)).as_py() or 0
            if longest > settings.max_field_bytes:
                raise pa.ArrowInvalid("field too long")


def _check_header(path: Path, first: bytes, schema: pa.Schema, settings: TableSettings) -> None:
    where = f"{path}:1"
    text = io.StringIO(first.decode(), newline="")
    try:
        with field_size_limit(MAX_NAME):
            names = next(filter(None, csv.reader(text, delimiter=settings.delimiter, quotechar=settings.quote)), None)
    except csv.Error as error:
        raise BadRows(where, str(error), "correct the header") from error
    if names is None:
        raise EmptyInput(path, "the file is empty", "check that the source sent the whole file")
    declared, present = set(schema.names), Counter(names)
    if duplicates := sorted(name for name, count in present.items() if count > 1):
        raise SchemaMismatch(where, f"duplicate column {duplicates[0]!r:.80}", "correct the header")
    if missing := [name for name in schema.names if name not in present]:
        columns = listed([repr(name) for name in names])
        fix = _delimiter_fix(first, schema, settings) or "correct dataset.columns"
        raise SchemaMismatch(where, f"column {missing[0]!r:.80} not found in {columns}", fix)
    if extra := [name for name in names if name not in declared]:
        raise SchemaMismatch(where, f"unknown column {extra[0]!r:.80}", "add it to dataset.columns")
    if b"\n" not in first and b"\r" not in first:  # Arrow would raise another error
        raise EmptyInput(path, *NO_ROWS)


def _delimiter_fix(first: bytes, schema: pa.Schema, settings: TableSettings) -> str:
    """Return the fix if the header has the declared columns with another delimiter, else ""."""
    line = first.decode().lstrip("\r\n").splitlines()[0]
    for delimiter, written in DELIMITERS.items():
        if delimiter != settings.delimiter and delimiter in line:
            with suppress(csv.Error), field_size_limit(MAX_NAME):
                names = next(csv.reader([line], delimiter=delimiter, quotechar=settings.quote), [])
                if {*schema.names} <= {*names}:
                    return f'set delimiter: "{written}"'
    return ""

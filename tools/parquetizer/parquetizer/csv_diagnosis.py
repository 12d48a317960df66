"""Find the line of a CSV file that Arrow rejected: slow and exact, used only after an error."""

import csv
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
from stage.errors import BadRows

from parquetizer.table_settings import TableSettings

BOOLEANS = {*pa_csv.ConvertOptions().true_values, *pa_csv.ConvertOptions().false_values}


def first_bad_row(path: Path, schema: pa.Schema, settings: TableSettings) -> BadRows | None:
    """Return the error for the first row that does not match the schema, or None if all seem to match."""
    longest = field_size_limit(settings.max_field_bytes * 16)
    with longest, path.open(encoding=settings.encoding, newline="") as file:
        reader = csv.reader(file, delimiter=settings.delimiter, quotechar=settings.quote, strict=True)
        try:
            rows = filter(None, reader)
            types = {name: schema.field(name).type for name in next(rows)}
            for row in rows:
                if problem := _problem(row, types, settings):
                    return BadRows(f"{path}:{reader.line_num}", *problem)
        except csv.Error as error:
            return BadRows(f"{path}:{reader.line_num}", str(error), "correct the row")
        except UnicodeError:  # in bytes that Arrow did not reach
            return None
    return None


@contextmanager
def field_size_limit(size: int) -> Iterator[None]:
    """Let the csv module read fields of up to ``size`` characters; the setting of the process is restored."""
    before = csv.field_size_limit(size)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _problem(row: list[str], types: dict[str, pa.DataType], settings: TableSettings) -> tuple[str, str] | None:
    """Return what is wrong with a row, and the fix."""
    if len(row) != len(types):
        return f"expected {len(types)} fields, got {len(row)}", "correct the row, or quote fields with delimiters"
    for (name, kind), value in zip(types.items(), row, strict=True):
        if len(value.encode()) > settings.max_field_bytes:
            return f"{name} is longer than {settings.max_field_bytes} bytes", "raise max-field-bytes, or shorten it"
        if value not in settings.null_values and not _is_valid(value.strip(" \t"), kind):
            return f"{name}: expected {kind}, got {value!r:.80}", "correct the value, or add it to null-values"
    if not settings.multiline and any("\r" in value for value in row):  # Arrow may split the row there
        return "line break in a field", "set multiline: true"
    if len(settings.delimiter.join(row).encode()) >= settings.block_bytes:
        return f"the row is longer than {settings.block_bytes} bytes", "raise max-field-bytes to half its length"
    return None


def _is_valid(value: str, kind: pa.DataType) -> bool:
    """Say whether Arrow can read a string as a type, and as a finite number."""
    if pa.types.is_string(kind):
        return True
    if pa.types.is_boolean(kind):
        return value in BOOLEANS
    try:
        parsed = pa.scalar(value).cast(kind).as_py()
    except pa.ArrowInvalid:
        return False
    return not isinstance(parsed, float) or math.isfinite(parsed)

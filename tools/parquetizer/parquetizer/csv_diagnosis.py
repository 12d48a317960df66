"""Find the line of a CSV file that Arrow refused: slow and exact, used only once something is wrong."""

import csv
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
from stage.errors import BadRows

from parquetizer.table_settings import TableSettings

TRUTH = {*pa_csv.ConvertOptions().true_values, *pa_csv.ConvertOptions().false_values}


def first_bad_row(path: Path, schema: pa.Schema, settings: TableSettings) -> BadRows | None:
    """Return the error for the first row that does not fit the schema, or None if all seem to fit."""
    longest = field_size_limit(settings.max_field_bytes * 16)
    with longest, path.open(encoding=settings.encoding, newline="") as file:
        reader = csv.reader(file, delimiter=settings.delimiter, quotechar=settings.quote, strict=True)
        try:
            rows = filter(None, reader)
            kinds = {name: schema.field(name).type for name in next(rows)}
            for row in rows:
                if trouble := _trouble(row, kinds, settings):
                    return BadRows(f"{path}:{reader.line_num}", *trouble)
        except csv.Error as error:
            return BadRows(f"{path}:{reader.line_num}", str(error), "correct the row")
        except UnicodeError:  # in bytes that were not reached the first time
            return None
    return None


@contextmanager
def field_size_limit(most: int) -> Iterator[None]:
    """Let the csv module read fields of so many characters: a setting of the whole process, put back afterwards."""
    before = csv.field_size_limit(most)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _trouble(row: list[str], kinds: dict[str, pa.DataType], settings: TableSettings) -> tuple[str, str] | None:
    """Return what is wrong with a row, and the cure."""
    if len(row) != len(kinds):
        return (
            f"{len(row)} fields where the header has {len(kinds)}",
            "correct the row, or quote fields with delimiters",
        )
    for (name, kind), value in zip(kinds.items(), row, strict=True):
        if len(value.encode()) > settings.max_field_bytes:
            return f"{name} is longer than {settings.max_field_bytes} bytes", "raise max-field-bytes, or shorten it"
        if value not in settings.null_values and not _fits(value.strip(" \t"), kind):
            return f"{name}: {value!r:.80} is no {kind}", "correct the value, or list it in null-values"
    if not settings.multiline and any("\r" in value for value in row):  # Arrow may cut the row there
        return "a field holds a line end", "set multiline: true"
    if len(settings.delimiter.join(row).encode()) >= settings.block_bytes:
        return f"the row is longer than {settings.block_bytes} bytes", "raise max-field-bytes to half its length"
    return None


def _fits(value: str, kind: pa.DataType) -> bool:
    """Say whether Arrow reads the text as the type, and as a finite number."""
    if pa.types.is_string(kind):
        return True
    if pa.types.is_boolean(kind):
        return value in TRUTH
    try:
        read = pa.scalar(value).cast(kind).as_py()
    except pa.ArrowInvalid:
        return False
    return not isinstance(read, float) or math.isfinite(read)

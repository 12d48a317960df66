"""Find the line of a CSV file that Arrow refused: slow and exact, used only once something is wrong."""

import csv
import math
from pathlib import Path

import pyarrow as pa
from stage.errors import BadRows

from parquetizer.settings import TableSettings

TRUTH = {"true", "false", "1", "0"}


def first_bad_row(path: Path, schema: pa.Schema, settings: TableSettings) -> BadRows | None:
    """Return the error for the first row that does not fit the schema, or None if all seem to fit."""
    csv.field_size_limit(max(settings.max_field_bytes * 16, 1 << 20))
    with path.open(encoding=settings.encoding, newline="") as file:
        reader = csv.reader(file, delimiter=settings.delimiter, quotechar=settings.quote, strict=True)
        try:
            rows = filter(None, reader)
            names = next(rows)
            for row in rows:
                if trouble := _trouble(row, names, schema, settings):
                    return BadRows(f"{path}:{reader.line_num}", *trouble)
        except csv.Error as error:
            return BadRows(f"{path}:{reader.line_num}", str(error), "correct the row")
    return None


def _trouble(row: list[str], names: list[str], schema: pa.Schema, settings: TableSettings) -> tuple[str, str] | None:
    """Return what is wrong with a row, and the cure."""
    if len(row) != len(names):
        return (
            f"{len(row)} fields where the header has {len(names)}",
            "correct the row, or quote fields with delimiters",
        )
    for name, value in zip(names, row, strict=True):
        if len(value.encode()) > settings.max_field_bytes:
            return f"{name} is longer than {settings.max_field_bytes} bytes", "raise max-field-bytes, or shorten it"
        if value not in settings.null_values and not _fits(value.strip(), schema.field(name).type):
            return f"{name}: {value!r} is no {schema.field(name).type}", "correct the value, or list it in null-values"
    return None


def _fits(value: str, kind: pa.DataType) -> bool:
    """Say whether Arrow reads the text as the type, and as a finite number."""
    if pa.types.is_string(kind):
        return True
    if pa.types.is_boolean(kind):
        return value.lower() in TRUTH
    try:
        if pa.types.is_floating(kind):
            return math.isfinite(float(value)) and "_" not in value
        return "_" not in value and pa.scalar(int(value), kind) is not None
    except (ValueError, OverflowError, pa.ArrowInvalid):
        return False

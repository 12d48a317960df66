"""The values of ``row:JSON`` by the types of columns: what JSON has no type for is text."""

import base64
import decimal
import re
import reprlib
from pathlib import Path
from typing import Any

import pyarrow as pa
from data_registry.samples import type_text
from data_registry.samples.arrow_types import is_binary, is_file, is_list, is_string
from data_registry.samples.temporal import DAY, UNITS

DURATIONS = (  # as make diff shows them, and ISO 8601
    re.compile(r"(-?)(?:(\d{1,7}) days? ?)?(?:(\d{1,9}):(\d\d):(\d\d(?:\.\d{1,9})?))?"),
    re.compile(r"(-?)P(?:(\d{1,7})D)?T?(?:(\d{1,9})H)?(?:(\d{1,9})M)?(?:(\d{1,12}(?:\.\d{1,9})?)S)?"),
)
EXAMPLES = (
    (pa.types.is_date, "a text such as 2024-01-31"),
    (pa.types.is_time, "a text such as 10:30:00"),
    (pa.types.is_duration, "a text such as 1 days 02:30:00 or P1DT2H30M"),
    (pa.types.is_decimal, 'a text such as "9.50"'),
    (is_binary, "base64"),
    (is_file, "file:PATH"),
)


def arrow_value(value: Any, kind: pa.DataType, name: str) -> Any:
    """Return a value of JSON as one that Arrow takes for a column, or a part of it, of this name and type.

    Temporal values are ISO 8601, decimals text or numbers, binary is base64, images and audio are ``file:PATH``.
    Raises ValueError, which says what was expected, for any other value.
    """
    if value is None:
        return None
    if is_list(kind) and isinstance(value, list):
        return [arrow_value(item, kind.value_type, f"{name}[]") for item in value]
    if pa.types.is_struct(kind) and isinstance(value, dict) and value.keys() <= {part.name for part in kind}:
        return {part.name: arrow_value(value.get(part.name), part.type, f"{name}.{part.name}") for part in kind}
    try:
        if not pa.types.is_nested(kind) or is_file(kind):
            return _scalar(value, kind)
    except (ValueError, TypeError, ArithmeticError, OSError, pa.ArrowException):
        pass  # it is refused below
    raise ValueError(f"{name}: expected {_expected(kind)}, got {reprlib.repr(value):.60}")


def _scalar(value: Any, kind: pa.DataType) -> Any:
    if isinstance(value, str):
        if is_file(kind) and value.startswith("file:"):
            return {"bytes": Path(value.removeprefix("file:")).read_bytes(), "path": None}
        if is_binary(kind):
            return base64.b64decode(value, validate=True)
        if pa.types.is_time(kind):  # to which Arrow casts no text
            return pa.scalar(f"1970-01-01 {value}").cast(pa.timestamp(kind.unit)).cast(kind)
        if pa.types.is_duration(kind):
            return pa.scalar(_count(value, kind.unit), kind)
        if is_string(kind) or pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
            return pa.scalar(value).cast(kind)
    elif isinstance(value, bool):
        if pa.types.is_boolean(kind):
            return value
    elif pa.types.is_decimal(kind):
        return pa.scalar(str(value)).cast(kind)
    elif pa.types.is_floating(kind) or (pa.types.is_integer(kind) and value == int(value)):
        return pa.scalar(value, kind)
    raise ValueError("another type")


def _count(text: str, unit: str) -> int:
    """Return a duration in a unit. Raises ValueError for another text, or one with more digits than the unit has."""
    match = next(filter(None, (pattern.fullmatch(text) for pattern in DURATIONS)), None)
    if not match or not any(match.groups()[1:]):
        raise ValueError("not a duration")
    parts = zip(match.groups()[1:], (DAY, 3600, 60, 1), strict=True)
    count = sum(decimal.Decimal(part or 0) * seconds for part, seconds in parts) * UNITS[unit]
    if count % 1:
        raise ValueError("too many digits")
    return int(-count if match[1] else count)


def _expected(kind: pa.DataType) -> str:
    example = next((text for is_kind, text in EXAMPLES if is_kind(kind)), "")
    if pa.types.is_timestamp(kind):
        example = f"a text such as 2024-01-31T10:30:00{'Z' * bool(kind.tz)}"
    text = "a file" if is_file(kind) else type_text(kind)
    return f"{text}{f', {example}' * bool(example)}"

"""Name the setting that would read a value: each is tried before it is named."""

import dataclasses
import decimal
import functools
import itertools
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import pyarrow as pa
from samples import Column, type_text
from stage.errors import BadRows

from parquetizer.formats.csv_dialect import CsvDialect, yaml
from parquetizer.formats.csv_values import is_valid
from parquetizer.formats.time_formats import compiled

NULLS: Final = {"", "?", "-", "--", ".", "..", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "NULL", "null", "None", "\\N"}
SEPARATORS: Final = (",", ".", " ", "'", "’", "\u00a0", "\u202f", "_")
BOOLEANS: Final = (("yes", "no"), ("y", "n"), ("true", "false"), ("t", "f"), ("on", "off"), ("1.0", "0.0"))
DATES: Final = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%Y/%m/%d", "%Y.%m.%d", "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%Y-%m-%d"),
    *("%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d-%b-%Y", "%d-%b-%y", "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y"),
    *("%b %d %Y", "%B %d %Y", "%Y-%m", "%Y"),
)
TIMES: Final = (
    *("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p", "%I:%M%p", "%H.%M.%S", "%H.%M", "%H%M%S", "%H%M"),
    *("%H:%M:%S.%f%z", "%H:%M:%S%z", "%H:%M:%S %z", "%H:%M:%SZ"),
)
TYPES: Final = (
    *("int16", "int32", "int64", "uint64", "float64", "date", "timestamp[us]", "timestamp[ns]", "timestamp[us, UTC]"),
    *("timestamp[ns, UTC]", "time[us]", "time[ns]", "duration[us]", "duration[ns]"),
)
FORMATS: Final = {
    "date": DATES,
    "time": TIMES,
    "timestamp": (*DATES, *(f"{date}{mark}{time}" for mark in " T" for date in DATES for time in TIMES), "%s"),
}
MAX_ALTERNATIVES: Final = 3
MAX_DIGITS: Final = 76  # of a decimal

Changes = dict[str, object]  # of settings


def value_error(where: str, text: str, column: Column, dialect: CsvDialect) -> BadRows:
    """Return the error for a text that is not of its column's type."""
    what = f"{column.name:.80}: expected {column.type}, got {text!r:.80}"
    fixes = list(itertools.islice(_fixes(text, column, dialect), MAX_ALTERNATIVES))
    return BadRows(where, what, " or ".join(fixes) or "correct the value, or add it to null-values")


def _fixes(text: str, column: Column, dialect: CsvDialect) -> Iterator[str]:
    """Yield the settings that would read a text; a kind of them only if those before would not."""
    stripped = text.strip()
    spaced = stripped != text and not dialect.trim
    if spaced and is_valid(text, column, dataclasses.replace(dialect, trim=True)):
        yield "set trim: true"
    elif stripped in NULLS:
        yield f"add {yaml(stripped)} to null-values" + (", and set trim: true" if spaced else "")
    elif column.type == "bool" and dialect.true_values:
        yield f"add {yaml(stripped)} to true-values or false-values"
    else:
        for ways in (_styles(text, column, dialect), _formats(text, column, dialect), _types(text, column, dialect)):
            if first := next(ways, None):
                yield first
                yield from ways
                return


def _styles(text: str, column: Column, dialect: CsvDialect) -> Iterator[str]:
    """Yield changes of one setting of numbers and booleans that read a text, else of two, else of three."""
    options = _booleans(text) if column.type == "bool" else _numbers(text, dialect)
    fewest = 0
    for changes in sorted(options, key=len):
        if fewest and len(changes) > fewest:
            return
        changed = dataclasses.replace(dialect, **changes)  # type: ignore[arg-type]  # its own settings
        if is_valid(text, column, changed):
            fewest = len(changes)
            yield "set " + " and ".join(f"{name.replace('_', '-')}: {yaml(value)}" for name, value in changes.items())


def _booleans(text: str) -> Iterator[Changes]:
    for case in (str.lower, str.upper, str.capitalize):
        for true, false in (map(case, pair) for pair in BOOLEANS):
            if text.strip() in (true, false):
                yield {"true_values": [true], "false_values": [false]}
                return


def _numbers(text: str, dialect: CsvDialect) -> Iterator[Changes]:
    separators = [dialect.thousands, *(mark for mark in SEPARATORS if mark in text and mark != dialect.thousands)]
    points = [dialect.decimal, *({".", ","} - {dialect.decimal})]
    lenient = {dialect.lenient_integers: None, True: None}
    for thousands, point, integers in itertools.product(separators, points, lenient):
        style = {"decimal": point, "thousands": thousands, "lenient_integers": integers}
        if thousands != point:
            yield {name: value for name, value in style.items() if value != getattr(dialect, name)}


def _formats(text: str, column: Column, dialect: CsvDialect) -> Iterator[str]:
    formats = [
        yaml(format)
        for format, pattern in _patterns(column.arrow)
        if pattern.match(text.strip()) and is_valid(text, dataclasses.replace(column, format=format), dialect)
    ]
    if formats:
        yield f"set format: {' or '.join(formats[:MAX_ALTERNATIVES])} for the column"


@functools.cache
def _patterns(kind: pa.DataType) -> list[tuple[str, re.Pattern[str]]]:
    """Return the formats of a type, with patterns that tell quickly which are worth a try."""
    patterns = []
    for format in FORMATS.get(_family(type_text(kind)), ()):
        with suppress(ValueError):  # an offset in a type without zone
            patterns.append((format, re.compile(compiled(format, kind).pattern)))
    return patterns


def _types(text: str, column: Column, dialect: CsvDialect) -> Iterator[str]:
    family = _family(column.type)
    if family == "decimal":
        with suppress(decimal.InvalidOperation):
            _, digits, exponent = decimal.Decimal(text.strip()).as_tuple()
            exponent = exponent if isinstance(exponent, int) else 0
            scale = max(column.arrow.scale, -exponent)
            whole = max(column.arrow.precision - column.arrow.scale, len(digits) + exponent)
            kind = f"decimal({whole + scale}, {scale})"
            if whole + scale <= MAX_DIGITS and is_valid(text, dataclasses.replace(column, type=kind), dialect):
                yield f"declare type: {kind}"
    for kind in TYPES:
        families = {family, _family(kind)}
        related = len(families) == 1 or families <= {"int", "uint", "float"} or families <= {"date", "timestamp"}
        if related and is_valid(text, dataclasses.replace(column, type=kind, format=""), dialect):
            yield f"declare type: {kind}"
            return


def _family(kind: str) -> str:
    return kind.partition("[")[0].partition("(")[0].rstrip("0123456789")

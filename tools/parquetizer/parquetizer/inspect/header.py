"""Decide whether the first row of a CSV file names its columns."""

import re
from collections.abc import Sequence
from typing import Final

from parquetizer.inspect.strings import NULLS, StringFacts

IDENTIFIER: Final = re.compile(r"[A-Za-z_][\w.-]*")
NAME: Final = re.compile(r"[^\d\s][^\n\r]{0,63}")
USUAL: Final = re.compile(  # words in the names of columns
    r"(?i)(.*[\W_])?(id|name|text|label|title|date|time|year|city|country|address|email|phone|type|kind|category|class|"
    r"question|answer|description|url|source|target|sentence|comment|review|language|gender|status|author|word|value|"
    r"code|key|message|content|prompt|response|summary|tags?)([\W_].*)?"
)
MANY: Final = 200  # strings of a column that repeat
NUMBER: Final = re.compile(r"[+-]?(\d[\d.,]*|[.,]\d+)([eE][+-]?\d+)?")


def is_header(first: Sequence[str], columns: Sequence[StringFacts], recurring: Sequence[bool]) -> tuple[bool, str]:
    """Return whether the ``first`` row is a header, and why.

    ``columns`` are the facts of the other rows, ``recurring`` says of which columns the first value occurs in them.
    """
    names = [value.strip() for value in first]
    numeric = [bool(NUMBER.fullmatch(name)) for name in names]
    typed = [type_of(column) for column in columns]
    others = [
        name
        for name, kind, is_number in zip(names, typed, numeric, strict=True)
        if kind and name not in NULLS and not (kind == "number" and is_number) and not _is_value(name, kind)
    ]
    repeated = [  # not what happens to be equal in a column of names, as the ID of Indonesia
        name
        for name, column, kind, recurs in zip(names, columns, typed, recurring, strict=True)
        if recurs and not kind and name not in NULLS and column.could_be_labels(MANY)
    ]
    filled = [name for name in names if name]
    if not names[0] and len(filled) == len({*filled}) == len(names) - 1 > 0 and not columns[0].nulls[""]:
        return True, "only the first row has no value in the first column, as that of an index"
    if len(repeated) > len(others):
        return False, f"{repeated[0]!r:.40} in the first row is a value of other rows"
    if others:
        kind = typed[names.index(others[0])]
        return True, f"{others[0]!r:.40} in the first row is not a {kind}, unlike the other rows"
    if any(numeric):
        return _counts(names, numeric)
    if not filled or len({*filled}) < len(filled) or not all(map(NAME.fullmatch, filled)) or any(typed):
        return False, "the first row has values like the other rows"
    if all(map(IDENTIFIER.fullmatch, filled)) and any(2 * column.words < column.rows for column in columns):
        return True, f"the first row looks like names: {', '.join(filled):.60}"
    if any(map(USUAL.fullmatch, filled)):
        return True, f"the first row looks like names: {', '.join(filled):.60}"
    if len(names) == 1:
        return False, "the first line is like the others"
    return True, "no value of the first row is in other rows; check that it names the columns"


def type_of(column: StringFacts) -> str:
    """Return what all values of a column are: number, boolean, date, or "" for other strings."""
    if not column.values:
        return ""
    if any(column.fits.values()):
        return "number"
    if column.boolean():
        return "boolean"
    return "date" if column.dates.result() else ""


def _is_value(name: str, kind: str) -> bool:
    """Say whether a string could be a value of a column of booleans or dates."""
    if kind == "boolean":
        return name.lower() in {"true", "false", "yes", "no", "y", "n", "t", "f"}
    return kind == "date" and any(map(str.isdigit, name)) and len(name) > len("1.1.24")


def _counts(names: Sequence[str], numeric: Sequence[bool]) -> tuple[bool, str]:
    """Say whether the numbers of the first row are the names of columns: years, one after the other."""
    numbers = [name for name, is_number in zip(names, numeric, strict=True) if is_number]
    if len(numbers) > 2 and not all(numeric) and all(map(str.isdigit, numbers)):
        first = int(numbers[0])
        if [*map(int, numbers)] == [*range(first, first + len(numbers))]:
            return True, f"the first row counts from {first} to {numbers[-1]}"
    return False, "the first row has numbers, like the other rows"

"""Propose the types of columns that a file has as strings, and the settings that these types need.

A type is proposed only if every value is one of it. Where several are possible, it is the widest: a wrong type loses
something, one that is too wide does not.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from parquetizer.formats.text_values import FALSE, TRUE
from parquetizer.inspect.labels import classes_of
from parquetizer.inspect.proposal import ProposedColumn, Table
from parquetizer.inspect.strings import INT64, UINT64, StringFacts

NULLS_OF_STRINGS: Final = ("", "?", r"\N", "<NA>", "#N/A")  # no word or name that a text could be
MARKS: Final = {".": "point", ",": "comma"}


def propose_types(facts: Mapping[str, StringFacts], delimiter: str) -> Table:
    """Return the table of columns by their names in files, with the settings that its types need."""
    settings: dict[str, Any] = {}
    reasons: dict[str, str] = {}
    decimal, thousands = _number_marks(facts, delimiter, settings, reasons)
    booleans = _booleans(facts, settings, reasons)
    typed = {name: _type(column, decimal, thousands, booleans.get(name)) for name, column in facts.items()}
    nulls = _null_values(facts, typed, settings, reasons)
    padded = {name: column for name, column in facts.items() if column.padded}
    if padded and any(typed[name][0] != "string" or column.padded == column.rows for name, column in padded.items()):
        settings["trim"] = True
        count = sum(column.padded for column in padded.values())
        reasons["trim"] = f"{count:,} values begin or end with a space, in {_some([name.strip() for name in padded])}"
    columns = []
    for name, column in facts.items():
        kind, format, reason = typed[name]
        classes: tuple[str, ...] = ()
        why = ""
        if kind == "string" and column.distinct is not None and (not column.padded or settings.get("trim")):
            kept = [string for string in column.nulls if string not in nulls]
            classes, why = classes_of(name, [*column.distinct.to_pylist(), *kept], column.rows)
        missing = sum(count for string, count in column.nulls.items() if string in nulls)
        parts = [
            why or reason,
            f"{missing:,} null" if missing else "",
            _kept(column, nulls) if kind == "string" else "",
        ]
        columns.append(ProposedColumn(name, kind, "; ".join(filter(None, parts)), format, classes))
    rows = next(iter(facts.values())).rows
    return Table(rows, tuple(columns), settings, reasons)


def _number_marks(
    facts: Mapping[str, StringFacts], delimiter: str, settings: dict[str, Any], reasons: dict[str, str]
) -> tuple[str, str]:
    """Return the decimal mark and that of thousands, or "" for none, which hold for the whole file."""
    filled = {name: column for name, column in facts.items() if column.values}
    number = {
        mark: [name for name, column in filled.items() if column.fits[fit] and column.has[mark]]
        for mark, fit in MARKS.items()
    }
    grouped = {
        mark: [name for name, column in filled.items() if column.fits[f"thousands {fit}"] and column.has[mark]]
        for mark, fit in MARKS.items()
    }
    certain = {  # the decimal mark: it is not before three digits only, or the other one is before it
        mark: [name for name in number[mark] if name not in grouped[mark]]
        + [name for name in grouped[other] if filled[name].has[mark]]
        for mark, other in (".,", ",.")
    }
    decimal = "," if len(certain[","]) > len(certain["."]) else "."
    if decimal == ",":
        settings["decimal"] = ","
        reasons["decimal"] = f"all values of {_some(certain[','])} are numbers with a comma"
    other = "," if decimal == "." else "."
    # 1,234 alone is a thousand if the file is otherwise written in English: with commas between the fields.
    sure = [name for name in grouped[other] if name not in number[other]]
    if sure or (grouped[other] and decimal == "." and delimiter == ","):
        settings["thousands"] = other
        reasons["thousands"] = f"all values of {_some(sure or grouped[other])} are numbers with groups of three digits"
        return decimal, other
    return decimal, ""


def _booleans(
    facts: Mapping[str, StringFacts], settings: dict[str, Any], reasons: dict[str, str]
) -> dict[str, tuple[str, str]]:
    """Return the strings for true and false of the columns that have only these."""
    booleans = {name: pair for name, column in facts.items() if (pair := column.boolean())}
    truths, falsehoods = ([*dict.fromkeys(pair[number] for pair in booleans.values())] for number in (0, 1))
    if {*truths} - {*TRUE} or {*falsehoods} - {*FALSE}:
        settings |= {"true-values": truths, "false-values": falsehoods}
        reasons["true-values"] = f"values of {_some(list(booleans))}"
    return booleans


def _type(column: StringFacts, decimal: str, thousands: str, boolean: tuple[str, str] | None) -> tuple[str, str, str]:
    """Return the type of a column, its format, and the reason."""
    count = f"all {column.values:,} values" if column.values > 1 else "the only value"
    are = "are" if column.values > 1 else "is"
    if not column.values:
        return "string", "", "no values"
    if boolean:
        return "bool", "", f"{count} {are} {boolean[0]} or {boolean[1]}"
    fit = MARKS[decimal]
    if column.fits["integer"]:
        for kind, low, high in (("int64", -INT64 - 1, INT64), ("uint64", 0, UINT64)):
            if low <= column.low and column.high <= high:
                return kind, "", f"{count} {are} integers, {column.low:,} to {column.high:,}"
        return "string", "", f"{count} {are} integers, some beyond 64 bits"
    if column.fits[fit]:
        return "float64", "", f"{count} {are} numbers"
    if thousands and column.fits[f"thousands {MARKS[thousands]}"]:
        kind = "float64" if column.has[decimal] else "int64"
        return kind, "", f"{count} {are} numbers, with {thousands} between thousands"
    if date := column.dates.result():
        return date.type, date.format, f"{count} {are} {date.type.partition('[')[0]}s"
    longest = f"up to {column.longest:,} bytes"
    if column.distinct is not None:
        return "string", "", f"{len(column.distinct):,} different strings, {longest}"
    return "string", "", f"strings of {longest}"


def _null_values(
    facts: Mapping[str, StringFacts],
    typed: Mapping[str, tuple[str, str, str]],
    settings: dict[str, Any],
    reasons: dict[str, str],
) -> list[str]:
    """Return the strings that are null, for all columns: those that numbers and dates need, and the clear ones."""
    chosen: dict[str, None] = {}
    for name, column in facts.items():
        is_string = typed[name][0] == "string"
        for string in column.nulls:
            if not is_string or (string in NULLS_OF_STRINGS and (column.values or not string)):
                chosen[string] = None
    nulls = Counter({string: sum(column.nulls[string] for column in facts.values()) for string in chosen})
    if nulls:
        settings["null-values"] = list(nulls)
        counts = [f"{count:,} {_written(string)}" for string, count in nulls.most_common(6)]
        reasons["null-values"] = ", ".join(counts)
    return list(nulls)


def _kept(column: StringFacts, nulls: list[str]) -> str:
    """Return a note on the strings of a text column that could mean a missing value."""
    strings = {string: count for string, count in column.nulls.items() if string not in nulls}
    if not strings or not column.values:
        return ""
    counts = ", ".join(f"{count:,} {_written(string)}" for string, count in list(strings.items())[:3])
    return f"{counts} kept as text (null-values makes them null)"


def _written(string: str) -> str:
    return repr(string) if string else "empty"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 3} more columns" if len(names) > 3 else ""
    return ", ".join(f"{name:.40}" for name in names[:3]) + more

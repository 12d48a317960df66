"""Find out which columns a CSV file has, from its header or its first row."""

import csv
import dataclasses
import io
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import pyarrow as pa
from samples import Column
from stage.errors import BadRows, EmptyInput, SchemaMismatch
from stage.redaction import listed

from parquetizer.formats.csv_dialect import CsvDialect, yaml
from parquetizer.formats.csv_rows import field_size_limit, parsed_rows
from parquetizer.formats.csv_values import is_valid
from parquetizer.raw.files import RawFile

DELIMITERS: Final = (",", ";", "\t", "|", ":", " ")
MAX_NAME: Final = 1 << 12  # characters of a column name
MAX_PREAMBLE: Final = 20  # lines in which a header is looked for, to name skip-rows
HEADERLESS: Final = "set header: false"
UNTAKEN: Final = "\0"  # begins the name of a column that is not taken: no file has it


@dataclasses.dataclass(frozen=True)
class Header:
    """The names of the columns in a file, unique, and the lines and bytes that come before the first row."""

    names: tuple[str, ...]
    lines: int = 0
    size: int = 0


def read_header(path: RawFile, first: bytes, columns: Sequence[Column], dialect: CsvDialect) -> Header:
    """Read the header from the ``first`` bytes of a file, or number its columns from 1 if it has none.

    A repeated name is numbered as pandas does: ``a``, ``a.1``, ``a.2``. Raises SchemaMismatch unless the columns are
    those declared and ignored, BadRows or EmptyInput if there is no row.
    """
    text = io.StringIO(first.decode(), newline="")
    reader = parsed_rows(text, dialect)
    try:
        with field_size_limit(MAX_NAME if dialect.header else dialect.max_field_bytes):
            row = next(filter(None, reader), None)
    except csv.Error as error:
        raise BadRows(f"{path}:{reader.line_num}", str(error), "correct the header") from error
    if row is None:
        raise EmptyInput(path, "the file is empty", "check that the source sent the whole file")
    where = f"{path}:{reader.line_num}"
    if not dialect.header:
        return Header(_by_position(where, len(row), columns, dialect))
    if dialect.trim:
        row = [name.strip() for name in row]
    names = _unique(row, dialect.ignore)
    _check_names(where, row, names, first, columns, dialect)
    return Header(names, reader.line_num, len(text.getvalue()[: text.tell()].encode()))


def _by_position(where: str, count: int, columns: Sequence[Column], dialect: CsvDialect) -> tuple[str, ...]:
    ignored = [str(number) in dialect.ignore for number in range(1, count + 1)]
    if count - sum(ignored) != len(columns):
        what = f"expected {len(columns)} columns, got {count - sum(ignored)}"
        raise SchemaMismatch(where, what, "correct dataset.columns, or list the numbers of columns in ignore")
    taken = iter(columns)
    return tuple(
        f"{UNTAKEN}{number}" if is_ignored else next(taken).name for number, is_ignored in enumerate(ignored, 1)
    )


def _unique(row: list[str], ignore: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of columns, with numbers after repeated ones; those that are ignored get a name of their own."""
    numbers: Counter[str] = Counter()
    present, names = {*row}, list[str]()
    for position, name in enumerate(row):
        unique = name
        while name not in ignore and numbers[name] and (unique := f"{name}.{numbers[name]}") in present:
            numbers[name] += 1
        numbers[name] += 1
        present.add(unique)
        names.append(f"{UNTAKEN}{position}" if name in ignore or unique in ignore else unique)
    return tuple(names)


def _check_names(
    where: str, row: list[str], names: tuple[str, ...], first: bytes, columns: Sequence[Column], dialect: CsvDialect
) -> None:
    declared, present = {column.name for column in columns}, {*names}
    for name, unique in zip(row, names, strict=True):
        if name != unique and unique not in declared and not unique.startswith(UNTAKEN):
            fix = f"declare or ignore it as {yaml(unique)}" if name else 'add "" to ignore'
            fix = HEADERLESS if _is_row(row, columns, dialect) else fix
            raise SchemaMismatch(where, f"duplicate column {name!r:.80}", fix)
    if missing := [column.name for column in columns if column.name not in present]:
        what = f"column {missing[0]!r:.80} not found in {listed([repr(name) for name in row])}"
        raise SchemaMismatch(where, what, _missing_fix(row, first, columns, dialect) or "correct dataset.columns")
    if extra := [name for name in names if name not in declared and not name.startswith(UNTAKEN)]:
        raise SchemaMismatch(where, f"unknown column {extra[0]!r:.80}", "add it to dataset.columns, or to ignore")
    values = dict(zip(names, row, strict=True))
    if _is_row([values[column.name] for column in columns], columns, dialect):
        first_typed = next(filter(_is_typed, columns))
        what = f"the header has a value of {first_typed.name!r:.80} ({first_typed.type}): is it the first row?"
        raise SchemaMismatch(where, what, f"{HEADERLESS}, and skip-rows if it is a header and not a row")


def _is_typed(column: Column) -> bool:
    return bool(column.classes) or not pa.types.is_string(column.arrow)


def _is_row(row: list[str], columns: Sequence[Column], dialect: CsvDialect) -> bool:
    """Say whether a header has the values of a row, of which some cannot be names by their type."""
    is_possible = len(row) == len(columns) and any(map(_is_typed, columns))
    return is_possible and all(_is_value(text, column, dialect) for text, column in zip(row, columns, strict=True))


def _is_value(text: str, column: Column, dialect: CsvDialect) -> bool:
    if pa.types.is_string(column.arrow):
        return not column.classes or text in column.classes
    return is_valid(text, column, dialect)


def _missing_fix(row: list[str], first: bytes, columns: Sequence[Column], dialect: CsvDialect) -> str:
    """Return the setting by which the header has the declared columns, or "" if none of those tried does."""
    declared = {column.name for column in columns}
    if declared <= {name.strip() for name in row}:
        return "set trim: true"
    text = first.decode()
    for delimiter in (dialect.delimiter, *DELIMITERS):
        if delimiter == dialect.quote:
            continue
        changed = dataclasses.replace(dialect, delimiter=delimiter)
        reader = parsed_rows(io.StringIO(text[: MAX_NAME * MAX_PREAMBLE], newline=""), changed)
        with suppress(csv.Error), field_size_limit(MAX_NAME):
            for names in reader:
                before = reader.line_num - 1
                if before > MAX_PREAMBLE:
                    break
                if declared <= {*names}:
                    fixes = [f"delimiter: {yaml(delimiter)}"] * (delimiter != dialect.delimiter)
                    is_first = text[: len(text) - len(text.lstrip("\r\n"))].count("\n") == before
                    fixes += [f"skip-rows: {before}"] * (not is_first)
                    return "set " + " and ".join(fixes) if fixes else ""
    return HEADERLESS if _is_row(row, columns, dialect) else ""

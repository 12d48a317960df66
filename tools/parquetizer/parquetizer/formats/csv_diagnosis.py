"""Find the line of a CSV file that was rejected: slow and exact, used only after an error."""

import csv
from collections.abc import Iterator, Sequence
from typing import Final

import pyarrow as pa
from samples import Column
from stage.errors import BadRows

from parquetizer.formats.csv_dialect import CsvDialect
from parquetizer.formats.csv_fixes import value_error
from parquetizer.formats.csv_header import Header, read_header
from parquetizer.formats.csv_rows import field_size_limit, parsed_rows, text_lines
from parquetizer.formats.csv_values import are_valid
from parquetizer.raw.checked_bytes import CheckedBytes
from parquetizer.raw.files import RawFile

CHARACTERS: Final = 1 << 18  # of the rows that are looked at together

Row = tuple[int, list[str]]  # with the line on which it ends
Positions = Sequence[tuple[int, Column]]  # of the columns in a row


def first_bad_row(
    path: RawFile, source: CheckedBytes, columns: Sequence[Column], dialect: CsvDialect
) -> BadRows | None:
    """Return the error for the first row that does not match the columns, or None if all seem to match.

    Also None where bytes follow that are invalid: whoever reads on will meet them.
    """
    header = read_header(path, source.peek(dialect.block_bytes), columns, dialect)
    numbers = {name: number for number, name in enumerate(header.names)}
    positions = [(numbers[column.name], column) for column in columns]
    failures: list[BadRows] = []
    with field_size_limit(dialect.max_field_bytes * 16):
        for rows in _chunks(_rows(path, source, dialect, failures)):
            if problem := _first_problem(path, rows, header, positions, dialect):
                return problem
    return failures[0] if failures else None


def _rows(path: RawFile, source: CheckedBytes, dialect: CsvDialect, failures: list[BadRows]) -> Iterator[Row]:
    """Yield the rows after the header, up to one that cannot be read, whose error is added to ``failures``."""
    reader = parsed_rows(text_lines(source, dialect.block_bytes), dialect)
    try:
        rows = filter(None, reader)
        if dialect.header:
            next(rows)
        yield from ((reader.line_num, row) for row in rows)
    except csv.Error as error:
        failures.append(BadRows(f"{path}:{reader.line_num}", str(error), "correct the row"))
    except BadRows as error:
        failures.append(error)


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    chunk, size = list[Row](), 0
    for row in rows:
        chunk.append(row)
        size += sum(map(len, row[1])) + len(row[1])
        if size > CHARACTERS:
            yield chunk
            chunk, size = [], 0
    yield chunk


def _first_problem(
    path: RawFile, rows: list[Row], header: Header, positions: Positions, dialect: CsvDialect
) -> BadRows | None:
    """Return the error for the first of some rows with a problem."""
    problem = None
    for number, (line, row) in enumerate(rows):
        if found := _row_problem(row, header, dialect):
            problem = BadRows(f"{path}:{line}", *found)
            rows = rows[: number + (len(row) == len(header.names))]  # its values come first
            break
    bad = len(rows)
    for position, column in positions:
        texts = [row[position] for _, row in rows[:bad]]
        first = _first_invalid(texts, column, dialect)
        if first < bad:
            bad, line = first, rows[first][0]
            problem = _value_problem(f"{path}:{line}", rows[first][1], texts[first], column, dialect)
    return problem


def _row_problem(row: list[str], header: Header, dialect: CsvDialect) -> tuple[str, str] | None:
    """Return what is wrong with a row, and the fix."""
    width = len(header.names)
    if len(row) != width:
        fix = "correct the row, or quote fields with delimiters"
        if row[0].lstrip()[:1] in ("#", "%") and not dialect.comment:
            fix = f'set comment: "{row[0].lstrip()[0]}"'
        elif len(row) == width + 1 and not row[-1] and header.lines:  # rows, but not the header, end with a delimiter
            fix = (
                f'take columns by position: set header: false and skip-rows: {header.lines} and ignore: ["{width + 1}"]'
            )
        return f"expected {width} fields, got {len(row)}", fix
    if not dialect.multiline and any("\r" in value for value in row):  # Arrow may split the row there
        return "line break in a field", "set multiline: true"
    if len(dialect.mark.join(row).encode()) >= dialect.block_bytes:
        return f"the row is longer than {dialect.block_bytes} bytes", "raise max-field-bytes to half its length"
    return None


def _first_invalid(texts: list[str], column: Column, dialect: CsvDialect) -> int:
    """Return the index of the first text that is no value of a column, or their number: by halves, all at once."""
    limit = dialect.max_field_bytes
    end = next((number for number, text in enumerate(texts) if len(text.encode()) > limit), len(texts))
    strings = pa.array(texts[:end], pa.string())
    start, size = 0, len(strings)  # where the first invalid one is sought
    if not size or are_valid(strings, column, dialect):
        return end
    while size > 1:
        half = size // 2
        if are_valid(strings.slice(start, half), column, dialect):
            start, size = start + half, size - half
        else:
            size = half
    return start


def _value_problem(where: str, row: list[str], text: str, column: Column, dialect: CsvDialect) -> BadRows:
    if len(text.encode()) > dialect.max_field_bytes:
        what = f"{column.name} is longer than {dialect.max_field_bytes} bytes"
        return BadRows(where, what, "raise max-field-bytes, or shorten it")
    error = value_error(where, text, column, dialect)
    if len(row) > 1 and not any(value.strip() for value in row) and not dialect.skip_empty_rows:
        return BadRows(where, error.what, "set skip-empty-rows: true")
    return error

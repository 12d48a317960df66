"""Read the rows of a CSV file with Python's csv module: slow, but it knows the line of each row."""

import csv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from parquetizer.formats.csv_dialect import CsvDialect
from parquetizer.raw.checked_bytes import CheckedBytes

if TYPE_CHECKING:
    from _csv import Reader

MAX_BLOCKS: Final = 4  # of a line that is still called too long, and not something else


def parsed_rows(lines: Iterable[str], dialect: CsvDialect) -> "Reader":
    """Return a reader of rows; blank lines are rows without fields."""
    if not dialect.quote_character:
        return csv.reader(lines, delimiter=dialect.mark, quoting=csv.QUOTE_NONE, strict=True)
    return csv.reader(lines, delimiter=dialect.mark, quotechar=dialect.quote, strict=True)


def text_lines(source: CheckedBytes, size: int) -> Iterator[str]:
    """Yield the lines of a file with their ends (``\\n``, ``\\r\\n`` or ``\\r``), read in blocks of ``size`` bytes.

    A line of more than ``MAX_BLOCKS`` blocks comes in pieces.
    """
    rest = b""
    while block := source.read(size):
        *lines, rest = (rest + block).splitlines(keepends=True)
        yield from (line.decode() for line in lines)
        if rest.endswith((b"\n", b"\r")) or len(rest) > MAX_BLOCKS * size:
            yield rest.decode(errors="ignore")
            rest = b""
    if rest:
        yield rest.decode()


@contextmanager
def field_size_limit(size: int) -> Iterator[None]:
    """Let the csv module read fields of up to ``size`` characters; the setting of the process is restored."""
    before = csv.field_size_limit(size)
    try:
        yield
    finally:
        csv.field_size_limit(before)

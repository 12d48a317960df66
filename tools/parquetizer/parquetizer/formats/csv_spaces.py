"""Make CSV of columns that are separated by runs of white space, as many old .dat and .txt files have them."""

import re
from typing import Final

from parquetizer.formats.csv_dialect import CsvDialect
from parquetizer.formats.csv_lines import LineFilter

RUN: Final = re.compile(rb"[ \t]+")
LINE_ENDS: Final = re.compile(rb" ?([\r\n]) ?")


class SpaceFilter:
    """Replaces each run of spaces and tabs by one space, and those at the ends of a line by none, but not in quotes.

    It is given the lines that ``LineFilter`` passes on.
    """

    def __init__(self, dialect: CsvDialect) -> None:
        self._lines = LineFilter(dialect)
        self._limit = dialect.block_bytes
        self._quote = dialect.quote_character.encode()
        self._quoted = re.compile(b"(%b[^%b\r\n]*%b)|%b" % (*(re.escape(self._quote),) * 3, RUN.pattern))
        self._pending = b"\n"  # the start of a line; its first byte is that before, and passed on already

    def __call__(self, block: bytes, final: bool) -> bytes:
        """Return the next block; the last one is ``final``."""
        text = self._pending + self._lines(block, final) + b"\n" * final
        end = max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        lines, self._pending = text[:end], text[end - 1 :]
        if self._quote and self._quote in lines:
            lines = self._quoted.sub(lambda match: match[1] or b" ", lines)
        else:
            lines = RUN.sub(b" ", lines)
        lines = LINE_ENDS.sub(rb"\1", lines)[1:]
        if len(self._pending) > self._limit:  # too long a row: as it is, it has too many fields, or is refused for that
            lines, self._pending = lines + self._pending[1:], self._pending[-1:]
        return lines[:-1] if final else lines

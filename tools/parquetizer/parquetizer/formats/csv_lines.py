"""Prepare the lines of a CSV file for readers that know nothing of preambles, comments, and space around quotes."""

import re
from typing import Final

import numpy as np

from parquetizer.formats.csv_dialect import CsvDialect

LINE: Final = re.compile(rb"[^\r\n]*(\r\n?|\n)")
LINE_END: Final = re.compile(rb"[\r\n]")
SPACE: Final = " \t"
NEWLINE, RETURN = b"\n\r"


class LineFilter:
    """Replaces lines that are not rows by empty ones, which all readers skip, so that rows keep their line numbers.

    These are the lines of a preamble, comments, and rows of delimiters alone. A dialect that trims also loses the space
    between a delimiter and a quote, which would make the quote a part of the field.
    """

    def __init__(self, dialect: CsvDialect) -> None:
        self._skipped = dialect.skip_rows
        self._comment = dialect.comment.encode()
        self._limit = dialect.block_bytes
        quote = dialect.quote_character if dialect.multiline or dialect.trim else ""  # else lines begin outside of them
        self._quote = quote.encode()
        space = "".join(set(SPACE) - {dialect.mark}) if dialect.trim else ""
        self._blank = (dialect.mark + space).encode() if dialect.skip_empty_rows else b""
        # The group of a pattern stays, what follows it goes. Most blocks have no place where one could match.
        rows = [re.escape(self._comment) + rb"[^\r\n]*"] * bool(self._comment)
        rows += [b"[" + re.escape(self._blank) + rb"]+(?=[\r\n]|\Z)"] * bool(self._blank)
        lines = b"([\r\n])(?:" + b"|".join(rows) + b")"
        self._lines = re.compile(lines) if rows else None
        self._starts = np.zeros(256, bool)
        self._starts[[*self._comment, *self._blank]] = True
        self._spaced, self._spaces = None, list[bytes]()
        if quote and space:
            spaces, mark = f"[{space}]+".encode(), re.escape(dialect.mark.encode())
            before = b"([\r\n" + mark + b"])" + spaces + b"(?=" + self._quote + b")"
            after = b"(" + self._quote + b")" + spaces + b"(?=[\r\n" + mark + rb"]|\Z)"
            self._spaced = re.compile(b"|".join([*[lines] * bool(rows), before, after]))
            self._spaces = [pair.encode() for one in space for pair in (one + quote, quote + one)]
        self._before = b"\n"  # the last byte that was passed on
        self._pending = b""  # the start of a line, which is looked at again with its rest
        self._in_comment = False
        self._in_quotes = False

    def __call__(self, block: bytes, final: bool) -> bytes:
        """Return the next block without these lines; the last one is ``final``."""
        block, self._pending = self._pending + block, b""
        skipped = b""
        if self._skipped:
            skipped, block = self._without_preamble(block, final)
        if self._in_comment:
            end = LINE_END.search(block)
            block, self._in_comment = block[end.start() :] if end else b"", not end
        if not block or not (self._lines or self._spaced):
            return skipped + block
        text = self._before + block  # a pattern may begin with the end of the line before
        tail = len(text) if final else max(text.rfind(b"\n"), text.rfind(b"\r")) + 1
        if not tail:  # still in the same line
            self._count_quotes(block, 0, len(block))
            self._before = block[-1:]
            return skipped + block
        passed = self._filtered(text[:tail]) + self._incomplete(text[tail:])
        self._before = passed[-1:] if not self._in_comment and not self._pending else text[tail - 1 : tail]
        return skipped + passed[1:]

    def _without_preamble(self, block: bytes, final: bool) -> tuple[bytes, bytes]:
        """Return the ends of the skipped lines, and what follows them."""
        ends, at = list[bytes](), 0
        while self._skipped and (line := LINE.match(block, at)):
            if line.end() == len(block) and line[1] == b"\r" and not final:  # \n may follow
                self._pending = b"\r"
                return b"".join(ends), b""
            ends.append(line[1])
            at = line.end()
            self._skipped -= 1
        return b"".join(ends), b"" if self._skipped else block[at:]

    def _filtered(self, text: bytes) -> bytes:
        """Return whole lines without what matches outside of quotes."""
        pattern = self._lines if self._lines and self._may_match(text) else None
        if self._spaces and self._quote in text and any(pair in text for pair in self._spaces):
            pattern = self._spaced
        if not self._quote:
            return pattern.sub(rb"\1", text) if pattern else text
        parts, start, counted = [], 0, 1  # the byte before was counted already
        match = pattern.search(text) if pattern else None
        while pattern and match:
            at = match.end(match.lastindex or 0)
            self._count_quotes(text, counted, at)
            counted = at
            if not self._in_quotes:
                parts.append(text[start:at])
                start = counted = match.end()
            match = pattern.search(text, counted)
        self._count_quotes(text, counted, len(text))
        return b"".join([*parts, text[start:]])

    def _may_match(self, text: bytes) -> bool:
        """Say whether a line begins with a byte of a comment or an empty row."""
        data = np.frombuffer(text, np.uint8)
        ends = data[:-1] == NEWLINE
        if b"\r" in text:
            ends |= data[:-1] == RETURN
        return bool(self._starts[data[1:][ends]].any())

    def _incomplete(self, tail: bytes) -> bytes:
        """Return the start of a line if it is certain to be passed on as it is."""
        if tail and not self._in_quotes and self._comment and tail.startswith(self._comment):
            self._in_comment = True
            return b""
        if len(tail) < self._limit and (self._spaced or (self._blank and not tail.strip(self._blank))):
            self._pending = tail
            return b""
        self._count_quotes(tail, 0, len(tail))
        return tail

    def _count_quotes(self, text: bytes, start: int, end: int) -> None:
        if self._quote and text.count(self._quote, start, end) & 1:
            self._in_quotes = not self._in_quotes

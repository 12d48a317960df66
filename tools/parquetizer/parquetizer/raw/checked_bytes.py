"""Decode a text file for Arrow, and reject bytes that Arrow would read wrongly."""

import codecs
import io
from collections.abc import Callable
from typing import Final

import numpy as np
from stage.errors import BadRows, UsageError

from parquetizer.raw.files import RawFile

NEWLINE: Final = ord("\n")
ENCODING: Final = "set the encoding of the file, such as encoding: windows-1252"
CLOSE: Final = "close or double it, or set multiline: true, or quote: none if quotes are text"


class CheckedBytes(io.RawIOBase):
    """A text file as UTF-8 without byte-order mark, read once from start to end.

    Raises BadRows for bytes that are invalid in the declared encoding, for NUL, and, given a ``quote``, for one that is
    not closed (on the same line, unless ``multiline``): Arrow would read the rest of a CSV file as one field.
    """

    def __init__(
        self,
        path: RawFile,
        encoding: str,
        quote: str = "",
        multiline: bool = False,
        advance: Callable[[int], None] = lambda _: None,
        filter: Callable[[bytes, bool], bytes] = lambda block, _: block,
    ) -> None:
        """Open the file; ``advance`` is called with the number of bytes read.

        ``filter`` changes decoded blocks before their quotes are counted; it is told which is the last, which is empty.
        """
        self._path, self._file = path, path.open()
        self._encoding = codecs.lookup(encoding).name
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._quote, self._multiline = ord(quote) if quote else None, multiline
        self._offset = 0  # bytes read from the file
        self._lines = 0  # line ends seen
        self._open = 0  # quotes seen on the current line, or in the whole file if multiline
        self._opened_on = 0  # the line of the last of them
        self._ahead = b""  # read by peek, not yet by read
        self._advance, self._filter = advance, filter

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def peek(self, size: int) -> bytes:
        """Return the next checked bytes, and keep them for the next read."""
        self._ahead = self._ahead or self.read(size)
        return self._ahead

    def blank(self, size: int) -> None:
        """Replace the first bytes that peek has returned by empty lines, which Arrow skips."""
        self._ahead = b"\n" * size + self._ahead[size:]

    def read(self, size: int = -1, /) -> bytes:
        """Return checked bytes, about ``size`` of them, fewer only at the end.

        They end in ``\\r`` only at the end of the file: Arrow would drop a ``\\n`` that follows, even between quotes.
        """
        parts, self._ahead = [self._ahead], b""
        room, block = size - len(parts[0]), None
        while block != b"" and (room > 0 or parts[-1].endswith(b"\r")):
            block = self._file.read(max(room, 1))
            if checked := self._checked(block):
                parts.append(checked)
                room -= len(checked)
        return b"".join(parts)

    def _checked(self, block: bytes) -> bytes:
        if self._offset == 0 and block.startswith(codecs.BOM_UTF8) and self._encoding == "utf-8":
            raise BadRows(f"{self._path}@0", "byte-order mark at the start of the file", "set encoding: utf-8-sig")
        plain = block.isascii() and self._encoding in {"utf-8", "ascii"} and not self._decoder.getstate()[0]
        checked = block if plain else self._decoded(block)
        if (at := checked.find(0)) >= 0:
            line = self._lines + checked.count(b"\n", 0, at) + 1
            raise BadRows(f"{self._path}:{line}", "NUL character", "remove it, or set the file's encoding")
        self._offset += len(block)
        self._advance(len(block))
        checked = self._filter(checked, not block)
        self._count_quotes(checked)
        if not block and self._open & 1:
            raise self._unclosed(self._opened_on)
        return checked

    def _decoded(self, block: bytes) -> bytes:
        try:
            return self._decoder.decode(block, final=not block).encode()
        except UnicodeError as error:
            at, reason = self._offset, str(error)
            if isinstance(error, UnicodeDecodeError):  # its object ends with the block, and may start before it
                at, reason = at + len(block) - len(error.object) + error.start, error.reason
            raise BadRows(f"{self._path}@{at}", f"invalid {self._encoding}: {reason}", ENCODING) from error

    def _count_quotes(self, block: bytes) -> None:
        lines = block.count(b"\n")
        if self._quote is not None and (block.find(self._quote) >= 0 or self._open):
            data = np.frombuffer(block, np.uint8)
            ends, quotes = np.flatnonzero(data == NEWLINE), np.flatnonzero(data == self._quote)
            per_line = np.bincount(np.searchsorted(ends, quotes), minlength=len(ends) + 1)
            per_line[0] += self._open
            if self._multiline:
                self._open = int(per_line.sum())
            elif len(odd := np.flatnonzero(per_line[:-1] & 1)):
                raise self._unclosed(self._lines + int(odd[0]) + 1)
            else:
                self._open = int(per_line[-1])
            if len(quotes):
                self._opened_on = self._lines + int(np.searchsorted(ends, quotes[-1])) + 1
        self._lines += lines

    def _unclosed(self, line: int) -> BadRows:
        fix = "close or double it, or set quote: none" if self._multiline else CLOSE
        return BadRows(f"{self._path}:{line}", "unclosed quote", fix)


def check_encoding(encoding: str, where: str) -> None:
    """Raise UsageError unless Python has a text encoding of that name."""
    try:
        "a".encode(encoding)
    except (LookupError, ValueError) as error:
        raise UsageError(where, f"unknown encoding {encoding}", "use an encoding of Python, such as latin-1") from error

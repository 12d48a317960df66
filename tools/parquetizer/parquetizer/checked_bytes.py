"""The bytes of a text file on their way to Arrow: decoded, and refused where Arrow would read them wrongly."""

import codecs
import io
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from stage.errors import BadRows, UsageError

NEWLINE: Final = ord("\n")


class CheckedBytes(io.RawIOBase):
    """A text file as UTF-8 without byte-order mark, read once from front to back.

    Raises BadRows at bytes that are not in the declared encoding, at NUL, and, given a ``quote``, where one is opened
    and not closed (on the same line, unless ``multiline``): Arrow would take the rest of a CSV file as one field.
    """

    def __init__(
        self,
        path: Path,
        encoding: str,
        quote: str = "",
        multiline: bool = False,
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Open the file; ``advance`` is told how many bytes were read."""
        self._path, self._file = path, path.open("rb")
        self._encoding = codecs.lookup(encoding).name
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._quote, self._multiline = ord(quote) if quote else None, multiline
        self._offset = 0  # bytes read from the file
        self._lines = 0  # line ends seen
        self._open = 0  # quotes seen on the current line, or in the whole file if multiline
        self._opened_on = 0  # the line of the last of them
        self._ahead = b""  # read by peek, not yet by read
        self._advance = advance

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def peek(self, size: int) -> bytes:
        """Return the next checked bytes, and keep them for the next read."""
        self._ahead = self._ahead or self.read(size)
        return self._ahead

    def read(self, size: int = -1, /) -> bytes:
        """Return checked bytes, about ``size`` of them, fewer only at the end.

        They end in no ``\\r`` but the file's last: Arrow drops a ``\\n`` from the next ones then, even between quotes.
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
            raise BadRows(f"{self._path}@0", "the file starts with a byte-order mark", "set encoding: utf-8-sig")
        plain = block.isascii() and self._encoding in {"utf-8", "ascii"} and not self._decoder.getstate()[0]
        checked = block if plain else self._decoded(block)
        if (at := checked.find(0)) >= 0:
            line = self._lines + checked.count(b"\n", 0, at) + 1
            raise BadRows(f"{self._path}:{line}", "NUL character", "remove it, or declare the file's encoding")
        self._offset += len(block)
        self._advance(len(block))
        self._count_quotes(checked)
        if not block and self._open & 1:
            raise self._not_closed(self._opened_on)
        return checked

    def _decoded(self, block: bytes) -> bytes:
        try:
            return self._decoder.decode(block, final=not block).encode()
        except UnicodeError as error:
            at, reason = self._offset, str(error)
            if isinstance(error, UnicodeDecodeError):  # its object ends where the block does, and may begin before it
                at, reason = at + len(block) - len(error.object) + error.start, error.reason
            raise BadRows(
                f"{self._path}@{at}", f"not {self._encoding}: {reason}", "declare the file's encoding: in params.yaml"
            ) from error

    def _count_quotes(self, block: bytes) -> None:
        lines = block.count(b"\n")
        if self._quote is not None and (block.find(self._quote) >= 0 or self._open):
            data = np.frombuffer(block, np.uint8)
            ends, quotes = np.flatnonzero(data == NEWLINE), np.flatnonzero(data == self._quote)
            of_line = np.bincount(np.searchsorted(ends, quotes), minlength=len(ends) + 1)
            of_line[0] += self._open
            if self._multiline:
                self._open = int(of_line.sum())
            elif len(odd := np.flatnonzero(of_line[:-1] & 1)):
                raise self._not_closed(self._lines + int(odd[0]) + 1)
            else:
                self._open = int(of_line[-1])
            if len(quotes):
                self._opened_on = self._lines + int(np.searchsorted(ends, quotes[-1])) + 1
        self._lines += lines

    def _not_closed(self, line: int) -> BadRows:
        cure = "close or double it" if self._multiline else "close or double it, or set multiline: true"
        return BadRows(f"{self._path}:{line}", "a quote is opened and not closed", cure)


def check_encoding(encoding: str, where: str) -> None:
    """Raise UsageError where Python knows no text encoding of that name."""
    try:
        "a".encode(encoding)
    except (LookupError, ValueError) as error:
        raise UsageError(where, f"unknown encoding {encoding}", "use a name Python knows, as latin-1") from error

"""Find the end of an HTTP body: by its length, its chunks, or the end of the connection (RFC 9112, section 6)."""

import http.client
import re
from email.message import Message
from io import BufferedReader
from typing import Final, Protocol

LENGTH: Final = re.compile(r"[0-9]{1,18}")
CHUNK_SIZE: Final = re.compile(rb"[ \t]*([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?\n", re.DOTALL)
MAX_LINE, MAX_TRAILERS = 1 << 16, 100


class Malformed(http.client.HTTPException):
    """The answer is not HTTP."""


class Framed(Protocol):
    """A body; ``left`` is how many bytes are still to come, None where that is unknown, ``marked`` if its end is."""

    left: int | None
    marked: bool

    def readinto(self, block: memoryview) -> int:
        """Fill some of ``block`` and return how much; zero at the end."""


def framed(headers: Message, file: BufferedReader) -> Framed:
    """Return the body that follows these headers. Raises Malformed where they contradict each other."""
    encodings = [each for each in _values(headers, "Transfer-Encoding") if each.lower() != "identity"]
    if [each.lower() for each in encodings] == ["chunked"]:
        return Chunks(file)
    if encodings:
        raise Malformed(f"unsupported transfer encoding {', '.join(encodings):.60}")
    lengths = set(_values(headers, "Content-Length"))
    if len(lengths) > 1 or not all(LENGTH.fullmatch(each) for each in lengths):
        raise Malformed(f"invalid content length {', '.join(sorted(lengths)):.60}")
    return Stretch(file, int(lengths.pop()) if lengths else None)


def _values(headers: Message, name: str) -> list[str]:
    values = (part.strip() for value in headers.get_all(name, []) for part in str(value).split(","))
    return [value for value in values if value]


class Stretch:
    """A body of so many bytes, or up to the end of the connection."""

    def __init__(self, file: BufferedReader, length: int | None) -> None:
        self._file, self.left, self.marked = file, length, length is not None

    def readinto(self, block: memoryview) -> int:
        # one recv straight into the block: readinto would wait until the block is full
        window = block if self.left is None else block[: self.left]
        got = self._file.readinto1(window) if window else 0
        if self.left is not None:
            self.left -= got
        return got


class Chunks:
    """A body in chunks; extensions and trailers are read over."""

    def __init__(self, file: BufferedReader) -> None:
        self._file, self._chunk = file, Stretch(file, 0)
        self._first, self._ended = True, False
        self.left: int | None = None
        self.marked = True

    def readinto(self, block: memoryview) -> int:
        if not self._chunk.left and not self._ended:
            self._next()
        if self._ended or not block:
            return 0
        if not (got := self._chunk.readinto(block)):
            raise http.client.IncompleteRead(b"", self._chunk.left)
        return got

    def _next(self) -> None:
        if not self._first and self._line().strip(b"\r\n"):
            raise Malformed("a chunk is longer than its size")
        self._first = False
        size = CHUNK_SIZE.fullmatch(line := self._line())
        if not size:
            raise Malformed(f"invalid size of a chunk: {line[:40]!r}")
        self._chunk.left = int(size[1], 16)
        self._ended = not self._chunk.left
        if self._ended:
            self._skip_trailers()

    def _skip_trailers(self) -> None:
        for _ in range(MAX_TRAILERS):
            if not self._file.readline(MAX_LINE).strip(b"\r\n"):  # some servers hang up in place of the last line
                return
        raise Malformed("trailers without end")

    def _line(self) -> bytes:
        line = self._file.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            raise http.client.IncompleteRead(line) if len(line) < MAX_LINE else http.client.LineTooLong("chunk size")
        return line

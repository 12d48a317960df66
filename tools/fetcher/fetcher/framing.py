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
    """The response is not valid HTTP."""


class FramedBody(Protocol):
    """A body; ``remaining`` is how many bytes are still to come, None if unknown, ``framed`` if its end is marked."""

    remaining: int | None
    framed: bool

    def readinto(self, block: memoryview) -> int:
        """Fill some of ``block`` and return how much; zero at the end."""


def body_of(headers: Message, file: BufferedReader) -> FramedBody:
    """Return the body that follows these headers. Raises Malformed if they are contradictory."""
    encodings = [value for value in _values(headers, "Transfer-Encoding") if value.lower() != "identity"]
    if [value.lower() for value in encodings] == ["chunked"]:
        return ChunkedBody(file)
    if encodings:
        raise Malformed(f"unsupported transfer encoding {', '.join(encodings):.60}")
    lengths = set(_values(headers, "Content-Length"))
    if len(lengths) > 1 or not all(LENGTH.fullmatch(value) for value in lengths):
        raise Malformed(f"invalid content length {', '.join(sorted(lengths)):.60}")
    return PlainBody(file, int(lengths.pop()) if lengths else None)


def _values(headers: Message, name: str) -> list[str]:
    values = (part.strip() for value in headers.get_all(name, []) for part in str(value).split(","))
    return [value for value in values if value]


class PlainBody:
    """A body of known length, or up to the end of the connection."""

    def __init__(self, file: BufferedReader, length: int | None) -> None:
        self._file, self.remaining, self.framed = file, length, length is not None

    def readinto(self, block: memoryview) -> int:
        # one recv straight into the block: readinto would wait until the block is full
        window = block if self.remaining is None else block[: self.remaining]
        size = self._file.readinto1(window) if window else 0
        if self.remaining is not None:
            self.remaining -= size
        return size


class ChunkedBody:
    """A body in chunks; extensions and trailers are ignored."""

    def __init__(self, file: BufferedReader) -> None:
        self._file, self._chunk = file, PlainBody(file, 0)
        self._first, self._ended = True, False
        self.remaining: int | None = None
        self.framed = True

    def readinto(self, block: memoryview) -> int:
        if not self._chunk.remaining and not self._ended:
            self._next_chunk()
        if self._ended or not block:
            return 0
        if not (size := self._chunk.readinto(block)):
            raise http.client.IncompleteRead(b"", self._chunk.remaining)
        return size

    def _next_chunk(self) -> None:
        if not self._first and self._line().strip(b"\r\n"):
            raise Malformed("chunk longer than its size")
        self._first = False
        size = CHUNK_SIZE.fullmatch(line := self._line())
        if not size:
            raise Malformed(f"invalid chunk size {line[:40]!r}")
        self._chunk.remaining = int(size[1], 16)
        self._ended = not self._chunk.remaining
        if self._ended:
            self._skip_trailers()

    def _skip_trailers(self) -> None:
        for _ in range(MAX_TRAILERS):
            if not self._file.readline(MAX_LINE).strip(b"\r\n"):  # some servers close instead of sending the last line
                return
        raise Malformed(f"more than {MAX_TRAILERS} trailers")

    def _line(self) -> bytes:
        line = self._file.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            raise http.client.IncompleteRead(line) if len(line) < MAX_LINE else http.client.LineTooLong("chunk size")
        return line

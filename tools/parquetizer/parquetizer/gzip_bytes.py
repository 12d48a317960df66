"""Read a file that may be gzip-compressed, and refuse one that is cut, damaged or followed by something else.

Python's gzip module passes over zeros after the end and reads any number of members as one file; here a file is one
member and nothing more, as the sources send it.
"""

import os
import zlib
from pathlib import Path
from types import TracebackType
from typing import Self

from stage.errors import CorruptFile

MAGIC = b"\x1f\x8b"
BLOCK = 1 << 18
RATIO = 1032  # what deflate makes of a byte at most: https://zlib.net/zlib_tech.html


class GzipBytes:
    """The content of a file, decompressed if it is gzip (RFC 1952), in pieces of the size asked for."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("rb")
        self._gzip = self._file.read(2) == MAGIC
        self._file.seek(0)
        self._decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)  # 16: with gzip's header, CRC and length
        self._ahead = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    @property
    def most(self) -> int:
        """How many bytes there can be at most."""
        return os.fstat(self._file.fileno()).st_size * (RATIO if self._gzip else 1)

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end. Raises CorruptFile where the file is damaged."""
        if not self._gzip:
            return self._file.read(size)
        parts = []
        while size > 0 and (part := self._decompressed(size)):
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def _decompressed(self, size: int) -> bytes:
        while not self._decoder.eof:
            compressed = self._ahead or self._file.read(BLOCK)
            try:
                part = self._decoder.decompress(compressed, size)
            except zlib.error as error:
                raise self._corrupt(str(error)) from error
            self._ahead = self._decoder.unconsumed_tail
            if part:
                return part
            if not compressed and not self._decoder.eof:
                raise self._corrupt("the file is cut short")
        if self._decoder.unused_data or self._file.read(1):
            raise self._corrupt("something follows the end of the compressed data")
        return b""

    def _corrupt(self, what: str) -> CorruptFile:
        return CorruptFile(self._path, f"not a whole gzip file: {what}", "fetch it again")

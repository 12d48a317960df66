"""Read IDX files, plain or gzip, the format of MNIST: http://yann.lecun.com/exdb/mnist, "the IDX file format"."""

import math
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
from stage.errors import CorruptFile, EmptyInput, SchemaMismatch

UINT8 = 0x08
GZIP = b"\x1f\x8b"
BLOCK = 1 << 18
MAX_RATIO = 1032  # of deflate: https://zlib.net/zlib_tech.html

Items = npt.NDArray[np.uint8]


class GzipBytes:
    """The content of a file, decompressed if it is gzip (RFC 1952).

    Unlike Python's gzip module it accepts one member and nothing after it, not even zeros.
    """

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("rb")
        self._gzip = self._file.read(2) == GZIP
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
    def max_size(self) -> int:
        """The maximum size of the content in bytes."""
        return os.fstat(self._file.fileno()).st_size * (MAX_RATIO if self._gzip else 1)

    def read(self, size: int) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end. Raises CorruptFile if the file is damaged."""
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
                raise self._corrupt("truncated")
        if self._decoder.unused_data or self._file.read(1):
            raise self._corrupt("data after the end")
        return b""

    def _corrupt(self, what: str) -> CorruptFile:
        return CorruptFile(self._path, f"damaged gzip file: {what}", "fetch it again")


class IdxFile:
    """The items of an IDX file of unsigned bytes: ``count`` of them, each of ``shape``."""

    def __init__(self, path: Path, content: GzipBytes) -> None:
        self._path, self._content = path, content
        if not content.max_size:
            raise EmptyInput(path, "the file is empty", "check that the source sent the whole file")
        zeros, kind, dimensions = struct.unpack(">HBB", self._exactly(4, "the header"))
        if zeros or not dimensions:
            raise CorruptFile(path, "not an IDX file: invalid magic number", "fetch it again")
        if kind != UINT8:
            raise SchemaMismatch(path, f"unsupported IDX type 0x{kind:02x}", "convert it to unsigned bytes (0x08)")
        self.count, *shape = struct.unpack(f">{dimensions}I", self._exactly(4 * dimensions, "the header"))
        self.shape = tuple(shape)
        if not self.count or not math.prod(shape):
            raise EmptyInput(path, f"no items: the dimensions are {(self.count, *shape)}", "fetch it again")
        if self.count * math.prod(shape) > content.max_size:  # checked before memory is allocated
            raise self._truncated(f"its {self.count} items")

    def read(self, count: int) -> Items:
        """Return the next ``count`` items: uint8, shape (count, size of an item)."""
        size = math.prod(self.shape)
        return np.frombuffer(self._exactly(count * size, f"its {self.count} items"), np.uint8).reshape(count, size)

    def check_end(self) -> None:
        """Raise CorruptFile if there is data after the last item."""
        if self._content.read(1):
            raise CorruptFile(self._path, f"data after its {self.count} items", "fetch it again")

    def _exactly(self, size: int, what: str) -> bytes:
        data = self._content.read(size)
        if len(data) < size:
            raise self._truncated(what)
        return data

    def _truncated(self, what: str) -> CorruptFile:
        return CorruptFile(self._path, f"truncated in {what}", "fetch it again")


@contextmanager
def open_idx(path: Path, shape: tuple[int, ...]) -> Iterator[IdxFile]:
    """Open an IDX file whose items must have the given shape; memory is allocated only after the header is checked.

    Raises CorruptFile for an invalid or damaged IDX file, SchemaMismatch for one of another type or shape.
    """
    with GzipBytes(path) as content:
        file = IdxFile(path, content)
        if file.shape != shape:
            raise SchemaMismatch(path, f"expected items of shape {shape}, got {file.shape}", "correct the shape")
        yield file

"""Read IDX files, plain or compressed, the format of MNIST: http://yann.lecun.com/exdb/mnist, "the IDX file format"."""

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from stage.errors import CorruptFile, EmptyInput, SchemaMismatch

from parquetizer.raw.files import RawFile

UINT8 = 0x08
MAX_RATIO = 1032  # of deflate: https://zlib.net/zlib_tech.html

Items = npt.NDArray[np.uint8]


class IdxFile:
    """The items of an IDX file of unsigned bytes: ``count`` of them, each of ``shape``."""

    def __init__(self, path: Path, content: BinaryIO, max_size: int) -> None:
        """``max_size`` is the maximum number of bytes in ``content``."""
        self._path, self._content = path, content
        if not max_size:
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
        if self.count * math.prod(shape) > max_size:  # checked before memory is allocated
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
    raw = RawFile.of(path, max_ratio=MAX_RATIO)
    with raw.open(one_stream=True) as content:
        file = IdxFile(path, content, raw.size or MAX_RATIO * path.stat().st_size)
        if file.shape != shape:
            raise SchemaMismatch(path, f"expected items of shape {shape}, got {file.shape}", "correct the shape")
        yield file

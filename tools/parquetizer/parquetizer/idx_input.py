"""Read IDX files, the format of MNIST: http://yann.lecun.com/exdb/mnist, "the IDX file format"."""

import math
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from stage.errors import CorruptFile, EmptyInput, SchemaMismatch

from parquetizer.gzip_bytes import GzipBytes

UINT8 = 0x08

Items = npt.NDArray[np.uint8]


class IdxFile:
    """The items of an IDX file of unsigned bytes: ``count`` of them, each of ``shape``."""

    def __init__(self, path: Path, content: GzipBytes) -> None:
        self._path, self._content = path, content
        if not content.most:
            raise EmptyInput(path, "the file is empty", "check that the source sent the whole file")
        zeros, kind, dimensions = struct.unpack(">HBB", self._exactly(4, "the header"))
        if zeros or not dimensions:
            raise CorruptFile(path, "not an IDX file: it does not begin with its magic number", "fetch it again")
        if kind != UINT8:
            raise SchemaMismatch(path, f"its items are of IDX type 0x{kind:02x}", "only unsigned bytes (0x08) are read")
        self.count, *shape = struct.unpack(f">{dimensions}I", self._exactly(4 * dimensions, "the header"))
        self.shape = tuple(shape)
        if not self.count or not math.prod(shape):
            raise EmptyInput(path, f"holds nothing: its dimensions are {(self.count, *shape)}", "fetch it again")
        if self.count * math.prod(shape) > content.most:  # told before memory is taken for them
            raise self._cut_short(f"its {self.count} items")

    def read(self, count: int) -> Items:
        """Return the next ``count`` items: uint8, shape (count, size of an item)."""
        size = math.prod(self.shape)
        return np.frombuffer(self._exactly(count * size, f"its {self.count} items"), np.uint8).reshape(count, size)

    def check_end(self) -> None:
        """Raise CorruptFile where something follows the last item."""
        if self._content.read(1):
            raise CorruptFile(self._path, f"something follows its {self.count} items", "fetch it again")

    def _exactly(self, size: int, what: str) -> bytes:
        data = self._content.read(size)
        if len(data) < size:
            raise self._cut_short(what)
        return data

    def _cut_short(self, what: str) -> CorruptFile:
        return CorruptFile(self._path, f"ends within {what}", "fetch it again")


@contextmanager
def open_idx(path: Path, shape: tuple[int, ...]) -> Iterator[IdxFile]:
    """Open an IDX file whose items must have the given shape; nothing is allocated before the header fits.

    Raises CorruptFile for what is no whole IDX file, SchemaMismatch for one of another type or shape.
    """
    with GzipBytes(path) as content:
        file = IdxFile(path, content)
        if file.shape != shape:
            raise SchemaMismatch(path, f"its items have shape {file.shape}, declared is {shape}", "correct the shape")
        yield file

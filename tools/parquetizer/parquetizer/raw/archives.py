"""Read the members of zip and tar archives, without unpacking them to disk."""

import io
from array import array
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import CorruptFile, PolicyViolation

from parquetizer.raw.compression import BLOCK
from parquetizer.raw.files import RawFile

MAX_NAME: Final = 4096  # bytes, as of a path on Linux
NAMES: Final = 1 << 16  # names that are Python strings at a time
REPACK: Final = "pack the archive again without it"


class Window(io.RawIOBase):
    """A part of a file as a file of its own, which raises CorruptFile if the file ends before it."""

    def __init__(self, file: Any, start: int | None, size: int, where: str, owns: bool = True) -> None:
        """Without ``start`` it begins where the file is, and is read forward; ``owns`` closes the file with it."""
        self._file, self._start, self._size, self._where, self._owns = file, start, size, where, owns
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._start is not None

    def close(self) -> None:
        if self._owns:
            self._file.close()
        super().close()

    def seek(self, offset: int, origin: int = io.SEEK_SET, /) -> int:
        self._at = max(0, offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[origin])
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        with memoryview(buffer) as view:
            size = min(len(view), max(0, self._size - self._at))
            if self._start is not None:
                self._file.seek(self._start + self._at)
            data = self._file.read(size)
            view[: len(data)] = data
        if len(data) < size:
            raise CorruptFile(self._where, "truncated", "fetch the archive again")
        self._at += size
        return size


class Index:
    """The members to read: their names and a number for each, in few bytes, sorted by name at the end."""

    def __init__(self, archive: RawFile) -> None:
        self._archive, self._numbers = archive, array("Q")
        self._names: list[str] = []
        self._chunks: list[pa.Array] = []

    def add(self, name: str, number: int) -> None:
        self._names.append(name)
        self._numbers.append(number)
        if len(self._names) >= NAMES:
            self._chunks.append(pa.array(self._names, pa.large_string()))
            self._names = []

    def sorted(self) -> Iterator[tuple[str, int]]:
        """Yield names and numbers, sorted by name. Raises PolicyViolation for a duplicate name."""
        names, order = self._sorted()
        numbers = np.frombuffer(self._numbers, np.uint64)[order.to_numpy()]
        for start in range(0, len(names), NAMES):
            yield from zip(
                names[start : start + NAMES].to_pylist(), numbers[start : start + NAMES].tolist(), strict=True
            )

    def check(self) -> None:
        """Raise PolicyViolation for a duplicate name."""
        self._sorted()

    def _sorted(self) -> tuple[pa.Array, pa.Array]:
        names = pa.chunked_array([*self._chunks, pa.array(self._names, pa.large_string())]).combine_chunks()
        order = pc.sort_indices(names)
        names = names.take(order)
        if len(names) > 1 and (equal := pc.index(pc.equal(names[1:], names[:-1]), True).as_py()) >= 0:
            what = f"duplicate member {names[equal].as_py()!r:.200}"
            raise PolicyViolation(self._archive, what, "pack the archive again with one of them")
        return names, order


def checked_name(archive: RawFile, name: str) -> str:
    """Return the name of a member without ``.`` parts. Raises PolicyViolation for one that leaves a folder."""
    name = name.replace("\\", "/")  # as some programs for Windows write it
    parts = [part for part in name.split("/") if part not in ("", ".")]
    drive = bool(parts) and parts[0][1:2] == ":"
    if name.startswith("/") or ".." in parts or drive or not name.isprintable() or len(name) > MAX_NAME:
        raise PolicyViolation(archive, f"invalid name of a member: {name!r:.200}", REPACK)
    return "/".join(parts)


def skip(file: BinaryIO, size: int) -> int:
    """Read over bytes of a stream; return how many there were."""
    left = size
    while left and (block := file.read(min(left, BLOCK))):
        left -= len(block)
    return size - left

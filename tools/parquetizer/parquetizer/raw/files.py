"""Open raw files as streams of decompressed bytes."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
from stage.errors import InputMissing, PolicyViolation
from stage.inside import inside

from parquetizer.raw.compression import HEAD, MAX_RATIO, compression_of, decompressed
from parquetizer.raw.globs import is_pattern, matcher

MAX_IN_MEMORY: Final = 64 << 20  # bytes of a file that needs seeking and is compressed


class RawFile:
    """A raw file, or a member of an archive: its name within the folder, and the place for errors as ``str()``."""

    def __init__(
        self, name: str, where: str, size: int, opened: Callable[[], BinaryIO], max_ratio: int = MAX_RATIO
    ) -> None:
        """Take ``opened``, which opens the bytes as they are stored, again and again; ``size`` is 0 if unknown."""
        self.name, self.size = name, size
        self._where, self._opened, self.max_ratio = where, opened, max_ratio

    @classmethod
    def of(cls, path: Path, name: str = "", max_ratio: int = MAX_RATIO) -> "RawFile":
        """Return the raw file at a path."""
        with path.open("rb") as file:
            size = 0 if compression_of(file.read(HEAD)) else path.stat().st_size
        return cls(name or path.name, str(path), size, lambda: path.open("rb"), max_ratio)

    def __str__(self) -> str:
        return self._where

    def member(self, name: str, size: int, opened: Callable[[], BinaryIO]) -> "RawFile":
        """Return a member of this archive."""
        return RawFile(f"{self.name}/{name}", f"{self}/{name}", size, opened, self.max_ratio)

    def open_stored(self) -> BinaryIO:
        """Open the bytes as they are stored, which may be compressed."""
        return self._opened()

    def open(self, one_stream: bool = False) -> BinaryIO:
        """Open the decompressed bytes; ``one_stream`` rejects several compressed streams in the file.

        Reading raises CorruptFile for damaged data, PolicyViolation for a decompression bomb.
        """
        stored = self._opened()
        kind = compression_of(stored.peek(HEAD)[:HEAD])  # type: ignore[attr-defined]  # each is a BufferedReader
        return decompressed(stored, kind, str(self), self.max_ratio, one_stream) if kind else stored

    def head(self, size: int) -> bytes:
        """Return the first decompressed bytes."""
        with self.open() as file:
            return file.read(size)

    def open_seekable(self) -> pa.NativeFile:
        """Open the decompressed bytes for formats that are not read from start to end.

        What is compressed is held in memory; raises PolicyViolation above 64 MiB.
        """
        stored = self.open()
        if isinstance(stored, io.BufferedReader) and isinstance(stored.raw, io.FileIO):
            stored.close()
            return pa.OSFile(str(stored.raw.name))
        if stored.seekable():
            return pa.PythonFile(stored, "r")
        with stored:
            data = stored.read(MAX_IN_MEMORY + 1)
        if len(data) > MAX_IN_MEMORY:
            what = f"compressed, and larger than {MAX_IN_MEMORY >> 20} MiB: its format cannot be read as a stream"
            raise PolicyViolation(self, what, "list it uncompressed in sources.csv: it has compression of its own")
        return pa.BufferReader(data)


def find_files(raw: Path, pattern: str, max_ratio: int = MAX_RATIO) -> list[RawFile]:
    """Return the file of a name in ``raw``, or those that match a pattern, sorted by name.

    Raises InputMissing without any, PolicyViolation for one outside ``raw``.
    """
    names = [pattern]
    if is_pattern(pattern) and not inside(raw, pattern, "parquetizer.inputs").is_file():
        matches = matcher(pattern)
        names = sorted(filter(matches, (path.relative_to(raw).as_posix() for path in files_in(raw))))
    paths = {name: inside(raw, name, "parquetizer.inputs") for name in names}
    if missing := [path for path in paths.values() if not path.is_file()] or ([] if paths else [raw / pattern]):
        raise InputMissing(missing[0], "not found", "run the fetcher, or correct parquetizer.inputs")
    return [RawFile.of(path, name, max_ratio) for name, path in paths.items()]


def files_in(folder: Path) -> Iterator[Path]:
    """Yield everything in a folder and its subfolders; unlike rglob, raise for one that cannot be read."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from files_in(path)
        else:
            yield path

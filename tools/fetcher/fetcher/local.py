"""Files on this machine: ``file:`` sources beside sources.csv, and folders that serve as a mirror."""

import os
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stage.errors import PolicyViolation

from fetcher.body import Kept
from fetcher.failures import Absent


class LocalBody:
    """An open file on this machine, always from its first byte: reading it again costs less than resuming."""

    start = 0
    validator: str | None = None
    framed = True
    encoding: str | None = None

    def __init__(self, path: Path) -> None:
        # without O_NONBLOCK a named pipe would wait for its writer
        self._file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0)
        self.total: int | None = os.fstat(self._file.fileno()).st_size

    def readinto(self, block: memoryview) -> int:
        """Read what comes next; zero at the end."""
        return self._file.readinto(block) or 0

    def close(self) -> None:
        self._file.close()


def open_local(path: Path, where: str) -> LocalBody:
    """Open a regular file; raise Absent where there is none."""
    try:
        is_file = stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        raise Absent(where, f"{path} does not exist", "correct the path in sources.csv") from None
    if not is_file:
        raise PolicyViolation(where, f"{path} is not a regular file", "name a regular file")
    return LocalBody(path)


def source_path(url: str, folder: Path, where: str) -> Path:
    """Return the path that a ``file:`` URL means; raise PolicyViolation if it lies outside ``folder``."""
    parts = urlsplit(url)
    written = unquote(parts.path)
    if parts.netloc not in {"", "localhost"} or not written or "\0" in written:
        raise PolicyViolation(where, f"{url[:200]!r} is no local path", "write file:path, relative to sources.csv")
    base = folder.resolve()
    path = (base / written).resolve()
    if not path.is_relative_to(base):
        raise PolicyViolation(where, f"{written} lies outside {folder}", "move the file beside sources.csv")
    return path


class LocalFile:
    """A ``file:`` source, or a file in a mirror's folder."""

    def __init__(self, path: Path, where: str) -> None:
        self.url, self._path, self._where = path.as_uri(), path, where

    def open(self, kept: Kept | None) -> LocalBody:
        """Open the file from its first byte, whatever was kept."""
        return open_local(self._path, self._where)

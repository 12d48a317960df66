"""Files on this machine: sources next to sources.csv, and folders that serve as a mirror."""

import os
import re
import stat
from pathlib import Path
from urllib.parse import unquote, urlsplit

from stage.errors import PolicyViolation

from fetcher.download import Resume
from fetcher.failures import NotFound

STORAGE = ".sources"  # folder next to sources.csv with files named by their SHA-256
REGISTRY_URL = re.compile(r"registry:([0-9a-f]{64})")


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
        """Fill some of ``block`` and return how much; zero at the end."""
        return self._file.readinto(block) or 0

    def close(self) -> None:
        self._file.close()


class LocalFile:
    """A ``file:`` source, or a file in a mirror's folder."""

    def __init__(self, path: Path, where: str) -> None:
        self.url, self._path, self._where = path.as_uri(), path, where

    def open(self, resume: Resume | None) -> LocalBody:
        """Open the file at its first byte; raise NotFound if there is none, PolicyViolation if it is not regular."""
        try:
            is_file = stat.S_ISREG(self._path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            raise NotFound(self._where, f"{self._path} not found", "correct the path in sources.csv") from None
        if not is_file:
            raise PolicyViolation(self._where, f"{self._path} is not a regular file", "use a regular file")
        return LocalBody(self._path)


class StoredFile(LocalFile):
    """A file in the storage next to sources.csv: a ``registry:`` source, or a copy of one whose URLs may not answer."""

    def __init__(self, sha256: str, folder: Path, where: str) -> None:
        super().__init__((folder / STORAGE / sha256).absolute(), where)
        self.url = f"registry:{sha256}"

    @property
    def exists(self) -> bool:
        return self._path.exists()

    def open(self, resume: Resume | None) -> LocalBody:
        """Open the file at its first byte; raise NotFound if there is none, PolicyViolation if it is not regular."""
        try:
            return super().open(resume)
        except NotFound:
            fix = "make dataset takes it from the DVC remote; make refresh FROM=... stores the file here again"
            raise NotFound(self._where, f"{self.url} not found in {STORAGE}", fix) from None


def stored_file(url: str, folder: Path, where: str) -> StoredFile:
    """Return the location of a ``registry:`` URL; raise PolicyViolation if it is invalid."""
    if not (match := REGISTRY_URL.fullmatch(url)):
        raise PolicyViolation(where, f"invalid registry URL {url[:200]!r}", "write registry: and the SHA-256")
    return StoredFile(match[1], folder, where)


def source_path(url: str, folder: Path, where: str) -> Path:
    """Return the path of a ``file:`` URL; raise PolicyViolation if it is outside ``folder``."""
    parts = urlsplit(url)
    relative = unquote(parts.path)
    if parts.netloc not in {"", "localhost"} or not relative or "\0" in relative:
        raise PolicyViolation(where, f"invalid file URL {url[:200]!r}", "write file:path, relative to sources.csv")
    base = folder.resolve()
    path = (base / relative).resolve()
    if not path.is_relative_to(base):
        raise PolicyViolation(where, f"{relative} is outside {folder}", "move the file next to sources.csv")
    return path

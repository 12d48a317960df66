"""A remote that is a folder."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from data_registry.stage.errors import DISK, UNWRITABLE, DiskFull, NetworkFailed, PushFailed, SourceRefused
from data_registry.stage.output import replacing
from data_registry.store.protocol import BLOCK, absent, blocks_of, object_path

COPIED = 1 << 20  # bytes at a time
OWNER = "change its owner or mode"


class FolderStore:
    """A remote that is a folder."""

    def __init__(self, remote: str, folder: Path) -> None:
        self.remote, self._folder = remote, folder

    @contextlib.contextmanager
    def read(self, md5: str, start: int = 0) -> Iterator[Iterator[bytes]]:
        """Open an object after ``start`` bytes, in blocks; what is no regular file is no object."""
        with self._refused(md5):
            file = open(self._folder / object_path(md5), "rb", opener=_without_waiting)  # noqa: SIM115
        with file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise absent(self.remote, md5)
            file.seek(start)
            yield blocks_of(lambda: file.read(BLOCK), lambda: self._failing(md5))

    def size(self, md5: str) -> int:
        """Return the size of an object."""
        with self._refused(md5):
            found = (self._folder / object_path(md5)).stat()
        if not stat.S_ISREG(found.st_mode):
            raise absent(self.remote, md5)
        return found.st_size

    def write(self, md5: str, source: Path, advance: Callable[[int], None] = lambda _: None) -> None:
        """Put a file in the place of an object, whatever is there."""
        with (
            self._taken(md5),
            replacing(self._folder / object_path(md5)) as (temporary,),
            source.open("rb") as there,
            temporary.open("wb") as here,
        ):
            while block := there.read(COPIED):
                here.write(block)
                advance(len(block))

    def delete(self, md5: str) -> None:
        """Remove an object, and the folder of its first digits where that was the last in it."""
        path = self._folder / object_path(md5)
        with self._taken(md5):
            path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()

    def probe(self) -> str:
        """Return the address, once it has answered; before the first push there is none."""
        if not self._folder.exists():
            return f"{self._folder} (made by the first push)"
        if not os.access(self._folder, os.R_OK | os.X_OK | os.W_OK):
            raise SourceRefused(f"remote {self.remote}", f"permission denied: {self._folder}", OWNER)
        return str(self._folder)

    @contextlib.contextmanager
    def _refused(self, md5: str) -> Iterator[None]:
        with self._failing(md5):
            try:
                yield
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
                raise absent(self.remote, md5) from error
            except PermissionError as error:
                raise SourceRefused(f"remote {self.remote}", f"permission denied: {md5}", OWNER) from error

    @contextlib.contextmanager
    def _failing(self, md5: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:  # a socket, a disk that fails
            what = f"cannot read {md5}: {error.strerror}"
            raise NetworkFailed(f"remote {self.remote}", what, "check the disk, then run again") from error

    @contextlib.contextmanager
    def _taken(self, md5: str) -> Iterator[None]:
        where = f"remote {self.remote}"
        try:
            yield
        except OSError as error:
            what = f"cannot write {md5} to {self._folder}: {error.strerror}"
            if error.errno in DISK:
                raise DiskFull(where, what, "free some space there (df -h), then run again") from error
            if error.errno in UNWRITABLE:
                raise SourceRefused(where, what, OWNER) from error
            raise PushFailed(where, what, "check that folder, then run again") from error


def _without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe would have to wait for a writer."""
    return os.open(path, flags | os.O_NONBLOCK)

"""The hidden folder beside the output in which a set of files gathers until it is complete."""

import fcntl
import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stage.errors import PolicyViolation, UsageError
from stage.output import publish_folder

from fetcher.part import Part, part_stem
from fetcher.sources import Source

log = logging.getLogger(__name__)


class Staging:
    """``.<out>.partial``: finished files below ``files``, unfinished ones in ``parts``."""

    def __init__(self, out: Path) -> None:
        if out.is_symlink() or (out.exists() and not out.is_dir()):
            raise UsageError(out, "is not a folder", "name a folder, which may not exist yet")
        self._out, self.root = out, out.with_name(f".{out.name}.partial")
        self._files, self._parts = self.root / "files", self.root / "parts"

    def prepare(self, names: Iterable[str]) -> None:
        """Make the folders that the files will need, and remove what a run with other sources left."""
        for folder in (self.root, self._files, self._parts):
            _refuse_link(folder)
            folder.mkdir(exist_ok=True)
        wanted = set(names)
        for name, path in _entries(self._files):
            _refuse_link(path)
            if path.is_dir():
                if not any(other.startswith(f"{name}/") for other in wanted):
                    path.rmdir()
            elif name not in wanted:
                path.unlink()
        stems = {part_stem(name) for name in wanted}
        for path in self._parts.iterdir():
            if path.stem not in stems:
                path.unlink()
        for folder in {self.path(name).parent for name in wanted}:
            folder.mkdir(parents=True, exist_ok=True)

    def path(self, name: str) -> Path:
        """Return where the finished file ``name`` gathers."""
        return self._files / name

    def part(self, name: str) -> Part:
        """Return the unfinished file ``name``."""
        return Part(self._parts, name)

    def publish(self) -> None:
        """Put the complete set in the place of the output, in one step, and remove all else."""
        publish_folder(self._files, self._out)
        self.discard()

    def discard(self) -> None:
        """Remove the folder."""
        if self.root.exists():
            shutil.rmtree(self.root)


def holds(path: Path, source: Source) -> bool:
    """Say whether a file is what the pin of ``source`` says; an unpinned one never is."""
    if source.bytes is None or not path.is_file() or path.stat().st_size != source.bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == source.sha256


def holds_only(out: Path, sources: Iterable[Source]) -> bool:
    """Say whether the files in ``out`` have the names and sizes of ``sources``, and there are no others."""
    wanted = {source.name: source.bytes for source in sources}
    found = {name: path.stat().st_size for name, path in _entries(out) if path.is_file()}
    return found == wanted


@contextmanager
def alone_beside(out: Path) -> Iterator[None]:
    """Let one fetcher at a time work in the folder that ``out`` is in; the lock leaves no file behind."""
    out.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(out.parent, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("%s: another fetcher is at work here; waiting for it", out.parent)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _entries(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield what is below a folder with its name there, the inner before the outer, following no links."""
    for parent, folders, files in os.walk(folder, topdown=False, onerror=_unless_absent):
        for name in (*files, *folders):
            path = Path(parent, name)
            yield path.relative_to(folder).as_posix(), path


def _unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise PolicyViolation(path, "is a symbolic link, which could lead outside", "remove it")

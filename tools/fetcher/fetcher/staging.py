"""The hidden folder next to the output that holds a set of files until it is complete."""

import hashlib
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from stage.errors import PolicyViolation, UsageError
from stage.locks import locked
from stage.output import publish_folder

from fetcher.download import PartialFile, part_stem
from fetcher.sources import Source

log = logging.getLogger(__name__)


class Staging:
    """``.<out>.partial``: finished files in ``files``, partial ones in ``parts``."""

    def __init__(self, out: Path) -> None:
        if out.is_symlink() or (out.exists() and not out.is_dir()):
            raise UsageError(out, "not a folder", "use a folder; it is made if it is missing")
        self._out, self.root = out, out.with_name(f".{out.name}.partial")
        self._files, self._parts = self.root / "files", self.root / "parts"

    def prepare(self, names: Iterable[str]) -> None:
        """Make the folders that the files need, and remove what a run with other sources left behind."""
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
        """Return the path of the finished file ``name``."""
        return self._files / name

    def part(self, name: str) -> PartialFile:
        """Return the partial file of ``name``."""
        return PartialFile(self._parts, name)

    def publish(self) -> None:
        """Replace the output by the complete set, in one step, and remove the rest."""
        publish_folder(self._files, self._out)
        self.discard()

    def discard(self) -> None:
        """Remove the folder."""
        if self.root.exists():
            shutil.rmtree(self.root)


def matches(path: Path, source: Source) -> bool:
    """Say whether a file matches the pin of ``source``; without a pin it never does."""
    if source.bytes is None or not path.is_file() or path.stat().st_size != source.bytes:
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == source.sha256


def has_exactly(out: Path, sources: Iterable[Source]) -> bool:
    """Say whether ``out`` has files of the names and sizes of ``sources``, and no others."""
    sizes = {name: path.stat().st_size for name, path in _entries(out) if path.is_file()}
    return sizes == {source.name: source.bytes for source in sources}


def exclusive(out: Path) -> AbstractContextManager[int]:
    """Let one fetcher at a time work in the parent folder of ``out``; the lock leaves no file behind."""
    out.parent.mkdir(parents=True, exist_ok=True)
    return locked(out.parent, lambda: log.info("%s: waiting for another fetcher", out.parent))


def _entries(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield relative name and path of everything below a folder, contents before folders, without following links."""
    for parent, folders, files in os.walk(folder, topdown=False, onerror=_unless_absent):
        for name in (*files, *folders):
            path = Path(parent, name)
            yield path.relative_to(folder).as_posix(), path


def _unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _refuse_link(path: Path) -> None:
    if path.is_symlink():
        raise PolicyViolation(path, "symbolic link, which could lead out of the folder", "remove it")

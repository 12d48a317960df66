"""Which files of a folder ``get`` may replace: only those that an earlier ``get`` wrote.

That is what has, under its own name, the bytes that some release of the dataset has: no record is kept that could be
lost or be in the way of those who read the folder.
"""

import contextlib
import hashlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

from data_registry.releases.lookup import fetch_releases
from data_registry.releases.release import Release
from data_registry.releases.versions import released
from data_registry.stage.errors import StageError, UsageError
from data_registry.store.objects import read_list
from data_registry.store.protocol import Store

KINDS = {stat.S_IFLNK: "link", stat.S_IFDIR: "folder"}


class Ownership:
    """Who wrote the files of a folder: a get of this dataset, or somebody else."""

    def __init__(self, release: Release, store: Store, out: Path) -> None:
        self._release, self._store, self._out = release, store, out
        self._turn = threading.Lock()
        self._known: dict[str, set[str]] | None = None  # MD5s by path, in any release

    def check(self, path: str) -> None:
        """Raise UsageError where what is at a path is not of an earlier get."""
        target = self._out / path
        status = os.lstat(target)
        if not stat.S_ISREG(status.st_mode):
            kind = KINDS.get(stat.S_IFMT(status.st_mode), "special file")
            raise UsageError(target, f"expected a file of {self._release.tag}, found a {kind}", "choose another OUT")
        with target.open("rb") as file:
            md5 = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
        with self._turn:
            if self._known is None:
                self._known = {}
                for name, other in self._released():
                    self._known.setdefault(name, set()).add(other)
        if md5 not in self._known.get(path, ()):
            what = f"differs from every release of {self._release.name} known here, and would be overwritten"
            raise UsageError(target, what, "move it away, or choose another OUT")

    def _released(self) -> Iterator[tuple[str, str]]:
        """Yield path and MD5 of every file of the releases in the repository; what cannot be read says nothing."""
        git, name = self._release.git, self._release.name
        if self._release.source:
            with contextlib.suppress(StageError):
                fetch_releases(self._release)
        lists: set[str] = set()
        for version in released(git, name).get(name, []):
            with contextlib.suppress(StageError):
                yield from self._of(Release(git, name, version), lists)

    def _of(self, release: Release, lists: set[str]) -> Iterator[tuple[str, str]]:
        for path in release.git.files(f"refs/tags/{release.tag}", release.folder):
            name = path.removeprefix(f"{release.folder}/")
            yield name, hashlib.md5(release.read(name), usedforsecurity=False).hexdigest()
        for output in release.outputs:
            if not output.is_folder:
                yield output.path, output.md5
            elif output.md5 not in lists and (self._out / output.path).exists():
                lists.add(output.md5)
                with contextlib.suppress(StageError):
                    yield from ((item.path, item.md5) for item in read_list(self._store, output))

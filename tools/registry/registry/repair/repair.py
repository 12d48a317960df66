"""Replace the objects of a release that are missing or damaged in the store with good copies."""

import contextlib
import dataclasses
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.stage.errors import ChildFailed
from data_registry.store.dvc_config import read_config
from data_registry.store.objects import Fault, check_items, has_bytes, list_items, list_of
from data_registry.store.protocol import CACHE, Store, object_path

from registry.repair.rebuild import rebuilt

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Repaired:
    """An object that was replaced, and from where: the cache, the working tree, or a rebuild."""

    path: str
    what: str
    source: str


@dataclasses.dataclass(frozen=True)
class Repair:
    """The objects that were replaced, and the faults that are left."""

    repaired: list[Repaired]
    left: list[Fault]


def repair(
    release: Release, root: Path, store: Store, advance: Callable[[int], None] = lambda _: None, build: bool = True
) -> Repair:
    """Replace the missing or damaged objects of a release: the lists of folders first, then the files.

    Copies come from the cache or the working tree; where neither has one, the release is built again.
    Raises PushFailed or SourceRefused where the store cannot be written.
    """
    with contextlib.ExitStack() as until:
        copies = _Copies(release, root, store.remote, until, build)
        repaired, _ = _repair(list_items(release, store)[1], store, copies)
        items, left = list_items(release, store)
        more, remaining = _repair(check_items(items, store, advance), store, copies)
        return Repair(sorted(repaired + more, key=lambda one: one.path), left + remaining)


def _repair(faults: list[Fault], store: Store, copies: "_Copies") -> tuple[list[Repaired], list[Fault]]:
    repaired, left = [], []
    sources: dict[str, str] = {}  # by object, which several paths may share
    for fault in faults:
        if fault.md5 not in sources:
            with copies.find(fault) as (path, source):
                if path:
                    store.write(fault.md5, path)
                    sources[fault.md5] = source
        if fault.md5 in sources:
            repaired.append(Repaired(fault.path, fault.what, sources[fault.md5]))
        else:
            left.append(fault)
    return repaired, left


class _Copies:
    """Finds good copies; builds the release again once, if needed."""

    def __init__(self, release: Release, root: Path, remote: str, until: contextlib.ExitStack, build: bool) -> None:
        self._release, self._root, self._remote, self._until, self._build = release, root, remote, until, build
        self._cache = Path(read_config(Git(root), "HEAD").cache.get("dir") or root / ".dvc" / "cache")
        self._clone: Path | None = None

    @contextlib.contextmanager
    def find(self, fault: Fault) -> Iterator[tuple[Path | None, str]]:
        """Yield a file with the bytes of the object, and the name of its source; or None."""
        if has_bytes(cached := self._cache / object_path(fault.md5), fault.md5):
            yield cached, "the cache"
            return
        path = self._root / self._release.folder / fault.path
        if path.is_dir() and fault.md5.endswith(".dir"):
            with tempfile.NamedTemporaryFile(prefix="registry-repair-") as file:
                file.write(list_of(path))
                file.flush()
                if has_bytes(Path(file.name), fault.md5):
                    yield Path(file.name), "the working tree"
                    return
        elif has_bytes(path, fault.md5):
            yield path, "the working tree"
            return
        if self._build:
            built = self._built(fault.md5)
            if built and has_bytes(built, fault.md5):
                yield built, "a rebuild"
                return
        yield None, ""

    def _built(self, md5: str) -> Path | None:
        """Return the path of an object in the cache of a rebuild; None if that failed, which is not tried again."""
        if self._clone is None:
            try:
                self._clone = self._until.enter_context(rebuilt(self._release, self._root, self._remote))
            except ChildFailed as error:
                log.warning("%s: %s", error.where, error.what)
                self._build = False
                return None
        return self._clone / CACHE / object_path(md5)

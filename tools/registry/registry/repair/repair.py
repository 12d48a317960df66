"""Put good copies in the place of what a release lacks in the store, or has damaged there."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.store.dvc_config import read_config
from data_registry.store.objects import Fault, check_items, has_bytes, list_items
from data_registry.store.protocol import CACHE, Store, object_path

from registry.repair.rebuild import RebuildFailed, rebuilt

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Mended:
    """An object that was mended, and from where: the cache, the working tree, or a build."""

    path: str
    md5: str
    what: str
    source: str


@dataclasses.dataclass(frozen=True)
class Repair:
    """What was mended, and what could not be."""

    mended: list[Mended]
    left: list[Fault]


def repair(
    release: Release, root: Path, store: Store, advance: Callable[[int], None] = lambda _: None, build: bool = True
) -> Repair:
    """Mend the objects of a release that are missing or damaged in the store: the lists first, then what they name.

    A good copy is looked for in the cache and the working tree; where neither has one, the release is built again.
    Raises PushFailed or SourceRefused where the store does not take it.
    """
    with contextlib.ExitStack() as until:
        copies = _Copies(release, root, until, build)
        mended, _ = _mend(list_items(release, store)[1], store, copies)
        items, left = list_items(release, store)
        more, still = _mend(check_items(items, store, advance), store, copies)
        return Repair(sorted(mended + more, key=lambda each: each.path), left + still)


def _mend(faults: list[Fault], store: Store, copies: "_Copies") -> tuple[list[Mended], list[Fault]]:
    mended, left = [], []
    sources: dict[str, str] = {}  # of an object that several paths share
    for fault in faults:
        if fault.md5 not in sources:
            with copies.find(fault) as (path, source):
                if path:
                    store.write(fault.md5, path)
                    sources[fault.md5] = source
        if fault.md5 in sources:
            mended.append(Mended(fault.path, fault.md5, fault.what, sources[fault.md5]))
        else:
            left.append(fault)
    return mended, left


class _Copies:
    """Where good copies are: the release is built again only once, and only if need be."""

    def __init__(self, release: Release, root: Path, until: contextlib.ExitStack, build: bool) -> None:
        self._release, self._root, self._until, self._build = release, root, until, build
        self._cache = Path(read_config(Git(root), "HEAD").cache.get("dir") or root / ".dvc" / "cache")
        self._clone: Path | None = None

    @contextlib.contextmanager
    def find(self, fault: Fault) -> Iterator[tuple[Path | None, str]]:
        """Yield a file with the object's bytes, hashed, and what it is called; or None."""
        if has_bytes(cached := self._cache / object_path(fault.md5), fault.md5):
            yield cached, "the cache"
            return
        there = self._root / self._release.folder / fault.path
        if there.is_dir() and fault.md5.endswith(".dir"):
            with tempfile.NamedTemporaryFile(prefix="registry-repair-") as file:
                file.write(_list(there))
                file.flush()
                if has_bytes(Path(file.name), fault.md5):
                    yield Path(file.name), "the working tree"
                    return
        elif has_bytes(there, fault.md5):
            yield there, "the working tree"
            return
        if self._build:
            made = self._built(fault.md5)
            if made and has_bytes(made, fault.md5):
                yield made, "a new build"
                return
        yield None, ""

    def _built(self, md5: str) -> Path | None:
        """Return where a new build has an object, if it has; a build that fails is not tried again."""
        if self._clone is None:
            try:
                self._clone = self._until.enter_context(rebuilt(self._release, self._root))
            except RebuildFailed as error:
                log.warning("%s: %s", error.where, error.what)
                self._build = False
                return None
        return self._clone / CACHE / object_path(md5)


def _list(folder: Path) -> bytes:
    """Return the list of a folder's files as DVC writes it (dvc_data.hashfile.tree.Tree.as_bytes)."""
    entries = []
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "md5").hexdigest()
            entries.append({"md5": digest, "relpath": path.relative_to(folder).as_posix()})
    return json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True).encode()

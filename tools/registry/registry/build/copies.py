"""Copies of raw files, for a build whose sources have none: from DVC's cache, or from the remote.

``raw/`` is an output, so both have what earlier builds fetched: dvc.lock names the list of its files, the list their
objects. They are stored next to sources.csv, where ``fetcher`` checks them against the pins like any other source.
"""

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from data_registry.documents import Locked
from data_registry.git import Git
from data_registry.releases.release import Output, Release
from data_registry.releases.versions import Version, released
from data_registry.stage.errors import (
    ChecksumMismatch,
    ChildFailed,
    CorruptFile,
    InputMissing,
    NetworkFailed,
    PolicyViolation,
    SourceRefused,
    StageError,
    VerificationFailed,
)
from data_registry.stage.output import replacing
from data_registry.stage.redaction import listed
from data_registry.store.dvc_config import read_config
from data_registry.store.folder import FolderStore
from data_registry.store.objects import Item, copy_object, read_list
from data_registry.store.parallel import in_parallel
from data_registry.store.protocol import CACHE, Absent, Store
from data_registry.store.remote import open_store

from registry.build.local_files import STORAGE
from registry.build.source_list import SOURCES, Row, read_rows
from registry.datasets import Dataset

log = logging.getLogger(__name__)

FETCHER = "fetcher"
PARTIAL = Path(".raw.partial", "files")  # where fetcher keeps finished files of a run that failed
NO_ANSWER = {NetworkFailed.code, SourceRefused.code}
NAMED = 3  # files in a message


@dataclasses.dataclass(frozen=True)
class Copied:
    """The rows that were stored, by where the copies came from; those without one, and why the remote failed."""

    stored: dict[str, list[Row]]
    missing: list[Row]
    failure: StageError | None

    @property
    def rows(self) -> list[Row]:
        return [row for rows in self.stored.values() for row in rows]

    def __str__(self) -> str:
        return " and ".join(
            f"{listed([row.name for row in rows], NAMED)} from {place}" for place, rows in self.stored.items()
        )


def store_copies(dataset: Dataset, root: Path, remote: str, rows: Iterable[Row]) -> Copied:
    """Store copies of the rows' files that the dataset's storage lacks, from the cache or else the remote.

    Without ``remote``, from the cache alone. Every byte is checked against the row's SHA-256.
    """
    wanted = {row.sha256: row for row in rows if not _path(dataset, row).is_file()}
    stored: dict[str, list[Row]] = {}
    failure: StageError | None = None
    for open_it in _stores(Git(root), root, remote) if wanted else ():
        try:
            store = open_it()
            for sources, output in _raw_outputs(dataset, Git(root)):
                for row in _copy_all(dataset, store, sources, output, wanted):
                    stored.setdefault(store.remote, []).append(row)
                    del wanted[row.sha256]
                if not wanted:
                    break
        except StageError as error:
            failure = error
    return Copied(stored, list(wanted.values()), failure if wanted else None)


class Copies:
    """The copies that one build may need; those that it stored are removed at its end."""

    def __init__(self, dataset: Dataset, root: Path, remote: str) -> None:
        self._dataset, self._root, self._remote = dataset, root, remote
        sources = dataset.folder / SOURCES
        self._rows = read_rows(sources.read_bytes()) if sources.is_file() else []
        self._stored: list[Row] = []

    def __enter__(self) -> "Copies":
        return self

    def __exit__(self, *_: object) -> None:
        for row in self._stored:
            _path(self._dataset, row).unlink(missing_ok=True)

    @property
    def lacks_local_files(self) -> bool:
        """Say whether a file without a public address is not stored here."""
        return any(row.is_local and not _path(self._dataset, row).is_file() for row in self._rows)

    def store_local_files(self) -> None:
        """Store the files without a public address. Raises InputMissing if there is no copy, or what the remote did."""
        copied = self._store([row for row in self._rows if row.is_local])
        check_local_files(self._dataset, self._remote, copied)
        if copied.rows:
            log.info("%s: %s", self._dataset.name, copied)

    def replace_sources(self, error: ChildFailed) -> bool:
        """Store the files that no source sent; say whether there are any, so that the build may be tried again."""
        if error.code not in NO_ANSWER:
            return False
        finished = self._dataset.folder / PARTIAL
        copied = self._store([row for row in self._rows if not (finished / row.name).is_file()])
        if copied.failure:
            log.warning("%s: %s: %s", self._dataset.name, copied.failure.where, copied.failure.what)
        if copied.rows:
            log.warning("%s: no source answered; %s", self._dataset.name, copied)
        return bool(copied.rows)

    def _store(self, rows: list[Row]) -> Copied:
        copied = store_copies(self._dataset, self._root, self._remote, rows)
        self._stored += copied.rows
        return copied


def check_local_files(dataset: Dataset, remote: str, copied: Copied) -> None:
    """Raise InputMissing for files without a public address that are nowhere.

    Where the remote failed, raises its error, which a retry may mend.
    """
    if not (missing := [row.name for row in copied.missing if row.is_local]):
        return
    where, names = f"data/{dataset.name}/{SOURCES}", listed(missing, NAMED)
    if failure := copied.failure:
        raise type(failure)(where, f"{names} not in this clone; {failure.where}: {failure.what}", failure.fix)
    what = f"{names} not in this clone, nor in the raw files on {remote or 'a remote'}"
    fix = f"make push DS={dataset.name} where it was built, or make refresh DS={dataset.name} FROM=<the files>"
    raise InputMissing(where, what, fix)


def _path(dataset: Dataset, row: Row) -> Path:
    return dataset.folder / STORAGE / row.sha256


def _stores(git: Git, root: Path, remote: str) -> Iterator[Callable[[], Store]]:
    cache = Path(read_config(git, "HEAD").cache.get("dir") or root / CACHE)
    yield lambda: FolderStore("the cache", cache)
    if remote:
        yield functools.partial(open_store, git, "HEAD", remote)


def _raw_outputs(dataset: Dataset, git: Git) -> Iterator[tuple[list[Row], Output]]:
    """Yield the rows and the output of every version: the working copy, HEAD, the releases from the last on."""
    seen = set()
    for sources, locked in _versions(dataset, git):
        for output in locked.get(FETCHER, ()):
            if output.md5 not in seen:
                seen.add(output.md5)
                yield read_rows(sources), Output(output.path, output.md5, output.size, False, output.files)


def _versions(dataset: Dataset, git: Git) -> Iterator[tuple[bytes, dict[str, list[Locked]]]]:
    if (dataset.folder / SOURCES).is_file():
        yield (dataset.folder / SOURCES).read_bytes(), dataset.locked()
    head = Release(git, dataset.name, Version(0, 0, 0), "HEAD")
    versions = reversed(released(git, dataset.name).get(dataset.name, []))
    for release in (head, *(Release(git, dataset.name, version) for version in versions)):
        sources = release.find(SOURCES)
        if sources and release.find("dvc.lock"):
            try:
                yield sources, release.locked
            except VerificationFailed as error:
                log.debug("%s: %s", error.where, error.what)


def _copy_all(dataset: Dataset, store: Store, sources: list[Row], output: Output, wanted: dict[str, Row]) -> list[Row]:
    """Store the wanted files that an output has; return their rows."""
    names = {row.sha256: row.name for row in sources if row.sha256 in wanted}
    if not names:
        return []
    items = {}
    try:
        for item in read_list(store, output) if output.is_folder else [Item(output.path, output.md5)]:
            items[item.path.removeprefix(f"{output.path}/")] = item
    except (Absent, ChecksumMismatch, CorruptFile, PolicyViolation) as error:
        log.debug("%s: %s", error.where, error.what)
    pairs = [(wanted[sha256], items[name]) for sha256, name in names.items() if name in items]
    copied = in_parallel(lambda pair: _copy(store, pair[1], _path(dataset, pair[0]), pair[0]), pairs)
    return [row for (row, _), is_copied in zip(pairs, copied, strict=True) if is_copied]


def _copy(store: Store, item: Item, target: Path, row: Row) -> bool:
    try:
        with replacing(target) as (temporary,), temporary.open("wb") as file:
            copy_object(store, item.md5, file.write, sha256=row.sha256, limit=row.bytes)
    except (Absent, ChecksumMismatch) as error:  # dvc.lock may be of other pins than sources.csv
        log.debug("%s: %s", error.where, error.what)
        return False
    return True

"""The objects of a release, and reading them back: every byte hashed."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TypeVar

from stage.errors import ChecksumMismatch, NetworkFailed, PolicyViolation

from registry.releasing.releases import Output, Release
from registry.storage.store import Absent, Store

log = logging.getLogger(__name__)

PARALLEL = 8
PAUSES = (0.5, 2.0, 5.0)  # seconds, before going on with an object whose connection broke
T = TypeVar("T")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class Item:
    """A file of a release: its path in the dataset's folder, its object, and its SHA-256 where metadata.json has it."""

    path: str
    md5: str
    sha256: str = ""


@dataclasses.dataclass(frozen=True)
class Fault:
    """An object that is not as it should be: ``missing``, or ``damaged`` where its bytes are others."""

    path: str
    md5: str
    what: str


def shown(path: str) -> str:
    """Return a path for one line of a terminal, whatever characters are in it."""
    return path if path.isprintable() else repr(path)


def read_list(store: Store, output: Output) -> list[Item]:
    """Read the list of a folder's files from the store, and check it.

    Raises Absent or ChecksumMismatch, and PolicyViolation for a name that leaves the folder.
    """
    parts: list[bytes] = []
    copy_object(store, output.md5, parts.append)
    return parse_list(output.path, b"".join(parts))


def parse_list(folder: str, content: bytes) -> list[Item]:
    """Return the files that a folder's list names. Raises PolicyViolation for a name that leaves the folder."""
    entries = json.loads(content)
    for entry in entries:
        check_path(entry["relpath"], f"{folder}: its list")
    return [Item(f"{folder}/{entry['relpath']}", entry["md5"]) for entry in entries]


def check_path(path: str, where: str) -> None:
    """Raise PolicyViolation for a path that leaves its folder, or that no file system takes."""
    parts = path.split("/")
    if not set(parts) & {"", ".", ".."} and "\0" not in path and all(len(part.encode()) <= 255 for part in parts):
        return
    raise PolicyViolation(where, f"names {path!r:.100}", "do not use this release, and tell who made it")


def has_bytes(path: Path, md5: str, sha256: str = "") -> bool:
    """Say whether a file is there and has the bytes that an object's name says, or its SHA-256 where that is known."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: _hasher(sha256)).hexdigest() == (sha256 or md5.removesuffix(".dir"))


def _hasher(sha256: str) -> "hashlib._Hash":
    """Return what hashes bytes: SHA-256 where that is known, for most processors take half the time for it."""
    return hashlib.sha256() if sha256 else hashlib.md5(usedforsecurity=False)


def copy_object(
    store: Store,
    md5: str,
    write: Callable[[bytes], object],
    start: int = 0,
    before: Iterable[bytes] = (),
    sha256: str = "",
) -> int:
    """Hand an object's bytes from ``start`` on to ``write``, and return its size; ``before`` are those up to there.

    Where the connection breaks it goes on from there; a few times, unless more comes.
    Raises Absent, NetworkFailed, or ChecksumMismatch where the bytes are not what the object's name says, or its
    SHA-256 where that is known.
    """
    digest = _hasher(sha256)
    for block in before:
        digest.update(block)
    size, pauses, begun = start, iter(PAUSES), False
    while True:
        try:
            with store.read(md5, size) as blocks:
                begun = True
                for block in blocks:
                    digest.update(block)
                    write(block)
                    size, pauses = size + len(block), iter(PAUSES)
            break
        except NetworkFailed as error:
            pause = next(pauses, None)
            if pause is None or not begun:  # a first answer was tried for by the store
                raise
            log.info("%s; going on after %d bytes", error.what, size)
            time.sleep(pause)
    if digest.hexdigest() != (sha256 or md5.removesuffix(".dir")):
        what = f"object {md5} has other bytes: {digest.hexdigest()}, {size} of them"
        raise ChecksumMismatch(f"remote {store.remote}", what, "make repair")
    return size


def find_faults(
    release: Release,
    store: Store,
    advance: Callable[[int], None] = lambda _: None,
    kept: Mapping[str, Callable[[bytes], object]] | None = None,
) -> list[Fault]:
    """Read every object of a release back from the store and hash it; return what is missing or damaged, by path.

    ``advance`` is told of the bytes as they come, ``kept`` gets those of the paths it names.
    Raises NetworkFailed where the store does not answer.
    """
    items, faults = list_items(release, store)
    return sorted(faults + check_items(items, store, advance, kept), key=lambda fault: fault.path)


def list_items(release: Release, store: Store) -> tuple[list[Item], list[Fault]]:
    """Return the files of a release that are in the store, and the faults of the lists that should name them."""
    faults: list[Fault] = []
    items: list[Item] = []
    for output in release.outputs:
        check_path(output.path, f"{release.tag}: its dvc.lock")
        if output.in_git:
            continue
        if not output.is_folder:
            items.append(Item(output.path, output.md5, release.sha256(output.path)))
            continue
        with _noted(faults, Item(output.path, output.md5)):
            listed = read_list(store, output)
            items += [dataclasses.replace(item, sha256=release.sha256(item.path)) for item in listed]
    return items, faults


def count_objects(release: Release, store: Store) -> int:
    """Return how many objects of a release are in the store, the lists of folders included, each once."""
    listed = {item.md5 for item in list_items(release, store)[0]}
    return len(listed | {output.md5 for output in release.outputs if not output.in_git})


def check_items(
    items: Iterable[Item],
    store: Store,
    advance: Callable[[int], None] = lambda _: None,
    kept: Mapping[str, Callable[[bytes], object]] | None = None,
) -> list[Fault]:
    """Read files back, each object once, and return what is missing or damaged."""
    items = list(items)
    keep = {item.md5: kept[item.path] for item in items if kept and item.path in kept}
    meter, copies = Meter(advance), Counter(item.md5 for item in items)  # the size of a release counts each

    def check(item: Item) -> list[Fault]:
        found: list[Fault] = []
        also = keep.get(item.md5, len)

        def write(block: bytes) -> None:
            meter(len(block) * copies[item.md5])
            also(block)

        with _noted(found, item):
            copy_object(store, item.md5, write, sha256=item.sha256)
        return found

    distinct = {item.md5: item for item in items}
    bad = {fault.md5: fault for found in in_parallel(check, distinct.values(), meter) for fault in found}
    return [Fault(item.path, item.md5, bad[item.md5].what) for item in items if item.md5 in bad]


@contextlib.contextmanager
def _noted(faults: list[Fault], item: Item) -> Iterator[None]:
    try:
        yield
    except Absent:
        faults.append(Fault(item.path, item.md5, "missing"))
    except ChecksumMismatch:
        faults.append(Fault(item.path, item.md5, "damaged"))


class Stopped(Exception):
    """Another thread has failed, so this one need not go on."""


class Meter:
    """What threads tell of the bytes as they come, in turn; it stops them where one has failed."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance, self._turn, self._stopped = advance, threading.Lock(), False

    def __call__(self, amount: int) -> None:
        """Count. Raises Stopped."""
        with self._turn:
            if self._stopped:
                raise Stopped
            self._advance(amount)

    def stop(self) -> None:
        """Stop whoever counts."""
        self._stopped = True


def in_parallel(
    work: Callable[[T], R], items: Iterable[T], meter: Meter | None = None, threads: int = PARALLEL
) -> list[R]:
    """Work on the items in a few threads, in order; the first failure ends it, at once where they count on a meter."""
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            failed = [future for future in futures if future.done() and future.exception()]
            return [future.result() for future in failed or futures]
        except BaseException:
            if meter:
                meter.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise

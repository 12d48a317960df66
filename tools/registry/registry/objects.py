"""The objects of a release, and reading them back: every byte hashed."""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from stage.errors import ChecksumMismatch, PolicyViolation

from registry.releases import Output, Release
from registry.store import Absent, Store

PARALLEL = 8
T = TypeVar("T")
R = TypeVar("R")


@dataclasses.dataclass(frozen=True)
class Item:
    """A file of a release: its path in the dataset's folder, and its object."""

    path: str
    md5: str


@dataclasses.dataclass(frozen=True)
class Fault:
    """An object that is not as it should be: ``missing``, or ``damaged`` where its bytes are others."""

    path: str
    md5: str
    what: str


def read_list(store: Store, output: Output) -> list[Item]:
    """Read the list of a folder's files from the store, and check it.

    Raises Absent or ChecksumMismatch, and PolicyViolation for a name that leaves the folder.
    """
    parts: list[bytes] = []
    copy_object(store, output.md5, parts.append)
    entries = json.loads(b"".join(parts))
    for entry in entries:
        if entry["relpath"].startswith("/") or ".." in entry["relpath"].split("/"):
            raise PolicyViolation(output.path, f"its list names {entry['relpath']!r}", "do not use this release")
    return [Item(f"{output.path}/{entry['relpath']}", entry["md5"]) for entry in entries]


def copy_object(
    store: Store, md5: str, write: Callable[[bytes], object], start: int = 0, before: Iterable[bytes] = ()
) -> int:
    """Hand an object's bytes from ``start`` on to ``write``, and return how many; ``before`` are those up to there.

    Raises Absent, NetworkFailed, or ChecksumMismatch where they are not what the object's name says.
    """
    digest = hashlib.md5(usedforsecurity=False)
    for block in before:
        digest.update(block)
    size = start
    with store.read(md5, start) as blocks:
        for block in blocks:
            digest.update(block)
            write(block)
            size += len(block)
    if digest.hexdigest() != md5.removesuffix(".dir"):
        what = f"object {md5} has other bytes: {digest.hexdigest()}, {size} of them"
        raise ChecksumMismatch(f"remote {store.remote}", what, "make repair")
    return size


def find_faults(release: Release, store: Store, advance: Callable[[int], None] = lambda _: None) -> list[Fault]:
    """Read every object of a release back from the store and hash it; return what is missing or damaged, by path.

    ``advance`` is told of the bytes as they come. Raises NetworkFailed where the store does not answer.
    """
    faults: list[Fault] = []
    items: list[Item] = []
    for output in release.outputs:
        if output.in_git:
            continue
        if not output.is_folder:
            items.append(Item(output.path, output.md5))
            continue
        with _noted(faults, Item(output.path, output.md5)):
            items += read_list(store, output)

    def check(item: Item) -> list[Fault]:
        found: list[Fault] = []
        with _noted(found, item):
            copy_object(store, item.md5, lambda block: advance(len(block)))
        return found

    distinct = {item.md5: item for item in items}
    bad = {fault.md5: fault for found in in_parallel(check, distinct.values()) for fault in found}
    faults += [Fault(item.path, item.md5, bad[item.md5].what) for item in items if item.md5 in bad]
    return sorted(faults, key=lambda fault: fault.path)


@contextlib.contextmanager
def _noted(faults: list[Fault], item: Item) -> Iterator[None]:
    try:
        yield
    except Absent:
        faults.append(Fault(item.path, item.md5, "missing"))
    except ChecksumMismatch:
        faults.append(Fault(item.path, item.md5, "damaged"))


def in_parallel(work: Callable[[T], R], items: Iterable[T]) -> list[R]:
    """Work on the items in a few threads, in order; the first failure ends it."""
    with ThreadPoolExecutor(PARALLEL) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise

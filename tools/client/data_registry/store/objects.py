"""The objects of a release, and reading them back: every byte hashed."""

import contextlib
import dataclasses
import hashlib
import json
import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from data_registry.releases.release import Output, Release
from data_registry.stage.errors import ChecksumMismatch, CorruptFile, NetworkFailed, PolicyViolation
from data_registry.stage.foreign import read_json
from data_registry.store.parallel import Meter, in_parallel
from data_registry.store.protocol import Absent, Store

log = logging.getLogger(__name__)

# A list as DVC writes it (dvc_data.hashfile.tree.Tree.as_bytes), and so the only bytes that a right one has.
ENTRY = re.compile(rb'\s*\{\s*"md5":\s*"([0-9a-f]{32})",\s*"relpath":\s*("(?:[^"\\]|\\.)*+")\s*\}\s*([,\]])\s*')
EMPTY_LIST = re.compile(rb"\s*\[\s*\]\s*")
LISTED = 8 << 10  # bytes of an entry in a list, at most: a path of 4096 with escapes is rarely longer
LIST = 128 << 20  # bytes of a list, at most: more than a million files
UNTRUSTED = "do not use this release, and report it to its publisher"
PAUSES = (0.5, 2.0, 5.0)  # seconds, before going on with an object whose connection broke


@dataclasses.dataclass(frozen=True)
class Item:
    """A file of a release: its path in the dataset's folder, its object, and its SHA-256 where metadata.json has it.

    Nobody says how large one in a folder is; but none is larger than the folder.
    """

    path: str
    md5: str
    sha256: str = ""
    limit: int | None = None  # bytes that its object has at most


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

    Raises Absent, ChecksumMismatch, CorruptFile for what is no list, and PolicyViolation for a name that leaves it.
    """
    content = bytearray()
    copy_object(store, output.md5, content.extend, limit=list_limit(output))
    return parse_list(output.path, bytes(content), output.size)


def list_limit(output: Output) -> int:
    """Return how many bytes the list of a folder may have."""
    return min(LIST, LISTED * (output.files + 1)) if output.files else LIST


def parse_list(folder: str, content: bytes, size: int | None = None) -> list[Item]:
    """Return the files that a folder's list names; the folder has ``size`` bytes.

    Raises CorruptFile for what is no list, PolicyViolation for a name that leaves the folder.
    """
    where, items, position = f"{folder}: its list", list[Item](), content.find(b"[") + 1
    if EMPTY_LIST.fullmatch(content):
        return []
    end = b","
    while end == b",":  # entry by entry, so that memory holds what a right list needs, whatever is in a wrong one
        entry = ENTRY.match(content, position)
        if not entry or (position == 1 and not content.startswith(b"[")):
            raise CorruptFile(where, f"expected md5 and relpath of a file at byte {position}", "release it again")
        name = read_json(entry[2], where) if b"\\" in entry[2] else _decoded(entry[2][1:-1], where)
        check_path(name, where)
        items.append(Item(f"{folder}/{name}", entry[1].decode(), limit=size))
        position, end = entry.end(), entry[3]
    if position != len(content):
        raise CorruptFile(where, f"expected its end at byte {position}", "release it again")
    return items


def list_of(folder: Path) -> bytes:
    """Return the list of a folder's files as DVC writes it."""
    entries = []
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "md5").hexdigest()
            entries.append({"md5": digest, "relpath": path.relative_to(folder).as_posix()})
    return json.dumps(sorted(entries, key=lambda entry: entry["relpath"]), sort_keys=True).encode()


def _decoded(name: bytes, where: str) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError as error:
        raise CorruptFile(where, f"is not UTF-8: {error}", "release it again") from error


def check_path(path: str, where: str) -> None:
    """Raise PolicyViolation for a path that leaves its folder, or that no file system takes."""
    parts = path.split("/")
    if not set(parts) & {"", ".", ".."} and "\0" not in path and all(len(part.encode()) <= 255 for part in parts):
        return
    raise PolicyViolation(where, f"invalid path {path!r:.100}", UNTRUSTED)


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
    limit: int | None = None,
) -> int:
    """Hand an object's bytes from ``start`` on to ``write``, and return its size; ``before`` are those up to there.

    Where the connection breaks it goes on from there; a few times, unless more comes.
    Raises Absent, NetworkFailed, or ChecksumMismatch where the bytes are not what the object's name says, or its
    SHA-256 where that is known, or more than ``limit``.
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
                    if limit is not None and size + len(block) > limit:
                        what = f"object {md5} is damaged: expected at most {limit} bytes, got more"
                        raise ChecksumMismatch(f"remote {store.remote}", what, "make repair")
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
        what = f"object {md5} is damaged: its {size} bytes have the hash {digest.hexdigest()}"
        raise ChecksumMismatch(f"remote {store.remote}", what, "make repair")
    return size


def find_faults(
    release: Release,
    store: Store,
    advance: Callable[[int], None] = lambda _: None,
    sinks: Mapping[str, Callable[[bytes], object]] | None = None,
) -> list[Fault]:
    """Read every object of a release back from the store and hash it; return what is missing or damaged, by path.

    ``advance`` is called with the number of bytes read, ``sinks`` with the blocks of the paths it names.
    Raises NetworkFailed where the store does not answer.
    """
    items, faults = list_items(release, store)
    return sorted(faults + check_items(items, store, advance, sinks), key=lambda fault: fault.path)


def list_items(release: Release, store: Store) -> tuple[list[Item], list[Fault]]:
    """Return the files of a release that are in the store, and the faults of the lists that should name them."""
    faults: list[Fault] = []
    items: list[Item] = []
    for output in release.outputs:
        check_path(output.path, f"{release.tag}: its dvc.lock")
        if output.in_git:
            continue
        if not output.is_folder:
            items.append(Item(output.path, output.md5, release.sha256(output.path), output.size))
            continue
        with _recorded(faults, Item(output.path, output.md5)):
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
    sinks: Mapping[str, Callable[[bytes], object]] | None = None,
) -> list[Fault]:
    """Read files back, each object once, and return what is missing or damaged."""
    items = list(items)
    keep = {item.md5: sinks[item.path] for item in items if sinks and item.path in sinks}
    meter, copies = Meter(advance), Counter(item.md5 for item in items)  # the size of a release counts each

    def check(item: Item) -> list[Fault]:
        found: list[Fault] = []
        also = keep.get(item.md5, len)

        def write(block: bytes) -> None:
            meter(len(block) * copies[item.md5])
            also(block)

        with _recorded(found, item):
            copy_object(store, item.md5, write, sha256=item.sha256, limit=item.limit)
        return found

    distinct = {item.md5: item for item in sorted(items, key=_limit)}
    bad = {fault.md5: fault for found in in_parallel(check, distinct.values(), meter) for fault in found}
    return [Fault(item.path, item.md5, bad[item.md5].what) for item in items if item.md5 in bad]


def _limit(item: Item) -> float:
    return float("inf") if item.limit is None else item.limit


@contextlib.contextmanager
def _recorded(faults: list[Fault], item: Item) -> Iterator[None]:
    try:
        yield
    except Absent:
        faults.append(Fault(item.path, item.md5, "missing"))
    except (ChecksumMismatch, CorruptFile):
        faults.append(Fault(item.path, item.md5, "damaged"))

"""Get the data of a release: each file appears once its bytes are right, and what is right is not fetched again."""

import contextlib
import dataclasses
import fcntl
import os
import re
import shutil
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from stage.errors import ChecksumMismatch, LockHeld, PolicyViolation, UsageError, VerificationFailed
from stage.output import replacing, sync

from registry.objects import BLOCK, Item, Meter, check_path, copy_object, has_bytes, in_parallel, read_list, shown
from registry.releases import Output, Release
from registry.store import Absent, Store
from registry.verify import MANIFEST, check_tag

RAW = "raw"  # what the source sent; of use where it is the product
PART = re.compile(r"\.[0-9a-f]{32}\.part")  # what has come of an object


@dataclasses.dataclass(frozen=True)
class Got:
    """What is there now, and how many of the files were fetched for it."""

    tag: str
    out: Path
    files: int
    fetched: int


def chosen_outputs(release: Release) -> list[Output]:
    """Return the outputs that people want: what is in the store, and the raw data only where there is nothing else."""
    there = [output for output in release.outputs if not output.in_git]
    others = [output for output in there if output.path != RAW and not output.path.startswith(f"{RAW}/")]
    return others if any(output.path != MANIFEST for output in others) else there


def get(release: Release, store: Store, out: Path, advance: Callable[[int], None] = lambda _: None) -> Got:
    """Put the data of a release into a folder, with what git says of it.

    Raises VerificationFailed where the release is not what its tag says or lacks an object, PolicyViolation for names
    that leave the folder, UsageError where the folder holds other data, NetworkFailed, or LockHeld.
    """
    for problem in check_tag(release):
        raise VerificationFailed(problem.where, problem.what, problem.fix)
    items = _items(release, store)
    in_git = sorted({output.path for output in release.outputs if output.in_git} | {"params.yaml", "metadata.json"})
    paths = {*(item.path for item in items), *in_git}
    _check_names(paths)
    out.mkdir(parents=True, exist_ok=True)
    out = out.resolve()
    with _alone(out):
        _check_folder(out, paths)
        groups: dict[str, list[Path]] = {}
        for item in items:
            groups.setdefault(item.md5, []).append(out / item.path)
        meter = Meter(advance)

        def place(group: tuple[str, list[Path]]) -> int:
            md5, targets = group
            with _named(release, store, Item(targets[0].relative_to(out).as_posix(), md5)):
                return _place(store, md5, targets, meter)

        fetched = sum(in_parallel(place, groups.items(), meter))
        for folder in {(out / item.path).parent for item in items}:
            sync(folder)
            for left in folder.glob(".*.part"):
                if PART.fullmatch(left.name) and left.relative_to(out).as_posix() not in paths:
                    left.unlink()
        _check_distinct(out, [item.path for item in items])
        for path in in_git:
            with replacing(out / path) as (temporary,):
                temporary.write_bytes(release.read(path))
    return Got(release.tag, out, len(items) + len(in_git), fetched)


def _items(release: Release, store: Store) -> list[Item]:
    found: list[Item] = []
    for output in chosen_outputs(release):
        check_path(output.path, f"{release.tag}: its dvc.lock")
        item = Item(output.path, output.md5)
        with _named(release, store, item):
            found += read_list(store, output) if output.is_folder else [item]
    return found


def _place(store: Store, md5: str, targets: list[Path], meter: Meter) -> int:
    """Make sure of an object's files, and return how many of them were fetched."""
    right = [target for target in targets if has_bytes(target, md5)]
    lacking = [target for target in targets if target not in right]
    for target in right:
        meter(target.stat().st_size)
    if lacking and not right:
        lacking[0].parent.mkdir(parents=True, exist_ok=True)
        _fetch(store, md5, lacking[0], meter)
    for target in lacking if right else lacking[1:]:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{md5}.part")  # for the longest name leaves no room for more
        shutil.copyfile((right or lacking)[0], part)
        sync(part)
        part.replace(target)
        meter(target.stat().st_size)
    return len(lacking)


def _fetch(store: Store, md5: str, target: Path, meter: Meter) -> None:
    """Fetch an object, from where an earlier run stopped; all of it where that turns out wrong."""
    part = target.with_name(f".{md5}.part")
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:

        def write(block: bytes) -> None:
            meter(len(block))
            left = memoryview(block)
            while left:  # unbuffered, so that a full disk is found here
                left = left[file.write(left) :]

        start = os.fstat(descriptor).st_size
        meter(start)
        try:
            copy_object(store, md5, write, start, iter(lambda: file.read(BLOCK), b""))
        except ChecksumMismatch:
            meter(-file.seek(0, os.SEEK_END))
            file.seek(0)
            file.truncate()
            if not start:
                raise
            copy_object(store, md5, write)
        os.fsync(descriptor)
    part.replace(target)


@contextlib.contextmanager
def _named(release: Release, store: Store, item: Item) -> Iterator[None]:
    """Say whose object it is that the store lacks, or has with other bytes."""
    where, fix = f"{release.tag} {shown(f'{release.folder}/{item.path}')}", "make repair, in a clone that can build it"
    try:
        yield
    except Absent as error:
        raise VerificationFailed(where, f"object {item.md5} is missing on {store.remote}", fix) from error
    except ChecksumMismatch as error:
        raise VerificationFailed(where, f"object {item.md5} is damaged on {store.remote}", fix) from error


def _check_names(paths: set[str]) -> None:
    """Raise PolicyViolation where a name is that of a file and of a folder."""
    for path in sorted(paths):
        parts = path.split("/")
        for length in range(1, len(parts)):
            if "/".join(parts[:length]) in paths:
                raise PolicyViolation(path, "is in a folder that is a file", "do not use this release")


def _check_folder(out: Path, paths: set[str]) -> None:
    """Raise where the folder leads elsewhere, or holds data that is not of this release: readers would mix them up."""
    for path in paths:
        if not (out / path).parent.resolve().is_relative_to(out):
            raise PolicyViolation(out / path, f"a link leads out of {out}", "remove that link")
    for top in {path.partition("/")[0] for path in paths if "/" in path}:
        for there in sorted((out / top).rglob("*")):
            name = there.relative_to(out).as_posix()
            if not there.is_dir() and name not in paths and not re.match(r"\..*(\.part|\.tmp-\w+)$", there.name):
                raise UsageError(there, "is not of this release", "remove it, or choose another OUT")


def _check_distinct(out: Path, paths: Iterable[str]) -> None:
    """Raise PolicyViolation where the file system takes two names for one, as many do with capitals or accents."""
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
        if other != path and (out / path).samefile(out / other):
            raise PolicyViolation(out / path, f"this disk takes it for {other!r}", "get it on a disk that does not")


@contextlib.contextmanager
def _alone(out: Path) -> Iterator[None]:
    descriptor = os.open(out, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise LockHeld(out, "another get writes into it", "wait for that, or choose another OUT") from error
    finally:
        os.close(descriptor)

"""Get the data of a release: each file appears once its bytes are right, and what is right is not fetched again."""

import contextlib
import dataclasses
import os
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NoReturn

from data_registry.releases.release import CROISSANT, README, Output, Release
from data_registry.stage.errors import ChecksumMismatch, LockHeld, PolicyViolation, UsageError, VerificationFailed
from data_registry.stage.locks import locked
from data_registry.stage.output import replacing, sync
from data_registry.store.objects import UNTRUSTED, Item, check_path, has_bytes, read_list, shown
from data_registry.store.ownership import Ownership
from data_registry.store.parallel import Meter, in_parallel
from data_registry.store.parts import PART, place
from data_registry.store.protocol import Absent, Store
from data_registry.store.verify import MANIFEST, check_tag

RAW = "raw"  # what the source sent; of use where it is the product


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
    that leave the folder or are hidden, UsageError where the folder holds what no get of the dataset has written,
    NetworkFailed, or LockHeld.
    """
    for problem in check_tag(release):
        raise VerificationFailed(problem.where, problem.what, problem.fix)
    items = _items(release, store)
    in_git = _texts(release)
    paths = {*(item.path for item in items), *in_git}
    _check_names(paths)
    if ".git" in out.resolve().parts:
        raise UsageError(out, "is inside a .git folder", "choose another OUT")
    out.mkdir(parents=True, exist_ok=True)
    out = out.resolve()
    with locked(out, lambda: _busy(out)):
        _check_folder(out, paths)
        meter = Meter(advance)
        ownership = Ownership(release, store, out)
        right = _right(items, out, ownership, meter)
        for path, content in in_git.items():
            if _is_there(out / path) and not _is_text(out / path, content):
                ownership.check(path)
        groups: dict[str, list[Item]] = {}
        for item in items:
            groups.setdefault(item.md5, []).append(item)

        def place_all(same: list[Item]) -> int:
            there = [out / item.path for item in same if item.path in right]
            lacking = [out / item.path for item in same if item.path not in right]
            with _named(release, store, same[0]):
                return place(store, same[0], there, lacking, meter)

        fetched = sum(in_parallel(place_all, groups.values(), meter))
        for folder in {(out / item.path).parent for item in items}:
            sync(folder)
            for left in folder.glob(".*.part"):
                if PART.fullmatch(left.name) and left.relative_to(out).as_posix() not in paths:
                    left.unlink()
        _check_distinct(out, [item.path for item in items])
        for path, content in in_git.items():
            with replacing(out / path) as (temporary,):
                temporary.write_bytes(content)
    return Got(release.tag, out, len(items) + len(in_git), fetched)


def _texts(release: Release) -> dict[str, bytes]:
    """Return the files that git has of a release, by path: what consumers want of them."""
    paths = sorted({output.path for output in release.outputs if output.in_git} | {"params.yaml", "metadata.json"})
    found = {path: release.read(path) for path in paths}
    return found | {path: text for path in (README, CROISSANT) if (text := release.find(path)) is not None}


def _right(items: list[Item], out: Path, ownership: Ownership, meter: Meter) -> set[str]:
    """Return the paths that have their bytes already. Raises UsageError where others are not of an earlier get."""

    def look(item: Item) -> bool:
        target = out / item.path
        if not _is_there(target):
            return False
        if target.is_symlink() or not has_bytes(target, item.md5, item.sha256):
            ownership.check(item.path)
            return False
        meter(target.stat().st_size)
        return True

    return {item.path for item, is_right in zip(items, in_parallel(look, items, meter), strict=True) if is_right}


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)


def _is_text(path: Path, content: bytes) -> bool:
    return path.is_file() and not path.is_symlink() and path.read_bytes() == content


def _items(release: Release, store: Store) -> list[Item]:
    found: list[Item] = []
    for output in chosen_outputs(release):
        check_path(output.path, f"{release.tag}: its dvc.lock")
        item = Item(output.path, output.md5, limit=output.size)
        with _named(release, store, item):
            found += read_list(store, output) if output.is_folder else [item]
    return [dataclasses.replace(item, sha256=release.sha256(item.path)) for item in found]


@contextlib.contextmanager
def _named(release: Release, store: Store, item: Item) -> Iterator[None]:
    """Say whose object it is that the store lacks, or has with other bytes."""
    where, fix = f"{release.tag} {shown(f'{release.folder}/{item.path}')}", "make repair, in a clone that can build it"
    other = f"DVC_REMOTE=… names another remote; or {fix}"
    try:
        yield
    except Absent as error:
        raise VerificationFailed(where, f"object {item.md5} is missing on {store.remote}", other) from error
    except ChecksumMismatch as error:
        raise VerificationFailed(where, f"object {item.md5} is damaged on {store.remote}", fix) from error


def _check_names(paths: set[str]) -> None:
    """Raise PolicyViolation where a name is hidden, or that of a file and of a folder."""
    for path in sorted(paths):
        parts = path.split("/")
        if any(part.startswith(".") for part in parts[: -1 if _is_data(parts) else None]):
            raise PolicyViolation(path, "hidden names are not allowed", UNTRUSTED)
        for length in range(1, len(parts)):
            if "/".join(parts[:length]) in paths:
                raise PolicyViolation(path, "the same name is a file and a folder", UNTRUSTED)


def _is_data(parts: list[str]) -> bool:
    """Say whether a path may end in a hidden name, as raw/.github_README.md: in a folder, and with a suffix.

    Files that programs act upon have none, or are at the top: .envrc, .gitignore.
    """
    return len(parts) > 1 and "." in parts[-1][1:]


def _check_folder(out: Path, paths: set[str]) -> None:
    """Raise where the folder leads elsewhere, or holds data that is not of this release: readers would mix them up."""
    for parent in {(out / path).parent for path in paths}:
        if (there := parent.resolve()) != parent:
            what = "is a symbolic link" if there.is_relative_to(out) else f"a symbolic link leads out of {out}"
            raise PolicyViolation(parent, what, "remove that link")
    for top in {path.partition("/")[0] for path in paths if "/" in path}:
        for there in sorted((out / top).rglob("*")):
            name = there.relative_to(out).as_posix()
            if not there.is_dir() and name not in paths and not re.match(r"\..*(\.part|\.tmp-\w+)$", there.name):
                raise UsageError(there, "not part of this release", "remove it, or choose another OUT")


def _check_distinct(out: Path, paths: Iterable[str]) -> None:
    """Raise PolicyViolation where the file system takes two names for one, as many do with capitals or accents."""
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(unicodedata.normalize("NFC", path).casefold(), path)
        if other != path and (out / path).samefile(out / other):
            fix = "choose a case-sensitive file system"
            raise PolicyViolation(out / path, f"the file system takes it for {other!r}", fix)


def _busy(out: Path) -> NoReturn:
    raise LockHeld(out, "another get is writing to this folder", "wait for it, or choose another OUT")

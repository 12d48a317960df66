"""Write files and folders so that they appear whole or not at all.

Everything is written beside its target under a hidden temporary name, flushed to disk and renamed. The writer
holds a lock on the temporary, so the next run can tell the leftovers of a killed run from a live neighbour's.
"""

import ctypes
import errno
import fcntl
import glob
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

AT_FDCWD, RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h


@contextmanager
def replacing(*targets: Path) -> Iterator[list[Path]]:
    """Yield one temporary path per target; on success rename them into place, in the order given.

    A kill between two renames leaves each file whole, one new and one old: where a pair must match, let the last one
    name the others by hash (as ``samples.parquet`` does), so that its readers can tell.
    """
    with ExitStack() as stack:
        temporaries = [stack.enter_context(_temporary(target, folder=False)) for target in targets]
        yield temporaries
        for temporary in temporaries:
            sync(temporary)
        for temporary, target in zip(temporaries, targets, strict=True):
            os.replace(temporary, target)
            sync(target.parent)


@contextmanager
def replacing_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder; on success swap it with the target in one step."""
    with _temporary(target, folder=True) as temporary:
        yield temporary
        publish_folder(temporary, target)


def publish_folder(ready: Path, target: Path) -> None:
    """Flush the folder ``ready`` to disk and put it in the place of ``target``, which is removed."""
    for entry in (*sorted(ready.rglob("*")), ready):
        sync(entry)
    try:
        os.rename(ready, target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:  # what rename says of a folder that holds something
            raise
        _exchange(ready, target)
    sync(target.parent)
    _remove(ready)


def sync(path: Path) -> None:
    """Flush a file or folder to disk."""
    with _opened(path) as descriptor:
        os.fsync(descriptor)


@contextmanager
def _temporary(target: Path, folder: bool) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name}.tmp-"
    for leftover in target.parent.glob(f"{glob.escape(prefix)}*"):
        _sweep(leftover)
    path, descriptor = _locked(target.parent, prefix, folder)
    try:
        yield path
    finally:
        os.close(descriptor)
        _remove(path)


def _locked(parent: Path, prefix: str, folder: bool) -> tuple[Path, int]:
    """Make a temporary and lock it; again if a neighbour's sweep took it before the lock was held."""
    while True:
        path = parent / f"{prefix}{secrets.token_hex(8)}"
        path.mkdir() if folder else path.touch(exist_ok=False)  # not by tempfile, whose modes leave the umask out
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists():
                return path, descriptor
            os.close(descriptor)


def _sweep(leftover: Path) -> None:
    """Remove a temporary that nobody holds."""
    with suppress(FileNotFoundError, BlockingIOError), _opened(leftover) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(leftover)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _exchange(first: Path, second: Path) -> None:
    """Swap two folders in one system call; where the system or the disk has none (macOS), in two renames."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0:
            return
        code = ctypes.get_errno()
        if code not in {errno.EINVAL, errno.ENOSYS}:
            raise OSError(code, os.strerror(code), str(second))
    aside = second.with_name(f".{second.name}.tmp-old")
    os.rename(second, aside)
    os.rename(first, second)
    os.rename(aside, first)

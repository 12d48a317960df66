"""Write files and folders so that they appear complete or not at all.

Everything is written next to its target under a hidden temporary name, flushed to disk and renamed. The writer holds a
lock on the temporary, so that the next run can tell leftovers of a killed run from the files of a running one.
"""

import ctypes
import errno
import glob
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from .locks import opened, try_lock

AT_FDCWD, RENAME_EXCHANGE, SYNC_FILE_RANGE_WRITE = -100, 2, 2  # linux/fcntl.h, linux/fs.h


@contextmanager
def replacing(*targets: Path) -> Iterator[list[Path]]:
    """Yield one temporary path per target; on success rename them to their targets, in the given order.

    A kill between two renames leaves one new and one old file: if files must match, let the last one contain the
    hashes of the others (as ``samples.parquet`` does), so that its readers can tell.
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
    """Flush the folder ``ready`` to disk and replace ``target`` with it."""
    for entry in (*sorted(ready.rglob("*")), ready):
        sync(entry)
    try:
        os.rename(ready, target)
    except OSError as error:
        if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:  # from rename onto a folder that is not empty
            raise
        _exchange(ready, target)
    sync(target.parent)
    _remove(ready)


def sync(path: Path) -> None:
    """Flush a file or folder to disk."""
    with opened(path) as descriptor:
        os.fsync(descriptor)


def begin_sync(descriptor: int, start: int, size: int) -> None:
    """Let Linux begin to write a part of a file to disk, so that the flush at the end finds little left to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None).sync_file_range(descriptor, *map(ctypes.c_int64, (start, size)), SYNC_FILE_RANGE_WRITE)


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
    """Make a temporary and lock it; again if the sweep of another run removed it before it was locked."""
    while True:
        path = parent / f"{prefix}{secrets.token_hex(8)}"
        path.mkdir() if folder else path.touch(exist_ok=False)  # tempfile's modes ignore the umask
        with suppress(FileNotFoundError):
            descriptor = os.open(path, os.O_RDONLY)
            if try_lock(descriptor) and path.exists():
                return path, descriptor
            os.close(descriptor)


def _sweep(leftover: Path) -> None:
    """Remove a temporary whose writer has ended."""
    with suppress(FileNotFoundError), opened(leftover) as descriptor:
        if try_lock(descriptor):
            _remove(leftover)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _exchange(first: Path, second: Path) -> None:
    """Swap two folders in one system call, or by renames on systems and disks without it (macOS)."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0:
            return
        code = ctypes.get_errno()
        if code not in {errno.EINVAL, errno.ENOSYS}:
            raise OSError(code, os.strerror(code), str(second))
    old = second.with_name(f".{second.name}.tmp-old")
    os.rename(second, old)
    os.rename(first, second)
    os.rename(old, first)

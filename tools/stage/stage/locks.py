"""Locks between processes: ``flock`` on a file or folder, which the system releases when its holder ends."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path, busy: Callable[[], None] = lambda: None) -> Iterator[int]:
    """Hold the exclusive lock of a folder, or of a file, which is made if it is missing; yield its descriptor.

    If another process holds it, call ``busy``, which may raise instead of letting this one wait.
    """
    with opened(path, os.O_RDONLY if path.is_dir() else os.O_RDONLY | os.O_CREAT) as descriptor:
        if not try_lock(descriptor):
            busy()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor


def try_lock(descriptor: int) -> bool:
    """Take the exclusive lock of an open file or folder; return False if another process holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def opened(path: Path, flags: int = os.O_RDONLY) -> Iterator[int]:
    """Open a file or folder, yield its descriptor and close it."""
    descriptor = os.open(path, flags, 0o666)
    try:
        yield descriptor
    finally:
        os.close(descriptor)

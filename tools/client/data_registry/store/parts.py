"""Put an object of the store into files: it gathers in ``.<md5>.part`` beside them, and appears once it is right.

The name is the object's and not the file's, so that the longest has room, and the part of another version is no part.
"""

import contextlib
import os
import re
import shutil
import stat
from pathlib import Path

from data_registry.stage.errors import ChecksumMismatch
from data_registry.stage.output import begin_sync, sync
from data_registry.store.objects import Item, copy_object
from data_registry.store.parallel import Meter
from data_registry.store.protocol import BLOCK, Store

PART = re.compile(r"\.[0-9a-f]{32}\.part")
SOON = 8 << 20  # bytes


def place(store: Store, item: Item, right: list[Path], lacking: list[Path], meter: Meter) -> int:
    """Give files the bytes of an item's object, which those in ``right`` have, and return how many these are.

    Raises Absent, ChecksumMismatch or NetworkFailed.
    """
    if lacking and not right:
        lacking[0].parent.mkdir(parents=True, exist_ok=True)
        _fetch(store, item, lacking[0], meter)
    for target in lacking if right else lacking[1:]:
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{item.md5}.part")
        part.unlink(missing_ok=True)
        shutil.copyfile((right or lacking)[0], part)
        sync(part)
        part.replace(target)
        meter(target.stat().st_size)
    return len(lacking)


def _fetch(store: Store, item: Item, target: Path, meter: Meter) -> None:
    """Fetch an object, from where an earlier run stopped; all of it where that turns out wrong."""
    part = target.with_name(f".{item.md5}.part")
    with contextlib.suppress(FileNotFoundError):
        there = part.lstat()
        if not stat.S_ISREG(there.st_mode) or there.st_nlink > 1:  # what is written to it would be written elsewhere
            part.unlink()
    descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
    with os.fdopen(descriptor, "r+b", buffering=0) as file:
        start = os.fstat(descriptor).st_size
        written = begun = start

        def write(block: bytes) -> None:
            nonlocal written, begun
            meter(len(block))
            left = memoryview(block)
            while left:  # unbuffered, so that a full disk is found here
                left = left[file.write(left) :]
            written += len(block)
            if written - begun >= SOON:
                begin_sync(descriptor, begun, written - begun)
                begun = written

        meter(start)
        try:
            copy_object(store, item.md5, write, start, iter(lambda: file.read(BLOCK), b""), item.sha256, item.limit)
        except ChecksumMismatch:
            meter(-file.seek(0, os.SEEK_END))
            file.seek(0)
            file.truncate()
            if not start:
                part.unlink()
                raise
            written = begun = 0
            copy_object(store, item.md5, write, sha256=item.sha256, limit=item.limit)
        os.fsync(descriptor)
    part.replace(target)

"""What the storage of a remote does, whatever kind it is: objects by their MD5, read, written, looked for.

Objects lie where DVC puts them, ``files/md5/<2 digits>/<the rest>``.
"""

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from data_registry.stage.errors import InputMissing, StageError, VerificationFailed

MD5 = re.compile(r"[0-9a-f]{32}(\.dir)?")
CACHE = ".dvc/cache"  # of a clone
BLOCK = 1 << 18  # what a connection that breaks may have given in vain


class Absent(StageError):
    """The store answers, and has no such object."""

    code = InputMissing.code


class Store(Protocol):
    """Where the objects of one remote are."""

    remote: str

    def read(self, md5: str, start: int = 0) -> contextlib.AbstractContextManager[Iterator[bytes]]:
        """Open an object after ``start`` bytes, in blocks. Raises Absent, NetworkFailed or SourceRefused."""

    def size(self, md5: str) -> int:
        """Return the size of an object. Raises Absent, NetworkFailed or SourceRefused."""

    def write(self, md5: str, source: Path, advance: Callable[[int], None] = lambda _: None) -> None:
        """Put a file in the place of an object, whatever is there; ``advance`` gets the bytes as they are sent.

        Raises PushFailed, SourceRefused or DiskFull.
        """

    def delete(self, md5: str) -> None:
        """Remove an object. Raises SourceRefused where that is not allowed, PushFailed."""

    def probe(self) -> str:
        """Return the address, once it has answered. Raises NetworkFailed or SourceRefused."""


def object_path(md5: str) -> str:
    """Return where an object lies below a remote's folder or prefix, or below DVC's cache."""
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def check_md5(md5: str, where: str) -> str:
    """Return the name of an object. Raises VerificationFailed for what is none: it becomes a path, or a key."""
    if isinstance(md5, str) and MD5.fullmatch(md5):
        return md5
    raise VerificationFailed(where, f"expected an MD5, got {md5!r:.60}", "release it again under another version")


def blocks_of(
    read: Callable[[], bytes], failing: Callable[[], contextlib.AbstractContextManager[None]]
) -> Iterator[bytes]:
    """Yield blocks to the end; what fails in reading them, and not in what is done with them, is the store's fault."""
    while True:
        with failing():
            block = read()
        if not block:
            return
        yield block


def absent(remote: str, md5: str) -> Absent:
    """Return the failure that a store has no such object."""
    return Absent(f"remote {remote}", f"object {md5} not found", "make repair, or make push where it was built")

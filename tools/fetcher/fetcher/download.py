"""One download: where a file comes from, its body, and the partial file that later attempts and runs resume."""

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stage.errors import CorruptFile
from stage.foreign import read_bytes, read_json
from stage.redaction import safe_url

from fetcher.writer import HashingWriter

log = logging.getLogger(__name__)
STATE = {"url": str, "validator": str, "total": (range(1 << 63), None)}


@dataclass(frozen=True)
class Resume:
    """Where to resume: after ``size`` bytes of the version that ``validator`` names, of ``total`` bytes if known."""

    size: int
    validator: str
    total: int | None


class Body(Protocol):
    """An open file; its bytes begin at ``start``, which is zero or the size of the partial file.

    ``framed`` says whether its end is marked; otherwise a short body may have been cut. ``encoding`` is the
    Content-Encoding of a server that compresses unasked.
    """

    start: int
    total: int | None
    validator: str | None
    framed: bool
    encoding: str | None

    def readinto(self, block: memoryview) -> int:
        """Fill some of ``block`` and return how much; zero at the end. Raise Transient if the file is cut short."""

    def close(self) -> None: ...


class Location(Protocol):
    """Where one file can be downloaded from."""

    url: str

    def open(self, resume: Resume | None) -> Body:
        """Open the file, at the point to resume if possible."""


def part_stem(name: str) -> str:
    """Return the file name, without suffix, of the partial file of ``name``: short and flat."""
    return hashlib.sha256(name.encode()).hexdigest()


class PartialFile:
    """What has arrived of one file, and a JSON file that says of which version it is."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{part_stem(name)}.part"
        self._state = folder / f"{part_stem(name)}.json"

    def resume(self, url: str) -> Resume | None:
        """Return where to resume the download of ``url``; None if nothing usable has arrived."""
        try:
            state, size = read_json(read_bytes(self._state, 1 << 20), self._state, STATE), self.path.stat().st_size
        except (FileNotFoundError, CorruptFile):  # a killed run leaves half of the JSON
            return None
        validator, total, same = state["validator"], state["total"], state["url"] == url
        return Resume(size, validator, total) if same and size and (total is None or size < total) else None

    @contextmanager
    def writer(self, url: str, body: Body, expected: int | None) -> Iterator[HashingWriter]:
        """Yield a writer that continues at the start of ``body``."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            # in this order: at no moment does the state describe bytes of another version
            os.ftruncate(descriptor, body.start)
            if body.validator:
                state = {"url": url, "validator": body.validator, "total": body.total}
                self._state.write_text(json.dumps(state), encoding="utf-8")
            else:
                self._state.unlink(missing_ok=True)
            with HashingWriter(descriptor, body.start, expected) as writer:
                yield writer
        finally:
            os.close(descriptor)

    def move(self, target: Path) -> None:
        """Move the finished file to ``target``."""
        os.replace(self.path, target)
        self._state.unlink(missing_ok=True)

    def discard(self) -> None:
        """Remove what has arrived."""
        self.path.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)


def warn_if_compressed(body: Body, location: Location, where: str) -> None:
    """Warn that the pin will be of compressed bytes, since the server compresses unasked."""
    if body.encoding:
        what = "%s: %s is compressed by the server (Content-Encoding: %s); its pin is of the compressed bytes"
        log.warning(what, where, safe_url(location.url), body.encoding)

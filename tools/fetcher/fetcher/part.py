"""What has arrived of a file, kept across tries and runs, beside a note saying of which version it is."""

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stage.errors import CorruptFile
from stage.foreign import read_bytes, read_json

from fetcher.body import Body, Kept
from fetcher.sink import Sink


def part_stem(name: str) -> str:
    """Return the file name, without suffix, under which parts of the file ``name`` are kept: short and flat."""
    return hashlib.sha256(name.encode()).hexdigest()


NOTE = {"url": str, "validator": str, "total": (range(1 << 63), None)}


class Part:
    """The part of one file in the folder of parts."""

    def __init__(self, folder: Path, name: str) -> None:
        self.path = folder / f"{part_stem(name)}.part"
        self._note = folder / f"{part_stem(name)}.json"

    def kept(self, url: str) -> Kept | None:
        """Return what is kept of the file at ``url``; None if nothing of use is."""
        try:
            note, size = read_json(read_bytes(self._note, 1 << 20), self._note, NOTE), self.path.stat().st_size
        except (FileNotFoundError, CorruptFile):  # a killed run leaves half a note
            return None
        validator, total, same = note["validator"], note["total"], note["url"] == url
        return Kept(size, validator, total) if same and size and (total is None or size < total) else None

    @contextmanager
    def receiving(self, url: str, body: Body, expected: int | None) -> Iterator[Sink]:
        """Yield a sink that goes on where ``body`` starts."""
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            # in this order: at no moment does a note speak of bytes that are another version's
            os.ftruncate(descriptor, body.start)
            if body.validator:
                note = {"url": url, "validator": body.validator, "total": body.total}
                self._note.write_text(json.dumps(note), encoding="utf-8")
            else:
                self._note.unlink(missing_ok=True)
            with Sink(descriptor, body.start, expected) as sink:
                yield sink
        finally:
            os.close(descriptor)

    def move(self, target: Path) -> None:
        """Put the finished file where it belongs."""
        os.replace(self.path, target)
        self._note.unlink(missing_ok=True)

    def discard(self) -> None:
        """Keep nothing."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

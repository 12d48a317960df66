"""Fetch one file from the first location that sends what the pin says, hashing and counting every byte."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from stage.errors import ChecksumMismatch, EmptyInput, NetworkFailed, PolicyViolation, StageError
from stage.redaction import safe_url

from fetcher.download import Body, Location, PartialFile, Resume, warn_if_compressed
from fetcher.failures import FILE_ORDER, Limits, NotFound, Transient, most_severe, with_retries
from fetcher.locations import Mirror
from fetcher.sources import Pin, Source
from fetcher.writer import HashingWriter

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A location to try; ``output`` is the earlier version of the whole set, whose files are often still right.

    ``storage`` has copies next to sources.csv.
    """

    location: Location
    kind: Literal["output", "storage", "mirror", "source"]


class Transfer:
    """The download of one file into its partial file."""

    def __init__(self, source: Source, part: PartialFile, limits: Limits, advance: Callable[[int], None]) -> None:
        self._source, self._part, self._limits = source, part, limits
        self._advance, self._counted = advance, 0
        self._encoding: str | None = None

    def run(self, candidates: list[Candidate], mirror: Mirror | None) -> tuple[Candidate, Pin]:
        """Try the candidates in order; return the one that sent the right bytes, and their pin.

        Raises the most severe failure if none did.
        """
        failures: list[StageError] = []
        for number, candidate in enumerate(candidates, start=1):
            if candidate.kind == "mirror" and mirror and mirror.down:
                failures.append(NetworkFailed("mirror", "not reachable", "run again later"))
                continue
            try:
                return candidate, self._fetch(candidate.location)
            except StageError as error:
                if candidate.kind == "output" or (candidate.kind == "mirror" and isinstance(error, NotFound)):
                    log.debug("%s: %s", error.where, error.what)
                    continue
                failures.append(error)
                if candidate.kind == "mirror" and mirror and isinstance(error, NetworkFailed):
                    mirror.down = True
                if number < len(candidates):
                    log.warning("%s: %s; trying the next URL", error.where, error.what)
        raise most_severe(failures, FILE_ORDER)

    def _fetch(self, location: Location) -> Pin:
        return with_retries(lambda: self._attempt(location), self._limits, self._source.where)

    def _attempt(self, location: Location) -> Pin:
        resume = self._part.resume(location.url)
        try:
            try:
                return self._receive(location, resume)
            except ChecksumMismatch:
                if resume is None:
                    raise
                # the partial file may be to blame: after a power cut it can hold less than was written
                log.warning("%s: the partial download does not match; starting over", self._source.where)
                return self._receive(location, None)
        except StageError:
            self._part.discard()
            raise

    def _receive(self, location: Location, resume: Resume | None) -> Pin:
        source, body = self._source, location.open(resume)
        self._encoding = body.encoding
        if source.sha256 is None:
            warn_if_compressed(body, location, source.where)
        try:
            if body.total is not None:
                self._check_size(location, body.total, f"{body.total} bytes")
            with self._part.writer(location.url, body, source.bytes) as writer:
                self._count(writer.size)
                while self._copy_block(body, writer):
                    self._check_size(location, writer.size, f"at least {writer.size} bytes", complete=False)
                if not body.framed and source.bytes and writer.size < source.bytes:
                    raise Transient(f"connection closed after {writer.size} of {source.bytes} bytes")
                pin = Pin(writer.finish(), writer.size)
        finally:
            body.close()
        self._check_size(location, pin.bytes, str(pin))
        if source.sha256 not in {None, pin.sha256}:
            raise self._mismatch(location, str(pin))
        return pin

    def _copy_block(self, body: Body, writer: HashingWriter) -> bool:
        """Copy one block; return whether there may be more. What arrived before a failure stays in the file."""
        self._limits.watchdog.check()
        block, size = writer.free_block(), 0
        try:
            while size < len(block) and (read := body.readinto(block[size:])):
                size += read
        finally:
            writer.write(block, size)
            self._count(writer.size)
        return size == len(block)

    def _count(self, position: int) -> None:
        self._advance(position - self._counted)
        self._counted = position

    def _check_size(self, location: Location, size: int, got: str, complete: bool = True) -> None:
        source = self._source
        if complete and size == 0:
            raise EmptyInput(source.where, f"{safe_url(location.url)} is an empty file", "correct the URL")
        if source.bytes is None and size > self._limits.max_bytes:
            what = f"{safe_url(location.url)} has {got}, max-bytes leaves {self._limits.max_bytes}"
            raise PolicyViolation(source.where, what, "raise --max-bytes, or correct the URL")
        if source.bytes is not None and (size > source.bytes or (complete and size != source.bytes)):
            raise self._mismatch(location, got)

    def _mismatch(self, location: Location, got: str) -> ChecksumMismatch:
        source = self._source
        expected = f"{source.sha256} ({source.bytes} bytes)"
        what = f"checksum mismatch for {safe_url(location.url)}: expected {expected}, got {got}"
        if self._encoding:
            what += f", compressed by the server (Content-Encoding: {self._encoding})"
            return ChecksumMismatch(source.where, what, "use a URL that sends the file as it is, or pin these bytes")
        return ChecksumMismatch(source.where, what, "check what changed upstream, then update the pin")

"""Bring one file: from the first place that sends what the pin says, hashing and counting every byte."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from stage.errors import ChecksumMismatch, EmptyInput, NetworkFailed, PolicyViolation, StageError
from stage.redaction import safe_url

from fetcher.body import Body, Kept, Place
from fetcher.failures import OF_PLACES, Absent, Transient, gravest
from fetcher.part import Part
from fetcher.places import Mirror
from fetcher.retries import persistently
from fetcher.sink import Sink
from fetcher.sources import Pin, Source
from fetcher.watch import Watch

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A place to try; ``output`` is the older version of the whole set, whose files are often still right."""

    place: Place
    kind: Literal["output", "mirror", "source"]


@dataclass(frozen=True)
class Rules:
    """How long to insist, and how large an unpinned file may be."""

    tries: int
    backoff: float
    limit: int
    watch: Watch


class Transfer:
    """The way of one file into its part."""

    def __init__(self, source: Source, part: Part, rules: Rules, advance: Callable[[int], None]) -> None:
        self._source, self._part, self._rules = source, part, rules
        self._advance, self._counted = advance, 0
        self._encoding: str | None = None

    def run(self, candidates: list[Candidate], mirror: Mirror | None) -> tuple[Candidate, Pin]:
        """Try the candidates in order; return the one that sent the right bytes, and what they are.

        Raises the failure that weighs most if none did.
        """
        failures: list[StageError] = []
        for position, candidate in enumerate(candidates, start=1):
            if candidate.kind == "mirror" and mirror and mirror.down:
                failures.append(NetworkFailed("mirror", "is down", "run again later"))
                continue
            try:
                return candidate, self._insist(candidate.place)
            except StageError as error:
                if candidate.kind == "output" or (candidate.kind == "mirror" and isinstance(error, Absent)):
                    log.debug("%s: %s", error.where, error.what)
                    continue
                failures.append(error)
                if candidate.kind == "mirror" and mirror and isinstance(error, NetworkFailed):
                    mirror.down = True
                if position < len(candidates):
                    log.warning("%s: %s; passing on to the next place", error.where, error.what)
        raise gravest(failures, OF_PLACES)

    def _insist(self, place: Place) -> Pin:
        rules = self._rules
        return persistently(
            lambda: self._attempt(place), rules.tries, rules.backoff, rules.watch.sleep, self._source.where
        )

    def _attempt(self, place: Place) -> Pin:
        kept = self._part.kept(place.url)
        try:
            try:
                return self._receive(place, kept)
            except ChecksumMismatch:
                if kept is None:
                    raise
                # the kept bytes may be to blame: after a power cut a file can hold less than was written
                log.warning("%s: what was kept does not fit; starting from the first byte", self._source.where)
                return self._receive(place, None)
        except StageError:
            self._part.discard()
            raise

    def _receive(self, place: Place, kept: Kept | None) -> Pin:
        source, body = self._source, place.open(kept)
        self._encoding = body.encoding
        if body.encoding and source.sha256 is None:
            told = "%s: %s is sent compressed (Content-Encoding: %s), and pinned so"
            log.warning(told, source.where, safe_url(place.url), body.encoding)
        try:
            if body.total is not None:
                self._check_size(place, body.total, f"{body.total} bytes")
            with self._part.receiving(place.url, body, source.bytes) as sink:
                self._count(sink.size)
                while self._fill(body, sink):
                    self._check_size(place, sink.size, f"at least {sink.size} bytes", complete=False)
                if not body.framed and source.bytes and sink.size < source.bytes:
                    raise Transient(f"connection ended after {sink.size} of {source.bytes} bytes")
                pin = Pin(sink.finish(), sink.size)
        finally:
            body.close()
        self._check_size(place, pin.bytes, f"{pin.sha256} ({pin.bytes} bytes)")
        if source.sha256 not in {None, pin.sha256}:
            raise self._mismatch(place, f"{pin.sha256} ({pin.bytes} bytes)")
        return pin

    def _fill(self, body: Body, sink: Sink) -> bool:
        """Move one block; return whether there may be more. What came before a failure is kept."""
        self._rules.watch.check()
        block, size = sink.room(), 0
        try:
            while size < len(block) and (got := body.readinto(block[size:])):
                size += got
        finally:
            sink.put(block, size)
            self._count(sink.size)
        return size == len(block)

    def _count(self, position: int) -> None:
        self._advance(position - self._counted)
        self._counted = position

    def _check_size(self, place: Place, size: int, got: str, complete: bool = True) -> None:
        source = self._source
        if complete and size == 0:
            raise EmptyInput(source.where, f"{safe_url(place.url)} sent an empty file", "correct the URL")
        if source.bytes is None and size > self._rules.limit:
            what = f"{safe_url(place.url)} sent {got}, more than max-bytes allows ({self._rules.limit} left)"
            raise PolicyViolation(source.where, what, "raise --max-bytes if you mean it")
        if source.bytes is not None and (size > source.bytes or (complete and size != source.bytes)):
            raise self._mismatch(place, got)

    def _mismatch(self, place: Place, got: str) -> ChecksumMismatch:
        source = self._source
        what = f"{safe_url(place.url)} sent other bytes: want {source.sha256} ({source.bytes} bytes), got {got}"
        if self._encoding:
            what += f", compressed by the server (Content-Encoding: {self._encoding})"
            return ChecksumMismatch(source.where, what, "name a URL that sends the file as it is, or pin these bytes")
        return ChecksumMismatch(source.where, what, "see what changed upstream, then pin it anew")

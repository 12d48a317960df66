"""Fetch a set of files in parallel, all or nothing."""

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stage.errors import PolicyViolation
from stage.progress import progress

from fetcher.failures import Limits
from fetcher.local import LocalFile, StoredFile
from fetcher.locations import Mirror, configured_network, locate
from fetcher.sources import Pin, Source, read_sources, write_pins
from fetcher.staging import Staging, exclusive, has_exactly, matches
from fetcher.transfer import Candidate, Transfer
from fetcher.watchdog import Watchdog
from fetcher.workers import outcomes_of, process_all

JOBS, TRIES, BACKOFF, TIMEOUT, MAX_BYTES = 8, 4, 0.5, 3600.0, 50 * 10**9


@dataclass(frozen=True)
class Fetched:
    """What a run did: files and bytes of the set, and how many were downloaded, reused, or came from the mirror."""

    files: int
    bytes: int
    downloaded: int
    reused: int
    from_mirror: int


@dataclass(frozen=True)
class _FetchedFile:
    pin: Pin
    kind: str


def fetch(
    sources: Path,
    out: Path,
    *,
    mirror: str | None = None,
    trust: tuple[str, ...] = (),
    allow_unpinned: bool = False,
    jobs: int = JOBS,
    tries: int = TRIES,
    timeout: float = TIMEOUT,
    max_bytes: int = MAX_BYTES,
    backoff: float = BACKOFF,
) -> Fetched:
    """Fetch the files that ``sources`` lists into the folder ``out``, which is replaced in one step or not at all.

    ``timeout`` is in seconds for one attempt at one file, ``backoff`` the seconds of the first pause between attempts.
    Raises the error of the most severe failure, with the names of all files that failed; partial downloads are kept
    next to ``out`` for the next run.
    """
    watchdog = Watchdog()
    try:
        listed = read_sources(sources, allow_unpinned)
        pinned = sum(source.bytes or 0 for source in listed)
        if pinned > max_bytes:
            what = f"the files have {pinned} bytes, more than max-bytes ({max_bytes})"
            raise PolicyViolation(sources, what, "raise --max-bytes")
        limits = Limits(tries, backoff, max_bytes - pinned, watchdog)
        network = configured_network(trust, mirror, timeout, watchdog)
        candidates = {
            source.name: [
                Candidate(locate(url, sources.parent, network, source.where), "source") for url in source.urls
            ]
            for source in listed
        }
        opened_mirror = Mirror(mirror, network) if mirror else None
        out = Path(out)
        with exclusive(out):
            return _Run(sources, listed, candidates, opened_mirror, limits, jobs, out).run()
    finally:
        watchdog.stop()


class _Run:
    """The fetch of one set, while no other fetcher works on it."""

    def __init__(
        self,
        path: Path,
        sources: list[Source],
        candidates: dict[str, list[Candidate]],
        mirror: Mirror | None,
        limits: Limits,
        jobs: int,
        out: Path,
    ) -> None:
        self._path, self._sources, self._candidates, self._mirror = path, sources, candidates, mirror
        self._limits, self._jobs, self._out, self._staging = limits, jobs, out, Staging(out)

    def run(self) -> Fetched:
        sources = self._sources
        if self._is_complete():
            self._staging.discard()
            return Fetched(len(sources), sum(source.bytes or 0 for source in sources), 0, len(sources), 0)
        self._staging.prepare(source.name for source in sources)
        fetched = self._fetch_all()
        if pins := {source.name: fetched[source.name].pin for source in sources if source.sha256 is None}:
            write_pins(self._path, pins)
        self._staging.publish()
        kinds = Counter(file.kind for file in fetched.values())
        return Fetched(
            files=len(sources),
            bytes=sum(file.pin.bytes for file in fetched.values()),
            downloaded=kinds["source"] + kinds["mirror"],
            reused=kinds["staged"] + kinds["output"] + kinds["storage"],
            from_mirror=kinds["mirror"],
        )

    def _is_complete(self) -> bool:
        if not has_exactly(self._out, self._sources):
            return False

        def check(source: Source) -> bool:
            return matches(self._out / source.name, source)

        with outcomes_of(deque(self._sources), check, self._jobs, self._limits.watchdog) as outcomes:
            for _, outcome in outcomes:
                if isinstance(outcome, Exception):
                    raise outcome
                if not outcome:
                    return False
        return True

    def _fetch_all(self) -> dict[str, _FetchedFile]:
        sources, sizes = self._sources, [source.bytes for source in self._sources if source.bytes is not None]
        total = sum(sizes) if len(sizes) == len(sources) else 0  # unknown
        with progress("fetching", total, "bytes") as advance:
            count = _synchronized(advance)
            return process_all(
                {source.name: source for source in sources},
                lambda source: self._fetch_one(source, count),
                self._jobs,
                self._limits.watchdog,
                self._path,
            )

    def _fetch_one(self, source: Source, advance: Callable[[int], None]) -> _FetchedFile:
        target = self._staging.path(source.name)
        if matches(target, source) and source.sha256 and source.bytes:
            advance(source.bytes)
            return _FetchedFile(Pin(source.sha256, source.bytes), "staged")
        candidates = list(self._candidates[source.name])
        if source.sha256:
            if self._mirror:
                candidates.insert(0, Candidate(self._mirror.locate(source.sha256), "mirror"))
            stored = StoredFile(source.sha256, self._path.parent, source.where)
            if stored.exists and stored.url not in source.urls:
                candidates.insert(0, Candidate(stored, "storage"))
            before = self._out / source.name
            if before.is_file() and before.stat().st_size == source.bytes:
                candidates.insert(0, Candidate(LocalFile(before.absolute(), source.where), "output"))
        part = self._staging.part(source.name)
        candidate, pin = Transfer(source, part, self._limits, advance).run(candidates, self._mirror)
        part.move(target)
        return _FetchedFile(pin, candidate.kind)


def _synchronized(advance: Callable[[int], None]) -> Callable[[int], None]:
    """Let one thread at a time call ``advance``."""
    lock = threading.Lock()

    def count(amount: int) -> None:
        with lock:
            advance(amount)

    return count

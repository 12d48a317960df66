"""Fetch a whole set of files: in parallel, one fetcher at a time, all or nothing."""

import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from stage.errors import PolicyViolation
from stage.progress import progress

from fetcher.crew import all_of, crew
from fetcher.local import LocalFile
from fetcher.places import Mirror, network, place
from fetcher.sources import Pin, Source, read_sources, write_pins
from fetcher.staging import Staging, alone_beside, holds, holds_only
from fetcher.transfer import Candidate, Rules, Transfer
from fetcher.watch import Watch

T = TypeVar("T")
JOBS, TRIES, BACKOFF, TIMEOUT, MAX_BYTES = 8, 4, 0.5, 3600.0, 50 * 10**9


@dataclass(frozen=True)
class Fetched:
    """What a run did: files and bytes of the set, how many files came or were there, how many the mirror gave."""

    files: int
    bytes: int
    downloaded: int
    reused: int
    from_mirror: int


@dataclass(frozen=True)
class _Landed:
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
    """Fetch the files that ``sources`` names into the folder ``out``, which appears whole or not at all.

    ``timeout`` is in seconds and for one try at one file, ``backoff`` in seconds and the first pause between tries.
    Raises the stage error of the gravest failure, naming all files that failed; what has arrived is kept beside
    ``out`` for the next run.
    """
    watch = Watch()
    try:
        wanted = read_sources(sources, allow_unpinned)
        pinned = sum(source.bytes or 0 for source in wanted)
        if pinned > max_bytes:
            what = f"its files have {pinned} bytes, more than max-bytes allows ({max_bytes})"
            raise PolicyViolation(sources, what, "raise --max-bytes if you mean it")
        rules = Rules(tries, backoff, max_bytes - pinned, watch)
        reach = network(trust, mirror, timeout, watch)
        places = {
            source.name: [Candidate(place(url, sources.parent, reach, source.where), "source") for url in source.urls]
            for source in wanted
        }
        first = Mirror(mirror, reach) if mirror else None
        out = Path(out)
        with alone_beside(out):
            return _Run(sources, wanted, places, first, rules, jobs, out).run()
    finally:
        watch.stop()


class _Run:
    """One set on its way, while no other fetcher works on it."""

    def __init__(
        self,
        path: Path,
        wanted: list[Source],
        places: dict[str, list[Candidate]],
        mirror: Mirror | None,
        rules: Rules,
        jobs: int,
        out: Path,
    ) -> None:
        self._path, self._wanted, self._places, self._mirror = path, wanted, places, mirror
        self._rules, self._jobs, self._out, self._staging = rules, jobs, out, Staging(out)

    def run(self) -> Fetched:
        wanted = self._wanted
        if self._complete():
            self._staging.discard()
            return Fetched(len(wanted), sum(source.bytes or 0 for source in wanted), 0, len(wanted), 0)
        self._staging.prepare(source.name for source in wanted)
        landed = self._land()
        if pins := {source.name: landed[source.name].pin for source in wanted if source.sha256 is None}:
            write_pins(self._path, pins)
        self._staging.publish()
        kinds = Counter(one.kind for one in landed.values())
        return Fetched(
            files=len(wanted),
            bytes=sum(one.pin.bytes for one in landed.values()),
            downloaded=kinds["source"] + kinds["mirror"],
            reused=kinds["staged"] + kinds["output"],
            from_mirror=kinds["mirror"],
        )

    def _complete(self) -> bool:
        if not holds_only(self._out, self._wanted):
            return False

        def check(source: Source) -> bool:
            return holds(self._out / source.name, source)

        with crew(deque(self._wanted), check, self._jobs, self._rules.watch) as checks:
            return all(_raised(outcome) for _, outcome in checks)

    def _land(self) -> dict[str, _Landed]:
        wanted, sizes = self._wanted, [source.bytes for source in self._wanted if source.bytes is not None]
        total = sum(sizes) if len(sizes) == len(wanted) else 0  # unknown
        with progress("fetching", total, "bytes") as advance:
            count = _in_turn(advance)

            def bring(source: Source) -> _Landed:
                return self._bring(source, count)

            named = {source.name: source for source in wanted}
            return all_of(named, bring, self._jobs, self._rules.watch, self._path)

    def _bring(self, source: Source, advance: Callable[[int], None]) -> _Landed:
        target = self._staging.path(source.name)
        if holds(target, source) and source.sha256 and source.bytes:
            advance(source.bytes)
            return _Landed(Pin(source.sha256, source.bytes), "staged")
        candidates = list(self._places[source.name])
        if source.sha256:
            if self._mirror:
                candidates.insert(0, Candidate(self._mirror.place(source.sha256), "mirror"))
            before = self._out / source.name
            if before.is_file() and before.stat().st_size == source.bytes:
                candidates.insert(0, Candidate(LocalFile(before.absolute(), source.where), "output"))
        part = self._staging.part(source.name)
        candidate, pin = Transfer(source, part, self._rules, advance).run(candidates, self._mirror)
        part.move(target)
        return _Landed(pin, candidate.kind)


def _in_turn(advance: Callable[[int], None]) -> Callable[[int], None]:
    """Let threads take turns at the progress."""
    turn = threading.Lock()

    def count(amount: int) -> None:
        with turn:
            advance(amount)

    return count


def _raised(outcome: T | Exception) -> T:
    if isinstance(outcome, Exception):
        raise outcome
    return outcome

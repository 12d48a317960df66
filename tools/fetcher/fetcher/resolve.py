"""Ask upstream what it holds now, and write that into sources.csv: all of it or nothing, and only what changed."""

from dataclasses import dataclass
from pathlib import Path

from stage.errors import EmptyInput
from stage.progress import progress

from fetcher.crew import all_of
from fetcher.fetch import BACKOFF, MAX_BYTES, TIMEOUT, TRIES
from fetcher.github import list_readmes
from fetcher.huggingface import list_dataset
from fetcher.names import check_name, check_together
from fetcher.places import network
from fetcher.plain_urls import list_urls
from fetcher.resolving import Task
from fetcher.sources import Source, read_sources, write_sources
from fetcher.transfer import Rules
from fetcher.upstream import HuggingFace, PlainUrls, Upstream
from fetcher.watch import Watch
from fetcher.web import Network

JOBS = 4  # https://docs.github.com/rest: an API that gets many questions at once limits them


@dataclass(frozen=True)
class Resolved:
    """What upstream holds, files and bytes, and the names whose rows are new, other or gone in sources.csv."""

    files: int
    bytes: int
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


def resolve(
    sources: Path,
    upstream: Upstream,
    *,
    trust: tuple[str, ...] = (),
    tries: int = TRIES,
    timeout: float = TIMEOUT,
    max_bytes: int = MAX_BYTES,
    backoff: float = BACKOFF,
) -> Resolved:
    """Write into ``sources`` what ``upstream`` holds, pinned; leave it as it is where nothing has changed.

    ``timeout`` is in seconds and for one try at one file or question, ``backoff`` in seconds and the first pause
    between tries, ``max_bytes`` for one file at a plain URL. Raises the stage error of the gravest failure, and
    EmptyInput where there is no file at all; ``sources`` then stays as it was.
    """
    watch = Watch()
    try:
        before = _before(sources)
        reach, rules = network(trust, None, timeout, watch), Rules(tries, backoff, max_bytes, watch)
        tasks = _tasks(upstream, sources.parent, reach, rules)
        for name in tasks:
            check_name(name, "upstream")
        check_together((name, "upstream") for name in tasks)
        with progress("resolving", len(tasks), "files") as advance:
            found = all_of(tasks, lambda task: task(), JOBS, watch, sources, advance)
    finally:
        watch.stop()
    after = [Source(name, one.urls, one.pin.sha256, one.pin.bytes) for name, one in found.items() if one]
    if not after:
        raise EmptyInput("upstream", "holds no file", "correct upstream in params.yaml")
    done = _compared({source.name: source for source in before}, {source.name: source for source in after})
    if done.added or done.changed or done.removed:
        write_sources(sources, after)
    return done


def _before(sources: Path) -> list[Source]:
    try:
        return read_sources(sources, allow_unpinned=True)
    except (FileNotFoundError, EmptyInput):  # a dataset that is new
        return []


def _tasks(upstream: Upstream, folder: Path, reach: Network, rules: Rules) -> dict[str, Task]:
    if isinstance(upstream, PlainUrls):
        return list_urls(upstream, folder, reach, rules)
    if isinstance(upstream, HuggingFace):
        return list_dataset(upstream, reach, rules)
    return list_readmes(upstream, reach, rules)


def _told(source: Source) -> tuple[str, tuple[str, ...], str | None, int | None]:
    return source.name, source.urls, source.sha256, source.bytes


def _compared(before: dict[str, Source], after: dict[str, Source]) -> Resolved:
    return Resolved(
        files=len(after),
        bytes=sum(source.bytes or 0 for source in after.values()),
        added=tuple(name for name in after if name not in before),
        changed=tuple(name for name in after if name in before and _told(after[name]) != _told(before[name])),
        removed=tuple(name for name in before if name not in after),
    )

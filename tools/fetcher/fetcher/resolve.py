"""Pin what upstream has now in sources.csv, which changes only if upstream has, and as a whole."""

from dataclasses import dataclass
from pathlib import Path

from stage.errors import EmptyInput
from stage.progress import progress

from fetcher.failures import Limits
from fetcher.fetch import BACKOFF, MAX_BYTES, TIMEOUT, TRIES
from fetcher.github import list_readmes
from fetcher.huggingface import list_dataset
from fetcher.locations import configured_network
from fetcher.names import check_distinct, check_name
from fetcher.plain_urls import list_urls
from fetcher.s3_listing import list_objects
from fetcher.sources import Source, read_sources, write_sources
from fetcher.upstream import HuggingFace, PlainUrls, S3Prefix, Task, Upstream
from fetcher.watchdog import Watchdog
from fetcher.web import Network
from fetcher.workers import process_all

JOBS = 4  # https://docs.github.com/rest: an API limits clients with many concurrent requests


@dataclass(frozen=True)
class Resolved:
    """Files and bytes that upstream has, and the names whose rows were added, changed or removed in sources.csv."""

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
    """Pin in ``sources`` what ``upstream`` has; leave the file as it is if nothing has changed.

    ``timeout`` is in seconds for one attempt at one request, ``backoff`` the seconds of the first pause between
    attempts, ``max_bytes`` for one file at a plain URL. Raises the error of the most severe failure, and EmptyInput if
    upstream has no files; ``sources`` then stays as it was.
    """
    watchdog = Watchdog()
    try:
        before = _before(sources)
        network = configured_network(trust, None, timeout, watchdog)
        limits = Limits(tries, backoff, max_bytes, watchdog)
        tasks = _tasks(upstream, sources.parent, network, limits)
        for name in tasks:
            check_name(name, "upstream")
        check_distinct((name, "upstream") for name in tasks)
        with progress("resolving", len(tasks), "files") as advance:
            files = process_all(tasks, lambda task: task(), JOBS, watchdog, sources, advance)
    finally:
        watchdog.stop()
    after = [Source(name, file.urls, file.pin.sha256, file.pin.bytes) for name, file in files.items() if file]
    if not after:
        raise EmptyInput("upstream", "no files", "correct upstream in params.yaml")
    resolved = _compared({source.name: source for source in before}, {source.name: source for source in after})
    if resolved.added or resolved.changed or resolved.removed:
        write_sources(sources, after)
    return resolved


def _before(sources: Path) -> list[Source]:
    try:
        return read_sources(sources, allow_unpinned=True)
    except (FileNotFoundError, EmptyInput):  # a new dataset
        return []


def _tasks(upstream: Upstream, folder: Path, network: Network, limits: Limits) -> dict[str, Task]:
    if isinstance(upstream, PlainUrls):
        return list_urls(upstream, folder, network, limits)
    if isinstance(upstream, HuggingFace):
        return list_dataset(upstream, network, limits)
    if isinstance(upstream, S3Prefix):
        return list_objects(upstream, network, limits)
    return list_readmes(upstream, network, limits)


def _content(source: Source) -> tuple[str, tuple[str, ...], str | None, int | None]:
    return source.name, source.urls, source.sha256, source.bytes


def _compared(before: dict[str, Source], after: dict[str, Source]) -> Resolved:
    return Resolved(
        files=len(after),
        bytes=sum(source.bytes or 0 for source in after.values()),
        added=tuple(name for name in after if name not in before),
        changed=tuple(name for name in after if name in before and _content(after[name]) != _content(before[name])),
        removed=tuple(name for name in before if name not in after),
    )

"""Upstream is a list of URLs: each is read, and all of one name must send the same bytes."""

from functools import partial
from pathlib import Path

from stage.errors import ChecksumMismatch
from stage.redaction import safe_url

from fetcher.body import Place
from fetcher.digests import pin
from fetcher.places import place
from fetcher.resolving import Found, Task
from fetcher.sources import Pin
from fetcher.transfer import Rules
from fetcher.upstream import PlainUrls
from fetcher.web import Network


def list_urls(upstream: PlainUrls, folder: Path, network: Network, rules: Rules) -> dict[str, Task]:
    """Return what pins each file; ``file:`` URLs are relative to ``folder``.

    Raises PolicyViolation for a URL that may not be used. A task raises ChecksumMismatch where URLs disagree.
    """
    tasks: dict[str, Task] = {}
    for name, urls in upstream.files.items():
        where = f"upstream.files.{name}"
        places = [place(url, folder, network, where) for url in urls]
        tasks[name] = partial(_pin, urls, places, rules, where)
    return tasks


def _pin(urls: tuple[str, ...], places: list[Place], rules: Rules, where: str) -> Found:
    first = pin(places[0], rules, where)
    for url, other in zip(urls[1:], places[1:], strict=True):
        if (found := pin(other, rules, where)) != first:
            what = f"{safe_url(urls[0])} and {safe_url(url)} send different files: {_told(first)} and {_told(found)}"
            raise ChecksumMismatch(where, what, "name URLs of one file, or remove the stale one")
    return Found(urls, first)


def _told(found: Pin) -> str:
    return f"{found.sha256} ({found.bytes} bytes)"

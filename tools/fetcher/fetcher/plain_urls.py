"""Upstream is a list of URLs: each is read once, and all URLs of one file must send the same bytes."""

from functools import partial
from pathlib import Path

from stage.errors import ChecksumMismatch
from stage.redaction import safe_url

from fetcher.download import Location
from fetcher.failures import Limits
from fetcher.locations import locate
from fetcher.pinning import compute_pin
from fetcher.upstream import PinnedFile, PlainUrls, Task
from fetcher.web import Network


def list_urls(upstream: PlainUrls, folder: Path, network: Network, limits: Limits) -> dict[str, Task]:
    """Return the tasks that pin the files, by name; ``file:`` URLs are relative to ``folder``.

    Raises PolicyViolation for a URL that may not be used. A task raises ChecksumMismatch if its URLs differ.
    """
    tasks: dict[str, Task] = {}
    for name, urls in upstream.files.items():
        where = f"upstream.files.{name}"
        locations = [locate(url, folder, network, where) for url in urls]
        tasks[name] = partial(_pin, urls, locations, limits, where)
    return tasks


def _pin(urls: tuple[str, ...], locations: list[Location], limits: Limits, where: str) -> PinnedFile:
    first = compute_pin(locations[0], limits, where)
    for url, location in zip(urls[1:], locations[1:], strict=True):
        if (pin := compute_pin(location, limits, where)) != first:
            what = f"{safe_url(urls[0])} and {safe_url(url)} differ: {first} and {pin}"
            raise ChecksumMismatch(where, what, "use URLs of the same file, or remove the outdated one")
    return PinnedFile(urls, first)

"""Where the files of a dataset come from: the section ``upstream`` of a params.yaml, and what resolving it returns."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stage.errors import UsageError
from stage.params import build, section

from fetcher.sources import Pin

COMMIT = re.compile(r"[0-9a-f]{40}")
DATASET = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)  # owner/name, as the Hub allows them
PREFIX = re.compile(r"s3://[A-Za-z0-9][A-Za-z0-9._-]*/(?:.*/)?")
ORGANISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


@dataclass(frozen=True)
class PlainUrls:
    """Files by name, each with one or more URLs that send the same bytes."""

    files: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class HuggingFace:
    """Files of a dataset on the Hugging Face Hub; ``files`` are globs whose ``*`` also matches ``/``.

    Without ``files``, those of ``config`` by the dataset's card; without either, those of its default configuration.
    """

    dataset: str
    files: tuple[str, ...] = ()
    revision: str = "main"
    config: str = ""


@dataclass(frozen=True)
class S3Prefix:
    """Objects in S3 whose keys begin with ``prefix``, s3://bucket/folder/; ``files`` are globs over the rest."""

    prefix: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class GithubReadmes:
    """The README of each public repository of a GitHub organisation; archived ones and forks only on request."""

    organisation: str
    archived: bool = False
    forks: bool = False
    exclude: tuple[str, ...] = ()


@dataclass(frozen=True)
class PinnedFile:
    """The URLs of a file, and its pin."""

    urls: tuple[str, ...]
    pin: Pin


Task = Callable[[], PinnedFile | None]  # None: upstream has no such file after all, which is not an error
Upstream = PlainUrls | HuggingFace | S3Prefix | GithubReadmes
KINDS: dict[str, type[Upstream]] = {
    "urls": PlainUrls,
    "huggingface": HuggingFace,
    "s3": S3Prefix,
    "github-readmes": GithubReadmes,
}


def read_upstream(path: Path) -> Upstream:
    """Read the section ``upstream`` of a params.yaml; raise UsageError if it is missing or invalid."""
    where, known = f"{path} upstream", ", ".join(KINDS)
    values = section(path, "upstream")
    if not values:
        raise UsageError(where, "section not found", f"add upstream: with kind: {known}")
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f"{where}.kind", f"unknown kind {kind!r}" if kind else "not set", f"use one of: {known}")
    upstream = build(KINDS[kind], values, where)
    empty = isinstance(upstream, PlainUrls) and not all(upstream.files.values())
    if empty or ("files" in values and not values["files"]):
        raise UsageError(f"{where}.files", "no files listed", "see tools/fetcher/README.md")
    if isinstance(upstream, GithubReadmes):
        _check(ORGANISATION, upstream.organisation, f"{where}.organisation", "write its name as in GitHub's URLs")
        return upstream
    if isinstance(upstream, S3Prefix):
        if not PREFIX.fullmatch(upstream.prefix):
            raise UsageError(f"{where}.prefix", f"invalid prefix {upstream.prefix[:80]!r}", "write s3://bucket/folder/")
        return upstream
    if isinstance(upstream, HuggingFace):
        _check(DATASET, upstream.dataset, f"{where}.dataset", "write owner/name")
        if not upstream.revision.strip():
            raise UsageError(f"{where}.revision", "empty", "set a branch, a tag or a commit")
        if upstream.files and upstream.config:
            raise UsageError(where, "files and config are both set", "remove one of them")
    return upstream


def _check(pattern: re.Pattern[str], value: str, where: str, fix: str) -> None:
    if not pattern.fullmatch(value):
        raise UsageError(where, f"invalid name {value[:80]!r}", fix)

"""Settings: the section ``upstream`` of a params.yaml, which says where the files of a dataset come from."""

import re
from dataclasses import dataclass
from pathlib import Path

from stage.errors import UsageError
from stage.params import build, section

COMMIT = re.compile(r"[0-9a-f]{40}")
DATASET = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)  # owner/name, as the Hub allows them
ORGANISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")


@dataclass(frozen=True)
class PlainUrls:
    """Files by name, each at one or more URLs that send the same bytes."""

    files: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class HuggingFace:
    """Files of a dataset on the Hugging Face Hub; ``files`` are globs whose ``*`` also matches ``/``."""

    dataset: str
    files: tuple[str, ...]
    revision: str = "main"


@dataclass(frozen=True)
class GithubReadmes:
    """The README of each public repository of a GitHub organisation, but those excluded by name or by what they are."""

    organisation: str
    archived: bool = False
    forks: bool = False
    exclude: tuple[str, ...] = ()


Upstream = PlainUrls | HuggingFace | GithubReadmes
KINDS: dict[str, type[Upstream]] = {
    "urls": PlainUrls,
    "huggingface": HuggingFace,
    "github-readmes": GithubReadmes,
}


def read_upstream(path: Path) -> Upstream:
    """Read the section ``upstream`` of a params.yaml; raise UsageError for what it does not understand."""
    where, known = f"{path} upstream", ", ".join(KINDS)
    values = section(path, "upstream")
    if not values:
        raise UsageError(where, "there is no such section", f"add upstream: with kind: {known}")
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in KINDS:
        raise UsageError(f"{where}.kind", f"{kind!r} is unknown" if kind else "is missing", f"use one of: {known}")
    upstream = build(KINDS[kind], values, where)
    if isinstance(upstream, GithubReadmes):
        _check(ORGANISATION, upstream.organisation, f"{where}.organisation", "write its name in GitHub's URLs")
        return upstream
    if not upstream.files or (isinstance(upstream, PlainUrls) and not all(upstream.files.values())):
        raise UsageError(f"{where}.files", "names no files", "see tools/fetcher/README.md")
    if isinstance(upstream, HuggingFace):
        _check(DATASET, upstream.dataset, f"{where}.dataset", "write owner/name")
        if not upstream.revision.strip():
            raise UsageError(f"{where}.revision", "is empty", "name a branch, a tag or a commit")
    return upstream


def _check(pattern: re.Pattern[str], value: str, where: str, fix: str) -> None:
    if not pattern.fullmatch(value):
        raise UsageError(where, f"{value[:80]!r} is no such name", fix)

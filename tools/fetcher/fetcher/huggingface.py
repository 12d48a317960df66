"""Upstream is a dataset on the Hugging Face Hub: its files at one commit, pinned by the checksums of the Hub."""

import re
from fnmatch import fnmatchcase
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from stage.errors import ChecksumMismatch, EmptyInput, PolicyViolation, SourceRefused

from fetcher.api import HUB, Api, field, unexpected
from fetcher.failures import Limits
from fetcher.pinning import Blob, compute_pin
from fetcher.sources import MAX_SIZE, SHA256, Pin
from fetcher.upstream import COMMIT, HuggingFace, PinnedFile, Task
from fetcher.web import Network, WebFile

# Data only: no code, and nothing that may run code when it is loaded, as pickles do.
DATA = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".md", ".parquet", ".arrow", ".jpg", ".jpeg", ".png"}
COMPRESSED = {".gz", ".zst"}
WILDCARD = re.compile(r"[*?\[]")
NARROW = "narrow files in params.yaml"


def list_dataset(upstream: HuggingFace, network: Network, limits: Limits) -> dict[str, Task]:
    """Return the tasks that pin the selected files of the dataset, by path in the repository.

    Raises SourceRefused if the dataset, its revision or a file is not found, PolicyViolation for a file that is not
    data, and ChecksumMismatch if the Hub returns another commit than the requested one.
    """
    where, api = f"dataset {upstream.dataset}", Api(HUB, network, limits, {})
    commit = _commit(upstream, api, where)
    # https://huggingface.co/docs/hub/api: a page has at most 1000 entries
    entries = api.pages(f"/api/datasets/{upstream.dataset}/tree/{commit}?recursive=true", where)
    paths = {field(entry, "path", str, where): entry for entry in entries if field(entry, "type", str, where) == "file"}
    tasks: dict[str, Task] = {}
    for path in sorted(_selected(upstream, paths, commit, where)):
        if not _is_data(path):
            known = ", ".join(sorted(DATA | COMPRESSED))
            raise PolicyViolation(where, f"{path} is not a data file; expected one of {known}", NARROW)
        url = f"{api.url}/datasets/{upstream.dataset}/resolve/{commit}/{quote(path)}"
        tasks[path] = partial(_pin, paths[path], url, network, limits, f"{where} {path}")
    return tasks


def _commit(upstream: HuggingFace, api: Api, where: str) -> str:
    revision = upstream.revision
    response = api.get(f"/api/datasets/{upstream.dataset}/revision/{quote(revision, safe='')}", where)
    commit = field(response, "sha", str, where)
    if not COMMIT.fullmatch(commit):
        raise unexpected(where, "invalid commit in the Hub's response")
    if COMMIT.fullmatch(revision) and commit != revision:
        what = f"expected commit {revision}, the Hub returned {commit}"
        raise ChecksumMismatch(where, what, "correct revision in params.yaml, or contact the dataset's owner")
    return commit


def _selected(upstream: HuggingFace, paths: dict[str, Any], commit: str, where: str) -> set[str]:
    selected: set[str] = set()
    for glob in upstream.files:
        matches = {path for path in paths if path == glob or fnmatchcase(path, glob)}
        if not matches:
            what = f"no file matches {glob}" if WILDCARD.search(glob) else f"file {glob} not found"
            raise SourceRefused(where, f"{what} at {commit}", "correct files in params.yaml")
        selected |= matches
    return selected


def _is_data(path: str) -> bool:
    """Say whether a file has a data suffix; of a compressed one the suffix before that counts too, if it has one."""
    name = PurePosixPath(path.lower())
    if name.suffix in COMPRESSED:
        return PurePosixPath(name.stem).suffix in {"", *DATA}
    return name.suffix in DATA


def _pin(entry: Any, url: str, network: Network, limits: Limits, where: str) -> PinnedFile:
    lfs = entry.get("lfs")
    size = field(entry if lfs is None else lfs, "size", int, where)
    oid = field(entry if lfs is None else lfs, "oid", str, where)
    if not (COMMIT if lfs is None else SHA256).fullmatch(oid) or not 0 <= size <= MAX_SIZE:
        raise unexpected(where, "invalid checksum or size in the Hub's response")
    if size == 0:
        raise EmptyInput(where, "empty file", NARROW)
    if lfs is not None:
        return PinnedFile((url,), Pin(oid, size))
    return PinnedFile((url,), compute_pin(WebFile(url, network, where), limits, where, Blob(oid, size)))

"""Upstream is a dataset on the Hugging Face Hub: its files at one commit, pinned by what the Hub says of them."""

import re
from fnmatch import fnmatchcase
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from stage.errors import ChecksumMismatch, EmptyInput, PolicyViolation, SourceRefused

from fetcher.api import Api, field, malformed
from fetcher.digests import Blob, pin
from fetcher.endpoints import HUB
from fetcher.resolving import Found, Task
from fetcher.sources import LARGEST, SHA256, Pin
from fetcher.transfer import Rules
from fetcher.upstream import COMMIT, HuggingFace
from fetcher.web import Network, WebFile

# Data only: nothing that runs, as code does, or may run when it is loaded, as pickles do.
DATA = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".md", ".parquet", ".arrow", ".jpg", ".jpeg", ".png"}
PACKED = {".gz", ".zst"}
ANY = re.compile(r"[*?\[]")


def list_dataset(upstream: HuggingFace, network: Network, rules: Rules) -> dict[str, Task]:
    """Return what pins each selected file of the dataset, by its path in the repository.

    Raises SourceRefused where dataset, revision or a file is missing, PolicyViolation for a selected file that is no
    data, and ChecksumMismatch where the Hub has another commit than was asked for.
    """
    where, api = f"dataset {upstream.dataset}", Api(HUB, network, rules, {})
    commit = _commit(upstream, api, where)
    # https://huggingface.co/docs/hub/api: a page has at most 1000 entries
    entries = api.pages(f"/api/datasets/{upstream.dataset}/tree/{commit}?recursive=true", where)
    paths = {field(entry, "path", str, where): entry for entry in entries if field(entry, "type", str, where) == "file"}
    tasks: dict[str, Task] = {}
    for path in sorted(_selected(upstream, paths, commit, where)):
        if not _is_data(path):
            what = f"{path} is selected, and its suffix is not one of data ({', '.join(sorted(DATA | PACKED))})"
            raise PolicyViolation(where, what, "narrow files in params.yaml")
        url = f"{api.url}/datasets/{upstream.dataset}/resolve/{commit}/{quote(path)}"
        tasks[path] = partial(_pin, paths[path], url, network, rules, f"{where} {path}")
    return tasks


def _commit(upstream: HuggingFace, api: Api, where: str) -> str:
    revision = upstream.revision
    answer = api.get(f"/api/datasets/{upstream.dataset}/revision/{quote(revision, safe='')}", where)
    commit = field(answer, "sha", str, where)
    if not COMMIT.fullmatch(commit):
        raise malformed(where, "the Hub's answer has no commit")
    if COMMIT.fullmatch(revision) and commit != revision:
        what = f"asked for commit {revision}, the Hub answered with {commit}"
        raise ChecksumMismatch(where, what, "correct revision in params.yaml, or ask whoever keeps the dataset")
    return commit


def _selected(upstream: HuggingFace, paths: dict[str, Any], commit: str, where: str) -> set[str]:
    selected: set[str] = set()
    for glob in upstream.files:
        found = {path for path in paths if path == glob or fnmatchcase(path, glob)}
        if not found:
            what = f"no file {'matches' if ANY.search(glob) else 'is called'} {glob} at {commit}"
            raise SourceRefused(where, what, "correct files in params.yaml")
        selected |= found
    return selected


def _is_data(path: str) -> bool:
    """Say whether a suffix is one of data: of what is packed, the one before that too, if there is one."""
    name = PurePosixPath(path.lower())
    if name.suffix in PACKED:
        return PurePosixPath(name.stem).suffix in {"", *DATA}
    return name.suffix in DATA


def _pin(entry: Any, url: str, network: Network, rules: Rules, where: str) -> Found:
    lfs = entry.get("lfs")
    size = field(entry if lfs is None else lfs, "size", int, where)
    oid = field(entry if lfs is None else lfs, "oid", str, where)
    if not (COMMIT if lfs is None else SHA256).fullmatch(oid) or not 0 <= size <= LARGEST:
        raise malformed(where, "the Hub's answer has no usable checksum or size")
    if size == 0:
        raise EmptyInput(where, "is empty", "narrow files in params.yaml")
    if lfs is not None:
        return Found((url,), Pin(oid, size))
    return Found((url,), pin(WebFile(url, network, where), rules, where, Blob(oid, size)))

"""Upstream is a dataset on the Hugging Face Hub: its files at one commit, pinned by the checksums of the Hub."""

import re
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import partial
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from stage.errors import ChecksumMismatch, EmptyInput, PolicyViolation, SourceRefused, UsageError

from fetcher.api import HUB, Api, field, unexpected
from fetcher.failures import Limits
from fetcher.pinning import Blob, compute_pin
from fetcher.sources import MAX_SIZE, SHA256, Pin
from fetcher.upstream import COMMIT, HuggingFace, PinnedFile, Task
from fetcher.web import Network, WebFile

# Data only: no code, and nothing that may run code when it is loaded, as pickles do.
DATA = {".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".txt", ".md", ".parquet", ".arrow", ".feather"}
DATA |= {".jpg", ".jpeg", ".png", ".webp", ".wav", ".flac", ".mp3", ".ogg", ".zip", ".tar", ".tgz"}
COMPRESSED = {".gz", ".zst", ".bz2", ".xz"}
DESCRIPTIONS = re.compile(r"(?:readme|licen[cs]e|dataset_infos?|state)\b.*", re.IGNORECASE)  # files about the data
WILDCARD = re.compile(r"[*?\[]")
NARROW = "narrow files in params.yaml"


def list_dataset(upstream: HuggingFace, network: Network, limits: Limits) -> dict[str, Task]:
    """Return the tasks that pin the selected files of the dataset, by path in the repository.

    Raises SourceRefused if the dataset, its revision or a file is not found, PolicyViolation for a file that is not
    data, and ChecksumMismatch if the Hub returns another commit than the requested one.
    """
    where, api = f"dataset {upstream.dataset}", Api(HUB, network, limits, {})
    commit, card = _revision(upstream, api, where)
    # https://huggingface.co/docs/hub/api: a page has at most 1000 entries
    entries = api.pages(f"/api/datasets/{upstream.dataset}/tree/{commit}?recursive=true", where)
    paths = {field(entry, "path", str, where): entry for entry in entries if field(entry, "type", str, where) == "file"}
    tasks: dict[str, Task] = {}
    globs = upstream.files or _globs(upstream.config, card, paths, where)
    for path in sorted(_selected(globs, paths, commit, where)):
        if not _is_data(path):
            known = ", ".join(sorted(DATA | COMPRESSED))
            raise PolicyViolation(where, f"{path} is not a data file; expected one of {known}", NARROW)
        url = f"{api.url}/datasets/{upstream.dataset}/resolve/{commit}/{quote(path)}"
        tasks[path] = partial(_pin, paths[path], url, network, limits, f"{where} {path}")
    return tasks


def _revision(upstream: HuggingFace, api: Api, where: str) -> tuple[str, Any]:
    """Return the commit of the revision, and the metadata of the dataset's card there."""
    revision = upstream.revision
    response = api.get(f"/api/datasets/{upstream.dataset}/revision/{quote(revision, safe='')}", where)
    commit = field(response, "sha", str, where)
    if not COMMIT.fullmatch(commit):
        raise unexpected(where, "invalid commit in the Hub's response")
    if COMMIT.fullmatch(revision) and commit != revision:
        what = f"expected commit {revision}, the Hub returned {commit}"
        raise ChecksumMismatch(where, what, "correct revision in params.yaml, or contact the dataset's owner")
    return commit, response.get("cardData")


def _globs(config: str, card: Any, paths: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """Return the globs of a configuration, by the dataset's card or as a folder; of the default one if none is named.

    https://huggingface.co/docs/hub/datasets-manual-configuration
    """
    configs = _configs(card)
    if config and config not in configs and any(path.startswith(f"{config}/") for path in paths):
        return (f"{config}/*",)
    if not config and not configs:
        data = tuple(path for path in paths if _is_data(path) and not _is_description(path))
        if not data:
            raise SourceRefused(where, "no data files", "name files in params.yaml")
        return data
    name = config or (next(iter(configs)) if len(configs) == 1 else "default")
    if name not in configs:
        known = ", ".join(sorted(configs)) or "none"
        what = f"unknown config {config!r:.80}" if config else "has several configs"
        raise UsageError(where, what, f"set config in params.yaml (FROM=hf:owner/name:config) to one of: {known:.300}")
    return configs[name]


def _configs(card: Any) -> dict[str, tuple[str, ...]]:
    """Return the globs of each configuration in the card's metadata; of the default one also as "default"."""
    entries = card.get("configs") if isinstance(card, dict) else None
    configs: dict[str, tuple[str, ...]] = {}
    for entry in entries if isinstance(entries, list) else []:
        if isinstance(entry, dict) and isinstance(name := entry.get("config_name", "default"), str):
            folder = f"{data_dir.strip('/')}/" if isinstance(data_dir := entry.get("data_dir"), str) else ""
            globs = tuple(folder + glob for glob in _strings(entry.get("data_files")))
            if globs or folder:
                configs[name] = globs or (f"{folder}*",)
                if entry.get("default") is True:
                    configs["default"] = configs[name]
    return configs


def _strings(data_files: Any) -> list[str]:
    """Return the paths and globs in ``data_files``: a string, a list of strings, or of {split, path}."""
    if isinstance(data_files, str):
        return [data_files]
    if isinstance(data_files, dict):
        return _strings(data_files.get("path"))
    return [glob for item in data_files for glob in _strings(item)] if isinstance(data_files, list) else []


def _selected(globs: tuple[str, ...], paths: Mapping[str, Any], commit: str, where: str) -> set[str]:
    selected: set[str] = set()
    for glob in globs:
        spellings = {glob, glob.removeprefix("**/")}
        matching = {path for path in paths if any(fnmatchcase(path, spelling) for spelling in spellings)}
        matches = {glob} if glob in paths else matching
        if not matches:
            what = f"no file matches {glob}" if WILDCARD.search(glob) else f"file {glob} not found"
            raise SourceRefused(where, f"{what} at {commit}", "correct files in params.yaml")
        selected |= matches
    return selected


def _is_description(path: str) -> bool:
    """Say whether a file is about the data, not part of it; hidden files are."""
    return any(part.startswith(".") for part in path.split("/")) or bool(
        DESCRIPTIONS.fullmatch(PurePosixPath(path).name)
    )


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

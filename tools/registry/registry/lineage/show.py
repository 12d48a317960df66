"""Describe a version of a dataset, and list its versions."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_registry.git import Git
from data_registry.releases.completeness import report_gaps
from data_registry.releases.lookup import find_release
from data_registry.releases.release import Release
from data_registry.releases.versions import list_tags, released, tag_of
from data_registry.stage.errors import InputMissing

from registry.batches import Failures
from registry.datasets import Dataset, features_of
from registry.terminal import row, rows

WORKING_COPY = "working copy"


@dataclasses.dataclass(frozen=True)
class Listed:
    """A released version, its date and logical hash."""

    version: str
    date: str
    logical_hash: str


@dataclasses.dataclass(frozen=True)
class Description:
    """A version of a dataset, or its working copy: its ``metadata.json``, and all versions.

    ``incomplete`` says which versions this clone lacks.
    """

    name: str
    version: str
    metadata: dict[str, Any]
    versions: list[Listed]
    incomplete: list[str]


def show(dataset: Dataset, root: Path, version: str = "") -> Description:
    """Read a version, or the working copy.

    Raises UsageError for a version that is not released, InputMissing where the working copy is not built.
    """
    git = Git(root)
    lacking = report_gaps(git, dataset.name).lines
    versions, unread = _versions(git, dataset)
    if version:
        release = find_release(git, dataset.name, version)
        return Description(dataset.name, str(release.version), release.metadata, versions, lacking + unread)
    if not (dataset.folder / "metadata.json").is_file():
        latest = f", or make show DS={dataset.name} VERSION={versions[0].version}" if versions else ""
        raise InputMissing(f"data/{dataset.name}", "not built", f"make dataset DS={dataset.name}{latest}")
    return Description(dataset.name, WORKING_COPY, dataset.metadata(), versions, lacking + unread)


def _versions(git: Git, dataset: Dataset) -> tuple[list[Listed], list[str]]:
    """Return the released versions, the latest first, and why some cannot be read."""
    dates, failures, versions = tag_dates(git), Failures(), []
    for version in reversed(released(git, dataset.name).get(dataset.name, [])):
        with failures.collected(tag_of(dataset.name, version)):
            logical_hash = Release(git, dataset.name, version).logical_hash
            versions.append(Listed(str(version), dates[tag_of(dataset.name, version)], logical_hash))
    return versions, [f"unreadable: {error.where}: {error.what}" for error in failures.errors]


def tag_dates(git: Git) -> dict[str, str]:
    """Return the date of each tag, ISO 8601; empty for a tag that cannot be read."""
    line = "--format=%(refname:lstrip=2) %(creatordate:short)"
    done = git.run("for-each-ref", line, "refs/tags")
    if done.returncode == 0:
        return dict(pair.split(" ") for pair in done.stdout.decode().splitlines())
    one_by_one = (git.run("for-each-ref", line, f"refs/tags/{tag}") for tag in list_tags(git))  # git stops at a bad one
    dates = dict(one.stdout.decode().strip().split(" ") for one in one_by_one if one.returncode == 0)
    return {tag: dates.get(tag, "") for tag in list_tags(git)}


def as_text(description: Description) -> str:
    """Return a description for a terminal of 80 columns."""
    metadata = description.metadata
    about, provenance = metadata.get("dataset", {}), metadata.get("provenance", {})
    lines = [f"{description.name} {description.version}"]
    if provenance.get("sample"):
        lines += row("data", "SYNTHETIC SAMPLE, not the real data")
    for label, name in (("title", "title"), ("about", "description"), ("source", "source"), ("licence", "licence")):
        lines += row(label, about.get(name, ""))
    lines += row("identity", metadata.get("logical_hash", ""))
    lines += rows("splits", _splits(metadata))
    lines += rows("columns", (f"{name}: {column['dtype']}" for name, column in features_of(metadata).items()))
    prompt = metadata.get("prompt", {})
    lines += row("prompt", prompt.get("prompt_uri", ""))
    lines += rows("checks", metadata.get("checks", {}).get("warnings") or ["none failed"])
    lines += rows("sources", map(_source, provenance.get("sources", [])))
    lines += rows("parents", map(_plain, provenance.get("parents", [])))
    params = provenance.get("params", {})
    lines += rows("params", (f"{path} = {_plain(value)}" for path, value in _leaves(params)))
    lines += rows("tools", provenance.get("tools", {}).values())
    hashes = {listed.logical_hash: listed.version for listed in reversed(description.versions)}
    same = hashes.get(str(metadata.get("logical_hash")), "")
    if description.version == WORKING_COPY and description.versions:
        last = description.versions[0].version
        lines += row(
            "state", f"same as {same}" if same else f"differs from {last}: make diff DS={description.name} A={last}"
        )
    versions = [f"{listed.version}, {listed.date}, {listed.logical_hash[:16]}…" for listed in description.versions]
    lines += rows("versions", versions or ["none in this clone" if description.incomplete else "none released"])
    if not versions and not description.incomplete:
        lines += row("next", f"make release DS={description.name} VERSION=1.0.0")
    return "\n".join([*lines, *rows("incomplete", description.incomplete)])


def _splits(metadata: Mapping[str, Any]) -> Iterator[str]:
    if not metadata.get("splits") and (count := metadata.get("summary", {}).get("num_samples")):
        yield f"none, {count} samples"
    for name, split in metadata.get("splits", {}).items():
        yield f"{name}, {split['num_samples']} samples"


def _source(source: Mapping[str, Any]) -> str:
    return f"{source['name']}, {source['bytes']} bytes, sha256 {source['sha256'][:16]}…"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)
    else:
        yield path, value


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

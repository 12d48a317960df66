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
from data_registry.releases.versions import released, tag_dates, tag_of
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
    lines += row("prompt", metadata.get("prompt", {}).get("prompt_uri", ""))
    lines += rows("checks", metadata.get("checks", {}).get("warnings") or ["none failed"])
    sources = provenance.get("sources", [])
    lines += rows("sources", (f"{one['name']}, {one['bytes']} bytes, sha256 {one['sha256'][:16]}…" for one in sources))
    lines += rows("parents", map(_plain, provenance.get("parents", [])))
    lines += rows("params", (f"{path} = {_plain(value)}" for path, value in _leaves(provenance.get("params", {}))))
    lines += rows("tools", provenance.get("tools", {}).values())
    hashes = {listed.logical_hash: listed.version for listed in reversed(description.versions)}
    same = hashes.get(str(metadata.get("logical_hash")), "")
    if description.version == WORKING_COPY and description.versions:
        last = description.versions[0].version
        differs = f"differs from {last}: make diff DS={description.name} A={last}"
        lines += row("state", f"same as {same}" if same else differs)
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


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)
    else:
        yield path, value


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

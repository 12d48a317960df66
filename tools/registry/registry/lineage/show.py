"""What a version of a dataset is, and which versions there are."""

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
from registry.datasets import Dataset
from registry.terminal import row, rows

WORKING_COPY = "working copy"


@dataclasses.dataclass(frozen=True)
class Listed:
    """A version that is released: when, and what it holds."""

    version: str
    date: str
    logical_hash: str


@dataclasses.dataclass(frozen=True)
class Shown:
    """A version of a dataset, or its working copy, by its ``metadata.json``; and the versions that there are.

    ``incomplete`` says what the clone lacks of them.
    """

    name: str
    version: str
    metadata: dict[str, Any]
    versions: list[Listed]
    incomplete: list[str]


def show(dataset: Dataset, root: Path, version: str = "") -> Shown:
    """Read a version, or the working copy.

    Raises UsageError for a version that is not released, InputMissing where the working copy is not built.
    """
    git = Git(root)
    lacking = report_gaps(git, dataset.name).lines
    versions, unread = _versions(git, dataset)
    if version:
        release = find_release(git, dataset.name, version)
        return Shown(dataset.name, str(release.version), release.metadata, versions, lacking + unread)
    if not (dataset.folder / "metadata.json").is_file():
        raise InputMissing(f"data/{dataset.name}", "is not built here", f"make dataset DS={dataset.name}")
    return Shown(dataset.name, WORKING_COPY, dataset.metadata(), versions, lacking + unread)


def _versions(git: Git, dataset: Dataset) -> tuple[list[Listed], list[str]]:
    """Return what is released, the last first, and why some cannot be read."""
    dates, failures, found = tag_dates(git), Failures(), []
    for each in reversed(released(git, dataset.name).get(dataset.name, [])):
        with failures.collected(tag_of(dataset.name, each)):
            logical_hash = Release(git, dataset.name, each).logical_hash
            found.append(Listed(str(each), dates[tag_of(dataset.name, each)], logical_hash))
    return found, [f"unreadable: {error.where}: {error.what}" for error in failures.errors]


def tag_dates(git: Git) -> dict[str, str]:
    """Return the day of each tag, ISO 8601; empty for one that cannot be read."""
    line = "--format=%(refname:lstrip=2) %(creatordate:short)"
    done = git.run("for-each-ref", line, "refs/tags")
    if done.returncode == 0:
        return dict(each.split(" ") for each in done.stdout.decode().splitlines())
    one_by_one = (git.run("for-each-ref", line, f"refs/tags/{tag}") for tag in list_tags(git))  # git stops at a bad one
    found = dict(each.stdout.decode().strip().split(" ") for each in one_by_one if each.returncode == 0)
    return {tag: found.get(tag, "") for tag in list_tags(git)}


def as_text(shown: Shown) -> str:
    """Return it for a terminal of 80 columns."""
    metadata = shown.metadata
    about, provenance = metadata.get("dataset", {}), metadata.get("provenance", {})
    lines = [f"{shown.name} {shown.version}"]
    if provenance.get("sample"):
        lines += row("data", "SYNTHETIC SAMPLE, not the real data")
    for label, name in (("title", "title"), ("about", "description"), ("source", "source"), ("licence", "licence")):
        lines += row(label, about.get(name, ""))
    lines += row("identity", metadata.get("logical_hash", ""))
    lines += rows("splits", _splits(metadata))
    lines += rows("columns", (f"{name}: {each['dtype']}" for name, each in _columns(metadata).items()))
    prompt = metadata.get("prompt", {})
    lines += row("prompt", prompt.get("prompt_uri", ""))
    lines += rows("checks", metadata.get("checks", {}).get("warnings") or ["nothing to report"])
    lines += rows("sources", (_source(each) for each in provenance.get("sources", [])))
    lines += rows("parents", map(_plain, provenance.get("parents", [])))
    params = provenance.get("params", {})
    lines += rows("params", (f"{path} = {_plain(value)}" for path, value in _leaves(params)))
    lines += rows("tools", provenance.get("tools", {}).values())
    same = [each.version for each in shown.versions if each.logical_hash == metadata.get("logical_hash")]
    if shown.version == WORKING_COPY and shown.versions:
        last = shown.versions[0].version
        lines += row("state", f"as {same[0]}" if same else f"differs from {last}: make diff DS={shown.name} A={last}")
    found = [f"{each.version}, {each.date}, {each.logical_hash[:16]}…" for each in shown.versions]
    lines += rows("versions", found or ["none in this clone" if shown.incomplete else "none is released"])
    return "\n".join([*lines, *rows("incomplete", shown.incomplete)])


def _columns(metadata: Mapping[str, Any]) -> dict[str, Any]:
    schema = metadata.get("schema", {})
    target = schema.get("target")
    return {**schema.get("features", {}), **({target["name"]: target} if target else {})}


def _splits(metadata: Mapping[str, Any]) -> Iterator[str]:
    if not metadata.get("splits") and (count := metadata.get("summary", {}).get("num_samples")):
        yield f"none, {count} samples"
    for name, split in metadata.get("splits", {}).items():
        yield f"{name}, {split['num_samples']} samples"


def _source(each: Mapping[str, Any]) -> str:
    return f"{each['name']}, {each['bytes']} bytes, sha256 {each['sha256'][:16]}…"


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from _leaves(item, f"{path}.{name}" if path else name)
    else:
        yield path, value


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

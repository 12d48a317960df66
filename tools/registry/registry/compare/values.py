"""Read the values of the first samples that differ from the files of both versions."""

import dataclasses
import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from data_registry.releases.release import Release
from data_registry.samples import read_manifest
from data_registry.stage.errors import StageError
from data_registry.store.cache import fetch_files
from data_registry.training.sample_files import read_samples

from registry.compare.drift import Metadata
from registry.datasets import Dataset, features_of
from registry.terminal import printable

Value = tuple[str, str | None, str | None]  # column, value before and after; None where the sample is in one version
Values = dict[tuple[str, str], tuple[Value, ...]]  # by kind of change and sample id
Location = tuple[str, int]  # a file, and a row of it

LIMIT = 1 << 26  # bytes of files that are read for a few rows
LONGEST = 200  # characters of a value
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Side:
    """One of two versions: a release, or the working copy of a dataset."""

    source: Release | Dataset
    manifest: Path
    metadata: Metadata

    @property
    def name(self) -> str:
        return str(self.source.version) if isinstance(self.source, Release) else "working copy"


def values_of(before: Side, after: Side, samples: Mapping[str, list[dict[str, Any]]], remote: str) -> Values:
    """Return the values of samples by kind of change: the key, and what differs; without a key, every column.

    Where the files of a version have more than 64 MB or cannot be read, there are none, and a warning says why.
    """
    rows = {(kind, sample["sample_id"]): locations(sample, kind) for kind in samples for sample in samples[kind]}
    try:
        old = _read(before, {row for row, _ in rows.values() if row}, remote)
        new = _read(after, {row for _, row in rows.values() if row}, remote)
    except StageError as error:
        log.warning("the values that differ are not shown: %s: %s", error.where, error.what)
        return {}
    key = read_manifest(after.manifest).key
    return {
        sample: tuple(_differing(old.get(here, {}) if here else {}, new.get(there, {}) if there else {}, key))
        for sample, (here, there) in rows.items()
    }


def locations(sample: dict[str, Any], kind: str) -> tuple[Location | None, Location | None]:
    """Return file and row of a sample in the earlier version, and in the later one."""
    row = sample["file"], sample["row"]
    if kind in {"added", "removed"}:
        return (None, row) if kind == "added" else (row, None)
    return (sample["file_before"], sample["row_before"]), row


def _differing(old: dict[str, str], new: dict[str, str], key: list[str]) -> Iterable[Value]:
    for name in dict.fromkeys([*key, *old, *new]):
        before, after = old.get(name), new.get(name)
        if (name in key and (before or after)) or before != after:
            yield name, before, after


def _read(side: Side, rows: set[Location], remote: str) -> dict[Location, dict[str, str]]:
    manifest, files = read_manifest(side.manifest), sorted({file for file, _ in rows})
    if not files or (paths := _paths(side, files, remote)) is None:
        return {}
    features = features_of(side.metadata)
    values: dict[Location, dict[str, str]] = {}
    for file in files:
        table = read_samples([file], paths, side.manifest).select([name for name, _ in manifest.columns])
        for row in sorted(row for other, row in rows if other == file):
            (sample,) = table.slice(row, 1).to_pylist()
            values[file, row] = {name: _text(value, features.get(name, {})) for name, value in sample.items()}
    return values


def _paths(side: Side, files: list[str], remote: str) -> dict[str, Path] | None:
    """Return where the files are, and the images beside an ``annotations.json``; None where they are too large."""
    if isinstance(side.source, Release):
        return fetch_files(side.source, files, remote) if size_of_files(side.source, files) <= LIMIT else None
    folder = side.source.folder
    folders = {(folder / file).parent / "images" for file in files if file.endswith("/annotations.json")}
    paths = [*(folder / file for file in files), *(path for images in folders for path in images.glob("*"))]
    size = sum(path.stat().st_size for path in paths)
    return {path.relative_to(folder).as_posix(): path for path in paths} if size <= LIMIT else None


def size_of_files(release: Release, files: list[str]) -> int:
    """Return the number of bytes of the outputs of a release that have the files."""
    paths = {str(path) for file in files for path in (PurePosixPath(file), *PurePosixPath(file).parents)}
    return sum(output.size for output in release.outputs if output.path in paths)


def _text(value: Any, feature: Mapping[str, Any]) -> str:
    """Return a value on one line: the name of a class beside its number, the size of bytes."""
    if isinstance(value, bytes):
        return f"{len(value)} bytes"
    if isinstance(value, float):
        return f"{value:.6g}"
    classes = feature.get("classes")
    name = classes.get(str(value)) if isinstance(classes, dict) else None
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)  # None is null
    return printable(f"{text} ({name})" if name else text)[:LONGEST]

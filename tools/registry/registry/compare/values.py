"""Read the values of the first samples that differ from the files of both versions."""

import dataclasses
import itertools
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
from registry.compare.texts import Text, text_of
from registry.datasets import Dataset, features_of
from registry.terminal import printable

Texts = dict[str, Text]  # of a sample, by column
Value = tuple[str, str | None, str | None]  # column, value before and after; None where the sample is in one version
Values = dict[tuple[str, str], tuple[Value, ...]]  # by kind of change and sample id
Location = tuple[str, int]  # a file, and a row of it

LIMIT = 1 << 26  # bytes of files that are read for a few rows
LONGEST = 200  # characters of a value
SAME = 10  # characters before the first that differs
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


def _differing(old: Texts, new: Texts, key: list[str]) -> Iterable[Value]:
    for name in dict.fromkeys([*key, *old, *new]):
        before, after = old.get(name), new.get(name)
        if before and after and before.exact != after.exact:
            yield name, *_side_by_side(before, after)
        elif name in key or not (before and after):
            yield name, before.text[:LONGEST] if before else None, after.text[:LONGEST] if after else None


def _side_by_side(before: Text, after: Text) -> tuple[str, str]:
    """Return two values from about where they differ, in digits or by a hash where their texts are the same."""
    texts = [before.text, after.text]
    if before.text == after.text:
        texts = [printable(text.exact.strip('"')) for text in (before, after)]
    equal = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(*texts, strict=False))
    start = len(list(equal)) - SAME
    one, other = (f"…{text[start:]}"[:LONGEST] if start > SAME else text[:LONGEST] for text in texts)
    return one, other


def _read(side: Side, rows: set[Location], remote: str) -> dict[Location, Texts]:
    manifest, files = read_manifest(side.manifest), sorted({file for file, _ in rows})
    if not files or (paths := _paths(side, files, remote)) is None:
        return {}
    features = features_of(side.metadata)
    texts: dict[Location, Texts] = {}
    for file in files:
        table = read_samples([file], paths, side.manifest).select([name for name, _ in manifest.columns])
        for row in sorted(row for other, row in rows if other == file):
            texts[file, row] = {
                field.name: text_of(table[field.name][row], field, features.get(field.name, {}))
                for field in table.schema
            }
    return texts


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

"""What differs between two versions of a dataset, to the row, from their manifests and ``metadata.json`` alone."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from data_registry.git import Git
from data_registry.releases.completeness import report_gaps
from data_registry.releases.lookup import find_release
from data_registry.releases.release import Release
from data_registry.samples import Manifest, read_manifest
from data_registry.samples.ranges import fixed_width
from data_registry.stage.errors import CorruptFile
from data_registry.store.manifests import fetch_manifest

from registry.compare.drift import Change, Metadata, drift, schema_changes
from registry.compare.matching import Places, others, same
from registry.datasets import Dataset, built_manifest


@dataclasses.dataclass(frozen=True)
class Diff:
    """What differs. The tables have ``sample_id``, ``split``, ``file`` and ``row``.

    Of ``changed`` samples (another content) and ``moved`` ones (another split), which may be both, they say where each
    is now, and with ``_before`` where it was. ``elsewhere`` counts samples that only stand in another row or file.
    """

    rows: tuple[int, int]
    added: pa.Table
    removed: pa.Table
    changed: pa.Table
    moved: pa.Table
    elsewhere: int
    schema: tuple[Change, ...]
    drift: tuple[Change, ...]
    other_bytes: bool  # files or metadata

    @property
    def samples_differ(self) -> bool:
        return any(len(table) for table in (self.added, self.removed, self.changed, self.moved))


def bump_between(diff: Diff) -> str | None:
    """Return the part of the version that has to go up, or None where nothing differs."""
    if diff.schema:
        return "major"
    if diff.samples_differ:
        return "minor"
    return "patch" if diff.other_bytes else None


def bump_of(release: Release, dataset: Dataset, remote: str = "") -> str | None:
    """Return what the working copy's version is to go up by from a release, or None where nothing differs."""
    return bump_between(
        compare(fetch_manifest(release, remote), built_manifest(dataset), release.metadata, dataset.metadata())
    )


def diff_versions(dataset: Dataset, root: Path, before: str, after: str, remote: str) -> tuple[str, str, Diff]:
    """Compare two versions of a dataset, the later one the working copy where it is empty; return their names too.

    Raises UsageError for a version that is not released, InputMissing where the working copy is not built.
    """
    git = Git(root)
    report_gaps(git, dataset.name)
    old = find_release(git, dataset.name, before or "latest")
    if not after:
        found = compare(fetch_manifest(old, remote), built_manifest(dataset), old.metadata, dataset.metadata())
        return str(old.version), "working copy", found
    new = find_release(git, dataset.name, after)
    found = compare(fetch_manifest(old, remote), fetch_manifest(new, remote), old.metadata, new.metadata)
    return str(old.version), str(new.version), found


def compare(before: Path, after: Path, metadata_before: Metadata, metadata_after: Metadata) -> Diff:
    """Compare two versions by their manifests and metadata.

    Where no key is declared, the whole sample is its key: another content is another sample, removed and added.
    Raises CorruptFile for what is no manifest.
    """
    described = _described(before), _described(after)
    old, new = _samples(before), _samples(after)
    in_old, in_new = same(_bytes(old, "sample_id", 16), _bytes(new, "sample_id", 16))
    changed = _bytes(old, "content_hash", 32)[in_old] != _bytes(new, "content_hash", 32)[in_new]
    moved = _differ("split", old, in_old, new, in_new)
    stays = ~(changed | moved)
    rows = old["row"].to_numpy()[in_old] != new["row"].to_numpy()[in_new]
    elsewhere = int((stays & (rows | _differ("file", old, in_old, new, in_new))).sum())
    files = described[0].files != described[1].files
    return Diff(
        rows=(len(old), len(new)),
        added=_taken(new, others(in_new, len(new))),
        removed=_taken(old, others(in_old, len(old))),
        changed=_both(old, in_old[changed], new, in_new[changed]),
        moved=_both(old, in_old[moved], new, in_new[moved]),
        elsewhere=elsewhere,
        schema=tuple(schema_changes(*described, metadata_before, metadata_after)),
        drift=tuple(drift(metadata_before, metadata_after)),
        other_bytes=bool(elsewhere) or files or metadata_before != metadata_after,
    )


def _described(path: Path) -> Manifest:
    try:
        return read_manifest(path)
    except (ValueError, OSError) as error:  # ValueError: Arrow's own, and JSON's
        raise CorruptFile(path, f"is no sample manifest: {error}", "make dataset builds it") from error


def _samples(path: Path) -> pa.Table:
    columns = ["sample_id", "content_hash", "split", "file", "row"]
    with pq.ParquetFile(
        path, page_checksum_verification=True, pre_buffer=False, read_dictionary=["split", "file"]
    ) as file:
        return file.read(columns=columns).unify_dictionaries()


def _bytes(table: pa.Table, name: str, width: int) -> npt.NDArray[np.bytes_]:
    return np.concatenate([np.empty(0, f"S{width}"), *(fixed_width(chunk, width) for chunk in table[name].chunks)])


def _differ(name: str, old: pa.Table, in_old: Places, new: pa.Table, in_new: Places) -> npt.NDArray[np.bool_]:
    """Say of each pair whether the texts of a column differ."""
    known: dict[str, int] = {}
    codes = [_codes(table[name], known)[places] for table, places in ((old, in_old), (new, in_new))]
    return np.not_equal(*codes)


def _codes(column: pa.ChunkedArray, known: dict[str, int]) -> npt.NDArray[np.int64]:
    """Return a number for each text, the same for the same, in all columns that share ``known``."""
    parts = [np.empty(0, np.int64)]
    for chunk in column.chunks:
        numbers = [known.setdefault(text, len(known)) for text in chunk.dictionary.to_pylist()]
        parts.append(np.take(np.array(numbers, np.int64), chunk.indices.to_numpy()))
    return np.concatenate(parts)


def _taken(table: pa.Table, places: Places) -> pa.Table:
    return table.select(["sample_id", "split", "file", "row"]).take(pa.array(places))


def _both(old: pa.Table, in_old: Places, new: pa.Table, in_new: Places) -> pa.Table:
    found = _taken(new, in_new)
    for name, column in zip(("split", "file", "row"), _taken(old, in_old).columns[1:], strict=True):
        found = found.append_column(f"{name}_before", column)
    return found

"""Compare two manifests: match their samples by id, a million in a second, and find what differs."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from data_registry.samples import Manifest, read_manifest
from data_registry.samples.ranges import fixed_width
from data_registry.stage.errors import CorruptFile

from registry.compare.drift import Change, Metadata, drift, schema_changes

Indices = npt.NDArray[np.intp]


@dataclasses.dataclass(frozen=True)
class Diff:
    """The samples that differ, in tables with the columns ``sample_id``, ``split``, ``file`` and ``row``.

    ``changed`` samples have other content, ``moved`` ones another split, and one may be both. Their tables also have
    ``split_before``, ``file_before`` and ``row_before``. ``elsewhere`` counts samples that differ in row or file alone.
    """

    rows: tuple[int, int]
    added: pa.Table
    removed: pa.Table
    changed: pa.Table
    moved: pa.Table
    elsewhere: int
    schema: tuple[Change, ...]
    drift: tuple[Change, ...]
    other_bytes: bool  # of files or metadata

    @property
    def samples_differ(self) -> bool:
        return any(len(table) for table in (self.added, self.removed, self.changed, self.moved))


def compare(before: Path, after: Path, metadata_before: Metadata, metadata_after: Metadata) -> Diff:
    """Compare two versions by their manifests and metadata.

    Without a declared key the whole sample is its key, so a changed value is one sample removed and one added.
    Raises CorruptFile for an invalid manifest.
    """
    footers = _footer(before), _footer(after)
    old, new = _samples(before), _samples(after)
    in_old, in_new = match(_bytes(old, "sample_id", 16), _bytes(new, "sample_id", 16))
    changed = _bytes(old, "content_hash", 32)[in_old] != _bytes(new, "content_hash", 32)[in_new]
    moved = _differ("split", old, in_old, new, in_new)
    unchanged = ~(changed | moved)
    rows = old["row"].to_numpy()[in_old] != new["row"].to_numpy()[in_new]
    elsewhere = int((unchanged & (rows | _differ("file", old, in_old, new, in_new))).sum())
    files = footers[0].files != footers[1].files
    return Diff(
        rows=(len(old), len(new)),
        added=_rows(new, np.setdiff1d(np.arange(len(new)), in_new, assume_unique=True)),
        removed=_rows(old, np.setdiff1d(np.arange(len(old)), in_old, assume_unique=True)),
        changed=_pairs(old, in_old[changed], new, in_new[changed]),
        moved=_pairs(old, in_old[moved], new, in_new[moved]),
        elsewhere=elsewhere,
        schema=tuple(schema_changes(*footers, metadata_before, metadata_after)),
        drift=tuple(drift(metadata_before, metadata_after)),
        other_bytes=bool(elsewhere) or files or metadata_before != metadata_after,
    )


def _footer(path: Path) -> Manifest:
    try:
        return read_manifest(path)
    except (ValueError, OSError) as error:  # ValueError: Arrow's own, and JSON's
        raise CorruptFile(path, f"invalid sample manifest: {error}", "build it again: make dataset") from error


def _samples(path: Path) -> pa.Table:
    columns = ["sample_id", "content_hash", "split", "file", "row"]
    texts = ["split", "file"]
    with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False, read_dictionary=texts) as file:
        return file.read(columns=columns).unify_dictionaries()


def _bytes(table: pa.Table, name: str, width: int) -> npt.NDArray[np.bytes_]:
    return np.concatenate([np.empty(0, f"S{width}"), *(fixed_width(chunk, width) for chunk in table[name].chunks)])


def _differ(name: str, old: pa.Table, in_old: Indices, new: pa.Table, in_new: Indices) -> npt.NDArray[np.bool_]:
    """Return for each pair of samples whether a column of texts differs."""
    texts = pa.chunked_array([*old[name].chunks, *new[name].chunks], old[name].type).unify_dictionaries()
    codes = np.concatenate([np.empty(0, np.int32), *(chunk.indices.to_numpy() for chunk in texts.chunks)])
    differ: npt.NDArray[np.bool_] = codes[: len(old)][in_old] != codes[len(old) :][in_new]
    return differ


def _rows(table: pa.Table, indices: Indices) -> pa.Table:
    return table.select(["sample_id", "split", "file", "row"]).take(pa.array(indices))


def _pairs(old: pa.Table, in_old: Indices, new: pa.Table, in_new: Indices) -> pa.Table:
    table = _rows(new, in_new)
    for name, column in zip(("split", "file", "row"), _rows(old, in_old).columns[1:], strict=True):
        table = table.append_column(f"{name}_before", column)
    return table


def match(old: npt.NDArray[np.bytes_], new: npt.NDArray[np.bytes_]) -> tuple[Indices, Indices]:
    """Return the indices in ``old`` and ``new`` of the ids that both have, in the order of ``new``."""
    for width in (8, 16):  # half of an id is enough, unless two ids share it
        keys_old, keys_new = (ids if width == 16 else ids.view("<u8")[::2].copy() for ids in (old, new))
        order, by_key = np.argsort(keys_old, kind="stable"), np.argsort(keys_new, kind="stable")
        keys_old, keys_new = keys_old[order], keys_new[by_key]
        if all((keys[1:] != keys[:-1]).all() for keys in (keys_old, keys_new)):
            break
    if not len(old):
        return np.empty(0, np.intp), np.empty(0, np.intp)
    in_old = np.empty(len(new), np.intp)
    in_old[by_key] = order[np.minimum(np.searchsorted(keys_old, keys_new), len(old) - 1)]
    in_new = np.flatnonzero(old[in_old] == new)
    return in_old[in_new], in_new

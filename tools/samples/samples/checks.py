"""Find duplicates in a manifest, within and across splits."""

import dataclasses
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .manifest import read_manifest
from .ranges import Rows, by_first_byte, fixed_width

MAX_IDS = 100  # that are listed
MAX_LEAKED_IDS = 1000
ROW = np.dtype([("key", "S32"), ("content", "S32"), ("split", np.int32), ("id", "V16")])


@dataclasses.dataclass(frozen=True)
class Leak:
    """Samples of one split with a value that is also in another, in ``groups`` groups of equal value.

    ``ids`` has the smallest of their ids in hex, at most ``MAX_LEAKED_IDS``.
    """

    samples: int
    groups: int
    ids: list[str]


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Duplicate samples of a dataset.

    ``samples`` have the content of an earlier sample, in ``groups`` groups of equal content. ``conflicting`` samples
    share their key with a sample of other content (one text, two labels), in ``conflicts`` groups of equal key.
    ``leaks`` has, by "test in train", the samples of test whose key is also in train. ``equal_ids`` and
    ``conflicting_ids`` have the smallest ids in hex of these samples, at most ``MAX_IDS``.
    """

    samples: int = 0
    groups: int = 0
    conflicting: int = 0
    conflicts: int = 0
    leaks: dict[str, Leak] = dataclasses.field(default_factory=dict)
    equal_ids: list[str] = dataclasses.field(default_factory=list)
    conflicting_ids: list[str] = dataclasses.field(default_factory=list)


def find_duplicates(path: Path) -> Duplicates:
    """Return the samples of a manifest whose content or key occurs more than once."""
    samples = groups = conflicting = conflicts = 0
    equal_ids: list[str] = []
    conflicting_ids: list[str] = []
    leaks = _Leaks()
    key = "key_hash" if read_manifest(path).key else "content_hash"

    def rows_of(batch: pa.RecordBatch) -> Rows:
        rows = np.empty(batch.num_rows, ROW)
        rows["key"] = fixed_width(batch[key], 32)
        rows["content"] = fixed_width(batch["content_hash"], 32)
        rows["id"] = fixed_width(batch["sample_id"], 16).view("V16")
        rows["split"] = _numbers(batch["split"], leaks.splits)
        return rows

    for part in by_first_byte(path, list(dict.fromkeys(["sample_id", "content_hash", "split", key])), rows_of, "key"):
        rows = part[np.repeat(_sizes(part["key"]) > 1, _sizes(part["key"]))]
        if not len(rows):
            continue
        rows = rows[np.lexsort((rows["content"], rows["key"]))]
        content_sizes, key_sizes = _sizes(rows["content"]), _sizes(rows["key"])
        starts = np.cumsum(key_sizes) - key_sizes
        samples += int((content_sizes - 1).sum())
        groups += int((content_sizes > 1).sum())
        contents = np.add.reduceat(_run_starts(rows["content"]), starts)
        conflicting += int(key_sizes[contents > 1].sum())
        conflicts += int((contents > 1).sum())
        equal_ids = _smallest(equal_ids, rows[np.repeat(content_sizes > 1, content_sizes)], MAX_IDS)
        conflicting_ids = _smallest(conflicting_ids, rows[np.repeat(contents > 1, key_sizes)], MAX_IDS)
        leaks.add(rows)
    return Duplicates(samples, groups, conflicting, conflicts, leaks.by_splits(), equal_ids, conflicting_ids)


def find_leaks(file: Path | BinaryIO, column: str) -> dict[str, Leak]:
    """Return, by "test in train", the samples of test with a value of a column that is also in train.

    ``file`` is a Parquet file with the columns sample_id and split of a manifest, and a column of 32-byte hashes.
    """
    leaks = _Leaks()

    def rows_of(batch: pa.RecordBatch) -> Rows:
        rows = np.zeros(batch.num_rows, ROW)
        rows["key"] = fixed_width(batch[column], 32)
        rows["id"] = fixed_width(batch["sample_id"], 16).view("V16")
        rows["split"] = _numbers(batch["split"], leaks.splits)
        return rows

    for part in by_first_byte(file, ["sample_id", "split", column], rows_of, "key"):
        leaks.add(part)
    return leaks.by_splits()


class _Leaks:
    """The leaks of rows that come in parts; ``splits`` are numbered in the order of their first occurrence."""

    def __init__(self) -> None:
        self.splits: list[str] = []
        self._leaks: dict[str, Leak] = {}

    def add(self, rows: Rows) -> None:
        """Add rows sorted by key: all that have one of these keys."""
        sizes = _sizes(rows["key"])
        starts = np.cumsum(sizes) - sizes
        leaking = np.minimum.reduceat(rows["split"], starts) != np.maximum.reduceat(rows["split"], starts)
        rows, count = rows[np.repeat(leaking, sizes)], int(leaking.sum())
        groups = np.repeat(np.arange(count), sizes[leaking])
        present = np.zeros((count, len(self.splits)), bool)
        present[groups, rows["split"]] = True
        for later in np.unique(rows["split"]):
            of_later = rows["split"] == later
            for earlier in np.flatnonzero(present[:, :later].any(axis=0)):
                in_both = of_later & present[groups, earlier]
                self._count(f"{self.splits[later]} in {self.splits[earlier]}", rows[in_both], groups[in_both])

    def by_splits(self) -> dict[str, Leak]:
        """Return the leaks, sorted by the names of their splits."""
        return dict(sorted(self._leaks.items()))

    def _count(self, label: str, rows: Rows, groups: npt.NDArray[np.int64]) -> None:
        if len(rows):
            before = self._leaks.get(label, Leak(0, 0, []))
            ids = _smallest(before.ids, rows, MAX_LEAKED_IDS)
            self._leaks[label] = Leak(before.samples + len(rows), before.groups + len(np.unique(groups)), ids)


def _smallest(ids: list[str], rows: Rows, limit: int) -> list[str]:
    """Return the smallest of ``ids`` and the ids of ``rows``, sorted."""
    halves = rows["id"].copy().view(">u8").reshape(-1, 2)
    smallest = halves[np.lexsort((halves[:, 1], halves[:, 0]))[:limit]]
    return sorted([*ids, *(pair.tobytes().hex() for pair in smallest)])[:limit]


def _run_starts(values: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int64]:
    """Return 1 where a value differs from the one before it, else 0."""
    return np.append(True, values[1:] != values[:-1]).astype(np.int64)


def _sizes(values: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int64]:
    """Return the lengths of the runs of equal values."""
    return np.diff(np.flatnonzero(_run_starts(values)), append=len(values))


def _numbers(column: pa.Array, names: list[str]) -> npt.NDArray[np.int64]:
    """Return the number of each row's split, in the order of first occurrence; new splits are appended to ``names``."""
    coded = column.dictionary_encode()
    values = coded.dictionary.to_pylist()
    names += [value for value in values if value not in names]
    numbers = np.array([names.index(value) for value in values], np.int64)
    indices: npt.NDArray[np.int32] = coded.indices.to_numpy()
    return np.take(numbers, indices)

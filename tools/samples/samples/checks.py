"""What a manifest alone tells of a data set: equal samples within it and across its splits."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .manifest import read_manifest
from .ranges import Rows, by_first_byte, fixed_width

NAMED = 100  # samples of those that repeat or conflict
KIND = np.dtype([("key", "S32"), ("content", "S32"), ("split", np.int32), ("id", "V16")])


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Samples that are there more than once.

    ``samples`` repeat the content of an earlier one, ``groups`` is in how many groups of equals they are.
    ``conflicting`` samples share their key with one of other content, in ``conflicts`` groups: one text, two labels.
    ``leaks`` has, by "test in train", the ids in hex of the samples of test whose key train has too. Of those that have
    an equal, and of those that conflict, the least ids are named, at most ``NAMED``.
    """

    samples: int = 0
    groups: int = 0
    conflicting: int = 0
    conflicts: int = 0
    leaks: dict[str, list[str]] = dataclasses.field(default_factory=dict)
    equal_ids: list[str] = dataclasses.field(default_factory=list)
    conflicting_ids: list[str] = dataclasses.field(default_factory=list)


def find_duplicates(path: Path) -> Duplicates:
    """Count the samples of a manifest whose content, or key, occurs more than once."""
    samples = groups = conflicting = conflicts = 0
    leaks: dict[str, list[str]] = {}
    equal_ids: list[str] = []
    conflicting_ids: list[str] = []
    splits: list[str] = []
    key = "key_hash" if read_manifest(path).key else "content_hash"

    def rows_of(batch: pa.RecordBatch) -> Rows:
        rows = np.empty(batch.num_rows, KIND)
        rows["key"] = fixed_width(batch[key], 32)
        rows["content"] = fixed_width(batch["content_hash"], 32)
        rows["id"] = fixed_width(batch["sample_id"], 16).view("V16")
        rows["split"] = _numbers(batch["split"], splits)
        return rows

    for part in by_first_byte(path, list(dict.fromkeys(["sample_id", "content_hash", "split", key])), rows_of, "key"):
        rows = part[np.repeat(_sizes(part["key"]) > 1, _sizes(part["key"]))]
        if not len(rows):
            continue
        rows = rows[np.lexsort((rows["content"], rows["key"]))]
        of_content, of_key = _sizes(rows["content"]), _sizes(rows["key"])
        starts = np.cumsum(of_key) - of_key
        samples += int((of_content - 1).sum())
        groups += int((of_content > 1).sum())
        contents = np.add.reduceat(_first(rows["content"]), starts)
        conflicting += int(of_key[contents > 1].sum())
        conflicts += int((contents > 1).sum())
        equal_ids = _least(equal_ids, rows[np.repeat(of_content > 1, of_content)])
        conflicting_ids = _least(conflicting_ids, rows[np.repeat(contents > 1, of_key)])
        apart = np.minimum.reduceat(rows["split"], starts) != np.maximum.reduceat(rows["split"], starts)
        for start, size in zip(starts[apart], of_key[apart], strict=True):
            _add_leaks(leaks, rows[start : start + size], splits)
    leaked = {label: sorted(leaks[label]) for label in sorted(leaks)}
    return Duplicates(samples, groups, conflicting, conflicts, leaked, equal_ids, conflicting_ids)


def _least(known: list[str], rows: Rows) -> list[str]:
    """Return the least of the ids that are known and those of rows, in their order."""
    halves = rows["id"].copy().view(">u8").reshape(-1, 2)
    least = halves[np.lexsort((halves[:, 1], halves[:, 0]))[:NAMED]]
    return sorted([*known, *(each.tobytes().hex() for each in least)])[:NAMED]


def _add_leaks(leaks: dict[str, list[str]], group: Rows, splits: list[str]) -> None:
    for leaked in group:
        for other in {number for number in group["split"] if number < leaked["split"]}:
            label = f"{splits[leaked['split']]} in {splits[other]}"
            leaks.setdefault(label, []).append(leaked["id"].tobytes().hex())


def _first(values: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int64]:
    """Return 1 where a value is other than the one before it, else 0."""
    return np.append(True, values[1:] != values[:-1]).astype(np.int64)


def _sizes(values: npt.NDArray[np.bytes_]) -> npt.NDArray[np.int64]:
    """Return how long each run of equal values is."""
    return np.diff(np.flatnonzero(_first(values)), append=len(values))


def _numbers(column: pa.Array, names: list[str]) -> npt.NDArray[np.int64]:
    """Return the number of each split, in the order in which they first occur."""
    coded = column.dictionary_encode()
    values = coded.dictionary.to_pylist()
    names += [value for value in values if value not in names]
    numbers = np.array([names.index(value) for value in values], np.int64)
    places: npt.NDArray[np.int32] = coded.indices.to_numpy()
    return np.take(numbers, places)

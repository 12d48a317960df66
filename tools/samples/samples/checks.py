"""What a manifest alone tells of a data set: equal samples within it and across its splits."""

import dataclasses
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from samples.ranges import Rows, by_first_byte, fixed_width

KIND = np.dtype([("content", "S32"), ("split", np.int32), ("id", "V16")])


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Samples of equal content: how many beyond the first of each, in how many groups, and those in several splits."""

    samples: int
    groups: int
    leaks: dict[str, list[str]]  # "test in train": ids, in hex, of the samples of test whose content train has too


def find_duplicates(path: Path) -> Duplicates:
    """Count the samples of a manifest whose content occurs more than once."""
    samples = groups = 0
    leaks: dict[str, list[str]] = {}
    splits: list[str] = []

    def rows_of(batch: pa.RecordBatch) -> Rows:
        rows = np.empty(batch.num_rows, KIND)
        rows["content"] = fixed_width(batch["content_hash"], 32)
        rows["id"] = fixed_width(batch["sample_id"], 16).view("V16")
        rows["split"] = _numbers(batch["split"], splits)
        return rows

    for rows in by_first_byte(path, ["sample_id", "content_hash", "split"], rows_of, by="content"):
        starts = np.flatnonzero(np.append(True, rows["content"][1:] != rows["content"][:-1]))
        sizes = np.diff(starts, append=len(rows))
        samples += len(rows) - len(starts)
        groups += int((sizes > 1).sum())
        for start, size in zip(starts[sizes > 1], sizes[sizes > 1], strict=True):
            group = rows[start : start + size]
            for leaked in group if len(set(group["split"])) > 1 else ():
                for other in {number for number in group["split"] if number < leaked["split"]}:
                    label = f"{splits[leaked['split']]} in {splits[other]}"
                    leaks.setdefault(label, []).append(leaked["id"].tobytes().hex())
    return Duplicates(samples, groups, {label: sorted(leaks[label]) for label in sorted(leaks)})


def _numbers(column: pa.Array, names: list[str]) -> npt.NDArray[np.int64]:
    """Return the number of each split, in the order in which they first occur."""
    coded = column.dictionary_encode()
    values = coded.dictionary.to_pylist()
    names += [value for value in values if value not in names]
    numbers = np.array([names.index(value) for value in values], np.int64)
    places: npt.NDArray[np.int32] = coded.indices.to_numpy()
    return np.take(numbers, places)

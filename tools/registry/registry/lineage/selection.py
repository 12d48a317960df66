"""Which samples of a release a run has used: chosen from its manifest, and kept with the run as two small files.

``selection-<hash>.json`` says of which release and for what, ``selection-<hash>.parquet`` has the ids, unless it is all
samples of the release or of a split. The hash is over both, so that a run may log several and none replaces another.
"""

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from stage.errors import CorruptFile, UsageError

FOLDER = "data-registry"  # among the artifacts of a run
ID = pa.binary(16)
ALL, ROWS, IDS = "all", "rows", "sample_ids"
TRAINING = "training"


@dataclasses.dataclass(frozen=True)
class Selection:
    """Samples of a release: ``how`` they were named, and in which split, "" for any; ``context`` is what for."""

    tag: str
    logical_hash: str
    context: str
    split: str
    how: str
    samples: int
    sha256: str  # of the ids

    @property
    def name(self) -> str:
        """What its files are called, without their suffix."""
        return f"selection-{hashlib.sha256(self.text().encode()).hexdigest()[:12]}"

    def text(self) -> str:
        return json.dumps(dataclasses.asdict(self), indent=2, ensure_ascii=False) + "\n"


def choose(manifest: Path, split: str | None, rows: Any, sample_ids: Iterable[Any] | None) -> tuple[str, pa.Array]:
    """Return how samples are named, and their ids: rows of a split in the order of its file, ids, or all.

    Rows may be numbers or a mask; repeated samples stay repeated. Raises UsageError for what the release does not have.
    """
    if rows is not None and sample_ids is not None:
        raise UsageError("log_dataset", "rows and sample_ids are given", "give one of them")
    known = pq.read_table(manifest, columns=["sample_id", "split"])
    splits = pc.unique(known["split"]).to_pylist()
    if split is not None and split not in splits:
        raise UsageError("split", f"{split!r:.60} is none of this release", f"use one of: {', '.join(splits)}")
    if rows is not None and split is None and len(splits) > 1:
        raise UsageError("rows", "are of a split, and none is named", f"split= one of: {', '.join(splits)}")
    if split is not None:
        known = known.filter(pc.equal(known["split"], split))
    there = known["sample_id"].combine_chunks()
    if rows is None and sample_ids is None:
        return ALL, there
    chosen = _ids(sample_ids, there) if sample_ids is not None else there.take(pa.array(_places(rows, len(there))))
    if not len(chosen):
        raise UsageError("log_dataset", "the selection is empty", "leave rows and sample_ids out to mean all samples")
    return IDS if sample_ids is not None else ROWS, chosen


def write_selection(selection: Selection, ids: pa.Array, folder: Path) -> None:
    """Write the files of a selection."""
    if selection.how != ALL:
        table = pa.table({"sample_id": ids})
        pq.write_table(table, folder / f"{selection.name}.parquet", compression="none", use_dictionary=False)
    (folder / f"{selection.name}.json").write_text(selection.text(), encoding="utf-8")


def read_selection(path: Path) -> tuple[Selection, pa.Array | None]:
    """Read a selection and its ids, None for all samples. Raises CorruptFile where they are not what was written."""
    try:
        selection = Selection(**json.loads(path.read_text(encoding="utf-8")))
        if selection.how == ALL:
            return selection, None
        ids = pq.read_table(path.with_suffix(".parquet"))["sample_id"].combine_chunks()
    except (ValueError, TypeError, KeyError, OSError) as error:  # Arrow raises the first and the last
        raise CorruptFile(
            path.name, f"is no selection of samples: {error}", "log it again, from the training"
        ) from error
    if ids.type != ID or digest(ids) != selection.sha256 or len(ids) != selection.samples:
        raise CorruptFile(path.name, "has other ids than were logged", "log it again, from the training")
    return selection, ids


def digest(ids: pa.Array) -> str:
    """Return the SHA-256 of ids in their order."""
    start = ids.offset * 16
    return hashlib.sha256(memoryview(ids.buffers()[1])[start : start + len(ids) * 16]).hexdigest()


def _places(rows: Any, count: int) -> Any:
    found = np.asarray(rows)
    if found.ndim != 1 or (found.dtype.kind not in "iub" and len(found)):
        raise UsageError("rows", "are neither numbers nor a mask", "give a list of row numbers, counted from 0")
    if found.dtype.kind == "b":
        if len(found) != count:
            raise UsageError("rows", f"the mask has {len(found)} values, the split {count} rows", "give one for each")
        return np.flatnonzero(found)
    if len(found) and not 0 <= int(found.min()) <= int(found.max()) < count:
        wrong = found[(found < 0) | (found >= count)][0]
        raise UsageError("rows", f"row {wrong} is not there, rows go from 0 to {count - 1}", "check split and version")
    return found.astype(np.int64)


def _ids(sample_ids: Iterable[Any], there: pa.Array) -> pa.Array:
    given: Sequence[Any] = sample_ids.to_pylist() if hasattr(sample_ids, "to_pylist") else list(sample_ids)
    try:
        ids = pa.array([bytes.fromhex(each) if isinstance(each, str) else bytes(each) for each in given], ID)
    except (ValueError, TypeError) as error:
        fix = "give 16 bytes or 32 hex digits each, as samples.parquet has them"
        raise UsageError("sample_ids", f"one is no sample id: {error}", fix) from error
    unknown = ids.filter(pc.invert(pc.is_in(ids, value_set=there)))
    if len(unknown):
        what = f"{len(unknown)} are not in this release or split, as {unknown[0].as_py().hex()}"
        raise UsageError("sample_ids", what, "check split and version")
    return ids

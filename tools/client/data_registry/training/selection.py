"""Which samples of a release a run has used: chosen from its manifest, and kept with the run as two small files.

``selection-<hash>.json`` says of which release and for what, ``selection-<hash>.parquet`` has the ids, unless it is all
samples of the release or of a split. The hash is over both, so that a run may log several and none replaces another.
"""

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_registry.documents import COUNT
from data_registry.stage.errors import CorruptFile, UsageError
from data_registry.stage.foreign import read_bytes, read_json
from data_registry.training.rows import row_numbers

FOLDER = "data-registry"  # among the artifacts of a run
ID = pa.binary(16)
ALL, ROWS, IDS = "all", "rows", "sample_ids"
TRAINING = "training"
CONTEXTS = (TRAINING, "validation", "test", "evaluation")
NAME = re.compile("selection-[0-9a-f]{12}")
SHAPE: dict[str, Any] = dict.fromkeys(("tag", "logical_hash", "context", "split", "sha256"), str)
SHAPE |= {"how": re.compile(f"{ALL}|{ROWS}|{IDS}"), "samples": COUNT, "repeated?": range(1, COUNT.stop)}
LARGEST = 1 << 20  # bytes of a selection, without its ids
FIX = "log it again, from the training"


@dataclasses.dataclass(frozen=True)
class Selection:
    """Samples of a release: ``how`` they were named, and in which split, "" for any; ``context`` is what for.

    ``samples`` counts those that are ``repeated``, that is named before in the same selection, too.
    """

    tag: str
    logical_hash: str
    context: str
    split: str
    how: str
    samples: int
    sha256: str  # of the ids
    repeated: int = 0

    @property
    def name(self) -> str:
        """What its files are called, without their suffix."""
        return f"selection-{hashlib.sha256(self.text().encode()).hexdigest()[:12]}"

    def text(self) -> str:
        values = {name: value for name, value in vars(self).items() if name != "repeated" or value}
        return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


FIELDS = tuple(field.name for field in dataclasses.fields(Selection))


def choose(manifest: Path, split: str | None, rows: Any, sample_ids: Iterable[Any] | None) -> tuple[str, pa.Array]:
    """Return how samples are named, and their ids: rows of a split in the order of its file, ids, or all.

    Rows may be numbers or a mask; repeated samples stay repeated. Raises UsageError for what the release does not have.
    """
    if rows is not None and sample_ids is not None:
        raise UsageError("log_dataset", "got both rows and sample_ids", "give one of them")
    samples = pq.read_table(manifest, columns=["sample_id", "split"])
    splits = pc.unique(samples["split"]).to_pylist()
    if split is not None and split not in splits:
        raise UsageError("split", f"{split!r:.60} not found in this release", f"use one of: {', '.join(splits)}")
    if rows is not None and split is None and len(splits) > 1:
        raise UsageError("split", "not given, and rows are of a split", f"use one of: {', '.join(splits)}")
    if split is not None:
        samples = samples.filter(pc.equal(samples["split"], split))
    ids = samples["sample_id"].combine_chunks()
    if rows is None and sample_ids is None:
        return ALL, ids
    chosen = _ids(sample_ids, ids) if sample_ids is not None else ids.take(pa.array(row_numbers(rows, len(ids))))
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
    document = read_json(read_bytes(path, LARGEST), path.name, SHAPE, CorruptFile, FIX)
    selection = Selection(**{name: value for name, value in document.items() if name in FIELDS})
    if selection.name != path.stem:
        raise CorruptFile(path.name, "its content does not match the hash in its name", FIX)
    if selection.how == ALL:
        return selection, None
    try:
        with pq.ParquetFile(path.with_suffix(".parquet")) as file:
            if file.schema_arrow.names != ["sample_id"] or file.metadata.num_rows != selection.samples:
                raise CorruptFile(path.name, "its ids do not match those that were logged", FIX)
            ids = file.read()["sample_id"].combine_chunks()
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: names that are not UTF-8
        raise CorruptFile(path.name, f"its ids cannot be read: {error}", FIX) from error
    if ids.type != ID or digest(ids) != selection.sha256 or repeats(ids) != selection.repeated:
        raise CorruptFile(path.name, "its ids do not match those that were logged", FIX)
    return selection, ids


def repeats(ids: pa.Array) -> int:
    """Return how many of the ids were there before."""
    return len(ids) - len(pc.unique(ids))


def digest(ids: pa.Array) -> str:
    """Return the SHA-256 of ids in their order."""
    start = ids.offset * 16
    return hashlib.sha256(memoryview(ids.buffers()[1])[start : start + len(ids) * 16]).hexdigest()


def _ids(sample_ids: Iterable[Any], known: pa.Array) -> pa.Array:
    given: Sequence[Any] = sample_ids.to_pylist() if hasattr(sample_ids, "to_pylist") else list(sample_ids)
    try:
        if wrong := [each for each in given if not isinstance(each, str | bytes | bytearray | memoryview)]:
            raise TypeError(f"expected text or bytes, got {type(wrong[0]).__name__}")
        ids = pa.array([bytes.fromhex(value) if isinstance(value, str) else bytes(value) for value in given], ID)
    except (ValueError, TypeError) as error:
        fix = "give 16 bytes or 32 hex digits each, as samples.parquet has them"
        raise UsageError("sample_ids", f"invalid sample id: {error}", fix) from error
    unknown = ids.filter(pc.invert(pc.is_in(ids, value_set=known)))
    if len(unknown):
        what = f"{len(unknown)} not found in this release or split, as {unknown[0].as_py().hex()}"
        raise UsageError("sample_ids", what, "check split and version")
    return ids

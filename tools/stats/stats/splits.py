"""The files of a data set's splits, as its manifest describes them."""

import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from samples import Manifest
from stage.errors import CorruptFile, EmptyInput, SchemaMismatch
from stage.progress import progress

from stats.checked import CORRUPT, check_columns, check_count, checked_manifest
from stats.settings import Column
from stats.table_input import ROWS, count_row_groups, read_parquet

T = TypeVar("T")
THREADS = 2  # row groups in memory at a time


@dataclasses.dataclass(frozen=True)
class Part:
    """What the manifest says of a split: its file, and how many samples are in it."""

    path: Path
    samples: int


def checked_splits(
    processed: Path, samples: Path, schema: pa.Schema, fix: str = "correct dataset.columns"
) -> tuple[Manifest, dict[str, Part]]:
    """Return the manifest and the file of each split, in the manifest's order, once every byte is checked.

    Raises InputMissing, ChecksumMismatch, CorruptFile, EmptyInput or SchemaMismatch where they do not fit together.
    """
    manifest = checked_manifest(samples, processed)
    check_columns(processed, manifest, schema, fix)
    if not manifest.rows:
        raise EmptyInput(samples, "no samples", "run the parquetizer again")
    parts = _parts(samples)
    described = {part.path.as_posix() for part in parts.values()}
    if unknown := sorted(described - manifest.files.keys()):
        raise CorruptFile(samples, f"names {unknown[0]} without its hash", "run the parquetizer again")
    if empty := sorted(manifest.files.keys() - described):
        raise EmptyInput(empty[0], "no samples", "run the parquetizer again")
    return manifest, parts


def read_part(part: Part, manifest: Manifest, schema: pa.Schema, rows: int = ROWS) -> Iterator[pa.RecordBatch]:
    """Yield the samples of a split, at most ``rows`` at a time.

    Raises CorruptFile where they cannot be read or are not as many as in the manifest, SchemaMismatch.
    """
    found = 0
    with progress(f"measuring {part.path.name}", part.samples, "samples") as advance:
        for batch in read_parquet(part.path, schema, rows=rows):
            found += batch.num_rows
            yield batch
            advance(batch.num_rows)
    check_count(manifest, part.samples, part.path, found)


def measured(
    part: Part, manifest: Manifest, schema: pa.Schema, rows: int, measure: Callable[[Iterator[pa.RecordBatch]], T]
) -> list[T]:
    """Measure a split in pieces, at most ``rows`` samples at a time; return what was found in each, in order.

    A piece is a row group, and two are worked on at once; but all is one where samples are so large that they are read
    one by one. Raises as ``read_part`` does.
    """
    found = 0
    counting = threading.Lock()

    def counted(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        nonlocal found
        for batch in batches:
            with counting:
                found += batch.num_rows
                advance(batch.num_rows)
            yield batch

    def work(groups: Iterable[int] | None) -> T:
        return measure(counted(read_parquet(part.path, schema, rows=rows, groups=groups)))

    with progress(f"measuring {part.path.name}", part.samples, "samples") as advance:
        if rows == 1:
            results = [work(None)]
        else:
            with ThreadPoolExecutor(THREADS) as pool:
                results = list(pool.map(work, ([group] for group in range(count_row_groups(part.path)))))
    check_count(manifest, part.samples, part.path, found)
    return results


def _parts(samples: Path) -> dict[str, Part]:
    found: dict[str, Part] = {}
    try:
        with pq.ParquetFile(samples, page_checksum_verification=True, pre_buffer=False) as file:
            for batch in file.iter_batches(columns=["split", "file"]):
                for split in pc.unique(batch["split"]).to_pylist():
                    files = batch["file"].filter(pc.equal(batch["split"], split))
                    name, *more = pc.unique(files).to_pylist()
                    before = found.get(split, Part(Path(name), 0))
                    if more or before.path != Path(name):
                        raise SchemaMismatch(samples, f"split {split} has several files", "use stats table")
                    found[split] = Part(before.path, before.samples + len(files))
    except CORRUPT as error:
        raise CorruptFile(samples, str(error), "run the parquetizer again") from error
    return found


def labelled(column: Column) -> dict[str, Any]:
    """Return what the schema in metadata.json says of a label."""
    return {"dtype": column.type, "shape": [], "description": column.description}


def absent_classes(distributions: Mapping[str, Mapping[str, int]], classes: Mapping[str, str]) -> Iterator[str]:
    """Say which split has no sample of which class; ``classes`` gives the name of each key of a distribution."""
    for split, distribution in distributions.items():
        if lacking := [name for key, name in classes.items() if not distribution.get(key)]:
            yield f"{split} has no sample of {', '.join(lacking)}"


def absent_figures(metrics: Mapping[str, Mapping[str, float | None]]) -> Iterator[str]:
    """Say which split has no figure of which name, as one text has no spread."""
    for split, figures in metrics.items():
        if absent := [name for name, value in figures.items() if value is None]:
            yield f"{split} has no {', '.join(absent)}"

"""Read and measure the splits of a dataset, one file each."""

import dataclasses
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from samples import Manifest
from stage.errors import CorruptFile, EmptyInput, SchemaMismatch
from stage.progress import progress

from stats.manifests import CORRUPT, RERUN, check_columns, check_count, verified_manifest
from stats.table_input import MAX_ROWS, count_row_groups, read_parquet

T = TypeVar("T")
THREADS = 2  # and row groups in memory at a time


@dataclasses.dataclass(frozen=True)
class Split:
    """The file of a split, and its number of samples in the manifest."""

    path: Path
    samples: int


def verified_splits(
    processed: Path, samples: Path, schema: pa.Schema, fix: str = "correct dataset.columns"
) -> tuple[Manifest, dict[str, Split]]:
    """Return the manifest and the splits in its order, after verifying every file.

    Raises InputMissing, ChecksumMismatch, CorruptFile, EmptyInput or SchemaMismatch if manifest and files differ.
    """
    manifest = verified_manifest(samples, processed)
    check_columns(processed, manifest, schema, fix)
    if not manifest.rows:
        raise EmptyInput(samples, "no samples", RERUN)
    splits = _read_splits(samples)
    files = {split.path.as_posix() for split in splits.values()}
    if unknown := sorted(files - manifest.files.keys()):
        raise CorruptFile(samples, f"no SHA-256 of {unknown[0]}", RERUN)
    if empty := sorted(manifest.files.keys() - files):
        raise EmptyInput(empty[0], "no samples", RERUN)
    return manifest, splits


def read_split(split: Split, manifest: Manifest, schema: pa.Schema, rows: int = MAX_ROWS) -> Iterator[pa.RecordBatch]:
    """Yield the samples of a split, at most ``rows`` at a time.

    Raises CorruptFile if they cannot be read or their number differs from the manifest, SchemaMismatch.
    """
    count = 0
    with progress(f"measuring {split.path.name}", split.samples, "samples") as advance:
        for batch in read_parquet(split.path, schema, rows=rows):
            count += batch.num_rows
            yield batch
            advance(batch.num_rows)
    check_count(manifest, split.samples, split.path, count)


def measure_split(
    split: Split, manifest: Manifest, schema: pa.Schema, rows: int, measure: Callable[[Iterator[pa.RecordBatch]], T]
) -> list[T]:
    """Call ``measure`` on each row group, two at a time, in batches of at most ``rows``; return the results in order.

    If ``rows`` is 1, because samples are large, the split is measured in one call. Raises what ``read_split`` raises.
    """
    count = 0
    lock = threading.Lock()

    def counted(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        nonlocal count
        for batch in batches:
            with lock:
                count += batch.num_rows
                advance(batch.num_rows)
            yield batch

    def measure_groups(groups: Iterable[int] | None) -> T:
        return measure(counted(read_parquet(split.path, schema, rows=rows, groups=groups)))

    with progress(f"measuring {split.path.name}", split.samples, "samples") as advance:
        if rows == 1:
            results = [measure_groups(None)]
        else:
            with ThreadPoolExecutor(THREADS) as pool:
                results = list(pool.map(measure_groups, ([group] for group in range(count_row_groups(split.path)))))
    check_count(manifest, split.samples, split.path, count)
    return results


def _read_splits(samples: Path) -> dict[str, Split]:
    splits: dict[str, Split] = {}
    try:
        with pq.ParquetFile(samples, page_checksum_verification=True, pre_buffer=False) as file:
            for batch in file.iter_batches(columns=["split", "file"]):
                for name in pc.unique(batch["split"]).to_pylist():
                    files = batch["file"].filter(pc.equal(batch["split"], name))
                    file_name, *others = pc.unique(files).to_pylist()
                    split = splits.get(name, Split(Path(file_name), 0))
                    if others or split.path != Path(file_name):
                        raise SchemaMismatch(samples, f"split {name} has several files", "use stats table")
                    splits[name] = Split(split.path, split.samples + len(files))
    except CORRUPT as error:
        raise CorruptFile(samples, str(error), RERUN) from error
    return splits


def missing_classes(distributions: Mapping[str, Mapping[str, int]], classes: Mapping[str, str]) -> Iterator[str]:
    """Yield a warning for each split without samples of a class; ``classes`` names the keys of a distribution."""
    for split, distribution in distributions.items():
        if missing := [name for key, name in classes.items() if not distribution.get(key)]:
            yield f"{split} has no sample of {', '.join(missing)}"


def missing_figures(metrics: Mapping[str, Mapping[str, float | None]]) -> Iterator[str]:
    """Yield a warning for each split without a value for a figure, such as the spread of a single text."""
    for split, figures in metrics.items():
        if missing := [name for name, value in figures.items() if value is None]:
            yield f"{split} has no {', '.join(missing)}"

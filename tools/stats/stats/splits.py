"""The Parquet files of a data set's splits, as its manifest describes them."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
from samples import Manifest
from stage.errors import CorruptFile, EmptyInput, SchemaMismatch

from stats.checked import CORRUPT, check_columns, checked_manifest
from stats.settings import Column, Dataset


def checked_splits(processed: Path, samples: Path, dataset: Dataset) -> tuple[Manifest, dict[str, Path]]:
    """Return the manifest and the file of each split, in the manifest's order, once every byte is checked.

    Raises InputMissing, ChecksumMismatch, CorruptFile, EmptyInput or SchemaMismatch where they do not fit together.
    """
    manifest = checked_manifest(samples, processed)
    check_columns(processed, manifest, dataset.columns)
    if not manifest.rows:
        raise EmptyInput(samples, "no samples", "run the parquetizer again")
    return manifest, {split: Path(file) for split, file in split_files(samples).items()}


def split_files(samples: Path) -> dict[str, str]:
    """Return the file of each split, in the order in which the manifest has them; each split has one.

    Raises CorruptFile where the manifest cannot be read, SchemaMismatch where a split has several files.
    """
    found: dict[str, str] = {}
    try:
        with pq.ParquetFile(samples, page_checksum_verification=True) as file:
            for batch in file.iter_batches(columns=["split", "file"]):
                for split in pc.unique(batch["split"]).to_pylist():
                    name, *more = pc.unique(batch["file"].filter(pc.equal(batch["split"], split))).to_pylist()
                    if more or found.setdefault(split, name) != name:
                        raise SchemaMismatch(samples, f"split {split} has several files", "use stats table")
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

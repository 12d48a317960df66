"""What must be so of the dataset before a release: current, whole, and not a sample."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from data_registry.stage.errors import ChecksumMismatch, ReleaseRefused
from data_registry.stage.progress import progress

from registry.build.new import left_to_fill_in
from registry.build.pipeline import dvc_repository
from registry.build.scratch import is_scratch
from registry.datasets import WORKSPACE, Dataset

BLOCK = 1 << 20  # bytes


def check_dataset(dataset: Dataset, root: Path) -> dict[str, object]:
    """Return the metadata of the dataset, once it is what its stages make now, whole, described, and no sample.

    Raises ReleaseRefused, or ChecksumMismatch where a file is not what metadata.json says.
    """
    if not (dataset.folder / "metadata.json").exists():
        raise ReleaseRefused(dataset.name, "is not built", f"make dataset DS={dataset.name}")
    dataset.check_lock()
    metadata = dataset.metadata("files", "provenance")
    if metadata["provenance"]["sample"] and not is_scratch(root):
        raise ReleaseRefused(dataset.name, "is synthetic sample data", "build it from its sources, then release")
    if dataset.parent == WORKSPACE:
        fix = "name a released version in params.yaml, section registry, and build it again"
        raise ReleaseRefused(dataset.name, "is made from a working copy, which nobody else has", fix)
    if place := left_to_fill_in(dataset):
        raise ReleaseRefused(f"data/{dataset.name}/{place}", "is to be filled in", "describe the data, then build it")
    with dvc_repository(root, dataset) as repo:
        if stale := repo.status(targets=[str(dataset.pipeline)]):
            stage = next(iter(stale)).rpartition(":")[2]
            raise ReleaseRefused(dataset.name, f"stage {stage} is not current", f"make dataset DS={dataset.name}")
    size = sum((dataset.folder / name).stat().st_size for name in metadata["files"])
    with progress(f"checking {dataset.name}", size, "bytes") as advance:
        for name, wanted in metadata["files"].items():
            if _sha256(dataset.folder / name, advance) != wanted["sha256"]:
                fix = f"remove it, then make dataset DS={dataset.name}"
                raise ChecksumMismatch(dataset.folder / name, "is not what metadata.json says", fix)
    from data_registry.samples import logical_hash  # lazy: it takes as long to import as all else here

    if logical_hash(dataset.folder / "samples.parquet") != metadata["logical_hash"]:
        fix = f"remove it, then make dataset DS={dataset.name}"
        raise ChecksumMismatch(dataset.folder / "samples.parquet", "has another logical hash than metadata.json", fix)
    return metadata


def _sha256(path: Path, advance: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            advance(len(block))
    return digest.hexdigest()

"""Check the dataset before a release: current, complete, described, and not a sample."""

from pathlib import Path

from data_registry.stage.errors import ChecksumMismatch, ReleaseRefused
from data_registry.stage.progress import progress
from data_registry.store.objects import has_bytes

from registry.build.new import left_to_fill_in
from registry.build.pipeline import dvc_repository
from registry.build.scratch import is_scratch
from registry.datasets import WORKSPACE, Dataset


def check_dataset(dataset: Dataset, root: Path) -> dict[str, object]:
    """Check that the dataset can be released, and return its metadata.

    Raises ReleaseRefused, or ChecksumMismatch where a file differs from metadata.json.
    """
    if not (dataset.folder / "metadata.json").exists():
        raise ReleaseRefused(dataset.name, "not built", f"make dataset DS={dataset.name}")
    dataset.check_lock()
    metadata = dataset.metadata("files", "provenance")
    if metadata["provenance"]["sample"] and not is_scratch(root):
        raise ReleaseRefused(dataset.name, "is synthetic sample data", "build it from its sources, then release")
    if dataset.parent == WORKSPACE:
        fix = "name a released version in params.yaml, section registry, and build it again"
        raise ReleaseRefused(dataset.name, "made from an unreleased working copy", fix)
    if place := left_to_fill_in(dataset):
        raise ReleaseRefused(f"data/{dataset.name}/{place}", "not filled in yet", "describe the data, then build it")
    with dvc_repository(root, dataset) as repo:
        if stale := repo.status(targets=[str(dataset.pipeline)]):
            stage = next(iter(stale)).rpartition(":")[2]
            raise ReleaseRefused(dataset.name, f"stage {stage} is out of date", f"make dataset DS={dataset.name}")
    sizes = {name: (dataset.folder / name).stat().st_size for name in metadata["files"]}
    fix = f"remove it, then make dataset DS={dataset.name}"
    with progress(f"checking {dataset.name}", sum(sizes.values()), "bytes") as advance:
        for name, size in sizes.items():
            if not has_bytes(dataset.folder / name, "", metadata["files"][name]["sha256"]):
                raise ChecksumMismatch(dataset.folder / name, "differs from metadata.json", fix)
            advance(size)
    from data_registry.samples import logical_hash  # lazy: loads pyarrow

    if logical_hash(dataset.folder / "samples.parquet") != metadata["logical_hash"]:
        raise ChecksumMismatch(dataset.folder / "samples.parquet", "its logical hash differs from metadata.json", fix)
    return metadata

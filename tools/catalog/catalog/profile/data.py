"""The files of a dataset that its page looks into, on this machine: of a release, or as it is built here."""

import dataclasses
import itertools
from pathlib import Path

from data_registry.releases.release import Release
from data_registry.samples import read_manifest
from data_registry.stage.errors import InputMissing
from data_registry.store.manifests import fetch_manifest
from data_registry.training.loading import fetched, files_by_split
from registry.datasets import Dataset, built_manifest


@dataclasses.dataclass(frozen=True)
class Data:
    """The manifest, the files of each split in order, and where every file is, by its path in the dataset's folder."""

    manifest: Path
    splits: dict[str, list[str]]
    paths: dict[str, Path]


def data_of_release(release: Release, remote: str) -> Data:
    """Fetch the samples of a release where they are not in DVC's cache or our own; every file is verified.

    Raises VerificationFailed for a release without a manifest, and what fetching an object raises.
    """
    manifest = fetch_manifest(release, remote)
    splits = files_by_split(manifest)
    files = list(itertools.chain.from_iterable(splits.values()))
    return Data(manifest, splits, fetched(release, read_manifest(manifest), files, remote).items)


def data_of_working_copy(dataset: Dataset) -> Data | None:
    """Return what is built here; None where it is not, or some of it is gone."""
    try:
        manifest = built_manifest(dataset)
    except InputMissing:
        return None
    splits = files_by_split(manifest)
    paths = {file: dataset.folder / file for file in itertools.chain.from_iterable(splits.values())}
    if not all(path.is_file() for path in paths.values()):
        return None
    for annotations in [path for file, path in paths.items() if file.endswith("/annotations.json")]:
        images = annotations.with_name("images").glob("*")
        paths |= {path.relative_to(dataset.folder).as_posix(): path for path in images}
    return Data(manifest, splits, paths)

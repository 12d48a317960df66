"""The files of a dataset on this machine, of a release or of the working copy, and what a page shows of them."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_registry.releases.release import Release
from data_registry.samples import read_manifest
from data_registry.stage.errors import InputMissing
from data_registry.store.cache import fetch_files
from data_registry.store.manifests import fetch_manifest, rows_by_split
from data_registry.training.sample_files import declared_schema
from registry.datasets import Dataset, built_manifest

from catalog import facts
from catalog.profile import captioned
from catalog.profile.first_rows import FirstRows, first_rows_of
from catalog.profile.histograms import Histogram, columns_without_histogram, histograms_of
from catalog.profile.pictures import Picture, pictures_of
from catalog.profile.rows import Rows
from catalog.profile.sounds import Sound, sounds_of


@dataclasses.dataclass(frozen=True)
class Data:
    """The manifest, the files of each split in order, and the path of every file by its name in the dataset."""

    manifest: Path
    splits: dict[str, list[str]]
    paths: dict[str, Path]


def data_of_release(release: Release, remote: str) -> Data:
    """Fetch the samples of a release unless DVC's cache or ours has them; every file is verified.

    Raises VerificationFailed for a release without a manifest, and what fetching an object raises.
    """
    manifest = fetch_manifest(release, remote)
    splits = _files_by_split(manifest)
    files = list(itertools.chain.from_iterable(splits.values()))
    return Data(manifest, splits, fetch_files(release, files, remote))


def data_of_working_copy(dataset: Dataset) -> Data | None:
    """Return the working copy; None if it is not built or a file is missing."""
    try:
        manifest = built_manifest(dataset)
    except InputMissing:
        return None
    splits = _files_by_split(manifest)
    paths = {file: dataset.folder / file for file in itertools.chain.from_iterable(splits.values())}
    if not all(path.is_file() for path in paths.values()):
        return None
    for annotations in [path for file, path in paths.items() if file.endswith("/annotations.json")]:
        images = annotations.with_name("images").glob("*")
        paths |= {path.relative_to(dataset.folder).as_posix(): path for path in images}
    return Data(manifest, splits, paths)


@dataclasses.dataclass(frozen=True)
class Profile:
    """What is shown of the data.

    Histograms of the same name follow each other and have the same edges; ``without_histogram`` numeric columns are
    beyond the limit.
    """

    histograms: tuple[Histogram, ...] = ()
    pictures: tuple[Picture, ...] = ()
    tables: tuple[FirstRows, ...] = ()
    without_histogram: int = 0
    sounds: tuple[Sound, ...] = ()


def profile(
    manifest: Path, splits: Mapping[str, Sequence[str]], paths: Mapping[str, Path], metadata: Mapping[str, Any]
) -> Profile:
    """Read the samples of a dataset, a few megabytes at a time.

    ``splits`` has the files of each split in order; ``paths`` has where each file is, with the images beside an
    ``annotations.json``; ``metadata`` is that of stats. A single split has an empty name in the result. Invalid values
    and images are left out. Raises CorruptFile for a file that cannot be read.
    """
    named = {split if len(splits) > 1 else "": files for split, files in splits.items()}
    if any(file.endswith(captioned.ANNOTATIONS) for file in itertools.chain.from_iterable(named.values())):
        entries = captioned.entries_of(named, paths)
        return Profile(captioned.histograms_of(entries), *captioned.tables_of(entries))
    columns = facts.columns(metadata)
    classes = {column.name: column.labels for column in columns if column.labels}
    types = {column.name: column.type for column in columns}
    rows = Rows(named, paths, declared_schema(read_manifest(manifest)), classes, types)
    without_histogram = columns_without_histogram(rows)
    return Profile(histograms_of(rows), pictures_of(rows), first_rows_of(rows), without_histogram, sounds_of(rows))


def _files_by_split(manifest: Path) -> dict[str, list[str]]:
    return {split: list(rows) for split, rows in rows_by_split(manifest).items()}

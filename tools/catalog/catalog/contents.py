"""What stands in some samples: a few rows of the files of a dataset, as texts."""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from data_registry.releases.release import Release
from data_registry.samples import read_manifest
from data_registry.training.arrow_types import declared_schema
from data_registry.training.loading import fetched

from catalog import facts
from catalog.profile.captioned import ANNOTATIONS, entries_of
from catalog.profile.examples import shown
from catalog.profile.rows import Rows

Place = tuple[str, int]  # a file and a row of it
Contents = dict[Place, dict[str, str]]  # by column, in their order
MOST = 1 << 26  # bytes of files that are fetched for a few rows


def contents_of(release: Release, manifest: Path, places: Sequence[Place], remote: str) -> Contents:
    """Return the values of samples; none where their files are large.

    Raises CorruptFile for a file that cannot be read, and what fetching an object raises.
    """
    files = sorted({file for file, _ in places})
    size = sum(each.size for each in release.outputs if any(_is_in(file, each.path) for file in files))
    if size > MOST:
        return {}
    paths = fetched(release, read_manifest(manifest), files, remote).items
    return values_at(paths, manifest, release.metadata, places)


def values_at(
    paths: Mapping[str, Path], manifest: Path, metadata: Mapping[str, Any], places: Iterable[Place]
) -> Contents:
    """Return the values of samples from files that are here. Raises CorruptFile for one that cannot be read."""
    wanted = {file: {row for _, row in found} for file, found in itertools.groupby(sorted(places), lambda at: at[0])}
    declared = declared_schema(read_manifest(manifest))
    classes = {each.name: each.classes for each in facts.columns(metadata) if each.classes}
    read = Rows({file: [file] for file in wanted}, paths, declared, classes)
    return {
        (file, row): values
        for file, rows in wanted.items()
        for row, values in (_captions(file, paths) if file.endswith(ANNOTATIONS) else _values(read, file, rows))
        if row in rows
    }


def _is_in(file: str, output: str) -> bool:
    return file == output or file.startswith(f"{output}/")


def _values(read: Rows, file: str, rows: set[int]) -> Iterator[tuple[int, dict[str, str]]]:
    first, names = 0, read.declared.names
    for batch in read.read(file, names):
        for row in sorted(each for each in rows if first <= each < first + batch.num_rows):
            yield row, {name: shown(batch[name][row - first], read.classes.get(name, {})) for name in names}
        first += batch.num_rows
        if first > max(rows):
            break


def _captions(file: str, paths: Mapping[str, Path]) -> Iterator[tuple[int, dict[str, str]]]:
    for row, each in enumerate(entries_of({file: [file]}, paths)[file]):
        yield row, {"image": each.name, "caption": each.caption}

"""The values of given samples as short texts: of some locations, and of those behind a failed check."""

import dataclasses
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from data_registry.releases.release import Release
from data_registry.samples import read_manifest
from data_registry.store.cache import fetch_files
from data_registry.training.sample_files import declared_schema
from registry.compare.values import Location, size_of_files

from catalog import facts
from catalog.profile import Data
from catalog.profile.captioned import ANNOTATIONS, entries_of
from catalog.profile.rows import Rows
from catalog.profile.value_texts import display_texts

Values = dict[str, str]  # by column, in their order
MAX_BYTES = 1 << 26  # of files that are fetched for a few rows
SAMPLES = 5  # shown of a problem
COPIES = 4  # shown of a key
ID = re.compile("[0-9a-f]{32}")


def values_of_release(
    release: Release, manifest: Path, locations: Sequence[Location], remote: str
) -> dict[Location, Values]:
    """Return the values of samples; none if their files are large.

    Raises CorruptFile for a file that cannot be read, and what fetching an object raises.
    """
    files = sorted({file for file, _ in locations})
    if size_of_files(release, files) > MAX_BYTES:
        return {}
    return values_at(fetch_files(release, files, remote), manifest, release.metadata, locations)


def values_at(
    paths: Mapping[str, Path], manifest: Path, metadata: Mapping[str, Any], locations: Iterable[Location]
) -> dict[Location, Values]:
    """Return the values of samples from local files. Raises CorruptFile for one that cannot be read."""
    by_file = itertools.groupby(sorted(locations), lambda location: location[0])
    numbers = {file: {row for _, row in group} for file, group in by_file}
    declared = declared_schema(read_manifest(manifest))
    classes = {column.name: column.labels for column in facts.columns(metadata) if column.labels}
    rows = Rows({file: [file] for file in numbers}, paths, declared, classes)
    return {
        (file, row): values
        for file, wanted in numbers.items()
        for row, values in (_captions(file, paths) if file.endswith(ANNOTATIONS) else _values(rows, file, wanted))
        if row in wanted
    }


@dataclasses.dataclass(frozen=True)
class Copy:
    """A sample with its values."""

    split: str
    row: int
    values: Values


def copies_of(data: Data, metadata: Mapping[str, Any], problems: Sequence[Sequence[str]]) -> dict[str, list[Copy]]:
    """Return all samples that share the key of a sample, by its id, in the order of the manifest.

    Of the ids of each problem, the first with different keys are taken.
    Raises CorruptFile for a file that cannot be read.
    """
    key = "key_hash" if read_manifest(data.manifest).key else "content_hash"
    ids = {bytes.fromhex(id) for problem in problems for id in problem if ID.fullmatch(id)}
    keys = {row["sample_id"].hex(): row[key] for row in _select(data.manifest, "sample_id", ids, [key])}
    chosen = {id: keys[id] for problem in problems for id in _with_different_keys(problem, keys)}
    rows_by_key: dict[bytes, list[dict[str, Any]]] = {}
    for row in _select(data.manifest, key, set(chosen.values()), ["split", "file", "row"]):
        if len(rows := rows_by_key.setdefault(row[key], [])) < COPIES:
            rows.append(row)
    locations = [(row["file"], row["row"]) for rows in rows_by_key.values() for row in rows]
    values = values_at(data.paths, data.manifest, metadata, locations)
    copies = {
        shared: [Copy(row["split"], row["row"], values.get((row["file"], row["row"]), {})) for row in rows]
        for shared, rows in rows_by_key.items()
    }
    return {id: copies[key_of_id] for id, key_of_id in chosen.items()}


def _values(rows: Rows, file: str, wanted: set[int]) -> Iterator[tuple[int, Values]]:
    first, names = 0, rows.declared.names
    for batch in rows.read(file, names):
        for row in sorted(row for row in wanted if first <= row < first + batch.num_rows):
            record = batch.slice(row - first, 1)
            yield row, {name: display_texts(record[name], rows.classes.get(name, {}))[0] for name in names}
        first += batch.num_rows
        if first > max(wanted):
            break


def _captions(file: str, paths: Mapping[str, Path]) -> Iterator[tuple[int, Values]]:
    for row, entry in enumerate(entries_of({file: [file]}, paths)[file]):
        yield row, {"image": entry.name, "caption": entry.caption}


def _with_different_keys(ids: Sequence[str], keys: Mapping[str, bytes]) -> list[str]:
    first_ids: dict[bytes, str] = {}
    for id in ids:
        if id in keys:
            first_ids.setdefault(keys[id], id)
    return list(first_ids.values())[:SAMPLES]


def _select(manifest: Path, column: str, values: Collection[bytes], others: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a manifest whose column has one of the values; one batch is in memory at a time."""
    if not values:
        return
    with pq.ParquetFile(manifest, page_checksum_verification=True) as file:
        for batch in file.iter_batches(columns=[column, *others]):
            mask = pc.is_in(batch[column], value_set=pa.array(list(values), batch[column].type))
            yield from batch.filter(mask).to_pylist()

"""The samples that a problem is about, side by side: one that leaked, and those of its key in other splits."""

import dataclasses
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from data_registry.samples import read_manifest

from catalog.contents import values_at
from catalog.profile import Data

FIRST = 5  # samples of a problem that are shown
MOST = 4  # of one key
ID = re.compile("[0-9a-f]{32}")


@dataclasses.dataclass(frozen=True)
class Copy:
    """A sample, and its values by column."""

    split: str
    row: int
    values: Mapping[str, str]


def copies_of(data: Data, metadata: Mapping[str, Any], problems: Sequence[Sequence[str]]) -> dict[str, list[Copy]]:
    """Return the samples that share the key of a sample, itself among them, in the manifest's order.

    Of the ids of each problem, the first ones are chosen that have a key of their own.
    Raises CorruptFile for a file that cannot be read.
    """
    key = "key_hash" if read_manifest(data.manifest).key else "content_hash"
    wanted = {bytes.fromhex(id) for ids in problems for id in ids if ID.fullmatch(id)}
    known = {each["sample_id"].hex(): each[key] for each in _found(data.manifest, "sample_id", wanted, [key])}
    chosen = {id: known[id] for ids in problems for id in _apart(ids, known)}
    same: dict[bytes, list[dict[str, Any]]] = {}
    for each in _found(data.manifest, key, set(chosen.values()), ["split", "file", "row"]):
        if len(of_key := same.setdefault(each[key], [])) < MOST:
            of_key.append(each)
    places = [(each["file"], each["row"]) for of_key in same.values() for each in of_key]
    values = values_at(data.paths, data.manifest, metadata, places)
    return {
        id: [Copy(each["split"], each["row"], values.get((each["file"], each["row"]), {})) for each in same[of_id]]
        for id, of_id in chosen.items()
    }


def _apart(ids: Sequence[str], known: Mapping[str, bytes]) -> list[str]:
    """Return the first ids that have a key each."""
    found: dict[bytes, str] = {}
    for id in ids:
        if id in known:
            found.setdefault(known[id], id)
    return list(found.values())[:FIRST]


def _found(manifest: Path, column: str, wanted: Collection[bytes], others: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Yield the rows of a manifest that have one of some values, a batch in memory at a time."""
    if not wanted:
        return
    with pq.ParquetFile(manifest, page_checksum_verification=True) as file:
        for batch in file.iter_batches(columns=[column, *others]):
            chosen = pc.is_in(batch[column], value_set=pa.array(list(wanted), batch[column].type))
            yield from batch.filter(chosen).to_pylist()

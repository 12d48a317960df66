"""Find groups and contents that are in two splits; leaks by key are found in the manifest alone."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from samples import Leak, Manifest, digests, encode, find_leaks
from stage.errors import CorruptFile, UsageError

from stats.manifests import CORRUPT, RERUN, shortened
from stats.settings import Dataset
from stats.splits import Split, read_split

ROWS = 1 << 14  # that are hashed at a time
HASH = pa.binary(32)
GROUP, CONTENT = "group", "content"


def find_split_leaks(
    manifest: Manifest, files: Mapping[str, Split], dataset: Dataset, group: Sequence[str], folder: Path
) -> tuple[dict[str, Leak], list[str]]:
    """Return the samples of one split whose group or content is also in another, and warnings about them.

    The content is all but key and group. It is compared if there is a key, and a column besides the target and labels:
    samples that differ in their key alone. Hashes are in an unnamed file in ``folder``, at most 80 bytes a sample.

    Raises CorruptFile, or UsageError for an unknown column.
    """
    compared = _compared(manifest, dataset, group)
    leaks: dict[str, Leak] = {}
    warnings: list[str] = []
    if not compared or len(files) < 2:
        return leaks, warnings
    with tempfile.TemporaryFile(dir=folder) as file:
        _write_hashes(file, manifest, files, dataset.schema(), compared)
        for name in compared:
            by = ", ".join(group) if name == GROUP else CONTENT
            for splits, leak in find_leaks(file, name).items():
                leaks[f"{splits}, by {by}"] = leak
                leaked, _, other = splits.partition(" in ")
                if name == GROUP:
                    warnings.append(f"samples of {leaked} whose {by} is in {other} too: {leak.samples}")
                else:
                    key = ", ".join(manifest.key)
                    warnings.append(f"samples of {leaked} that are in {other} too but for their {key}: {leak.samples}")
    return leaks, warnings


def _compared(manifest: Manifest, dataset: Dataset, group: Sequence[str]) -> dict[str, list[str]]:
    """Return the columns of the group and of the content, without those that need not be compared."""
    names = [column.name for column in dataset.columns]
    if unknown := [name for name in group if name not in names]:
        raise UsageError("parquetizer.group", f"unknown column {unknown[0]:.80}", f"use one of {shortened(names)}")
    labels = {dataset.target, *(column.name for column in dataset.columns if column.classes)}
    content = [name for name in names if name not in {*manifest.key, *group}]
    by_content = bool(manifest.key) and not labels.issuperset(content)
    return {**({GROUP: list(group)} if group else {}), **({CONTENT: content} if by_content else {})}


def _write_hashes(
    file: BinaryIO,
    manifest: Manifest,
    files: Mapping[str, Split],
    schema: pa.Schema,
    compared: Mapping[str, list[str]],
) -> None:
    """Write a Parquet file of all samples: sample_id, split, and a hash for each list of columns."""
    hashes = pa.schema([("sample_id", pa.binary(16)), ("split", pa.string()), *((name, HASH) for name in compared)])
    with pq.ParquetWriter(file, hashes, compression="none", use_dictionary=["split"]) as writer:
        for name, split in files.items():
            ids = _Ids(manifest.path, name)
            for batch in read_split(split, manifest, schema, ROWS):
                columns = [_hashes(batch.select(names)) for names in compared.values()]
                columns = [ids.take(batch.num_rows), pa.repeat(name, batch.num_rows), *columns]
                writer.write_batch(pa.record_batch(columns, schema=hashes))


def _hashes(batch: pa.RecordBatch) -> pa.Array:
    buffer = pa.py_buffer(digests(encode(batch)))
    return pa.FixedSizeBinaryArray.from_buffers(HASH, batch.num_rows, [None, buffer])


class _Ids:
    """The sample ids of a split in a manifest, in the order of its rows."""

    def __init__(self, samples: Path, split: str) -> None:
        self._batches = self._read(samples, split)
        self._rest = pa.array([], pa.binary(16))

    def take(self, count: int) -> pa.Array:
        """Return the next ids."""
        while len(self._rest) < count:
            self._rest = pa.concat_arrays([self._rest, next(self._batches)])
        taken, self._rest = self._rest.slice(0, count), self._rest.slice(count)
        return taken

    @staticmethod
    def _read(samples: Path, split: str) -> Iterator[pa.Array]:
        try:
            with pq.ParquetFile(samples, page_checksum_verification=True, pre_buffer=False) as file:
                for batch in file.iter_batches(columns=["sample_id", "split"]):
                    yield batch["sample_id"].filter(pc.equal(batch["split"], split))
        except CORRUPT as error:
            raise CorruptFile(samples, str(error), RERUN) from error

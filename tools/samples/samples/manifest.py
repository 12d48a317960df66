"""The sample manifest, ``samples.parquet``: one row per sample, next to the files with the samples."""

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from itertools import repeat
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from .encoding import digests, encode, hashes
from .footer import META, Manifest, footer_text, parse_footer

ROWS = 1 << 16  # of a row group, and of a step in memory
SCHEMA = pa.schema(
    [
        ("sample_id", pa.binary(16)),
        ("content_hash", pa.binary(32)),
        ("split", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("source", pa.string()),
    ]
)
KEYED = SCHEMA.append(pa.field("key_hash", pa.binary(32)))  # if the key is not all columns


@dataclasses.dataclass(frozen=True)
class _Run:
    """Consecutive samples of one split and file, and of one source or one each."""

    rows: int
    split: str
    file: str
    source: str | pa.StringArray
    first: int


class ManifestWriter(AbstractContextManager["ManifestWriter"]):
    """Write a manifest from batches of samples, in the order of the samples.

    ``key`` names the columns that identify a sample (none: all of them). Ids are computed once all samples are known,
    since equal ones are numbered; until then their digests are in an unnamed file next to ``path``, 32 or 64 bytes a
    sample, and eight bytes a sample in memory. Hashing runs in another thread, one batch behind the caller.
    """

    def __init__(self, path: Path, schema: pa.Schema, key: Sequence[str] = ()) -> None:
        self._path, self._schema, self._key = path, schema, list(key)
        self._runs: list[_Run] = []
        self._next: dict[str, int] = {}
        self._prefixes: list[npt.NDArray[np.uint64]] = []
        self._hasher = ThreadPoolExecutor(1)
        self._hashing: Future[None] | None = None
        self._spool: BinaryIO = tempfile.TemporaryFile(dir=path.parent)  # noqa: SIM115 (closed in __exit__)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hasher.shutdown()
        self._spool.close()

    def add(self, batch: pa.RecordBatch, *, split: str, file: str, source: str | pa.StringArray) -> None:
        """Add the samples of a batch: the next rows of ``file``; ``source`` is that of all of them, or one per row.

        Raises UnsupportedType for a column without canonical encoding.
        """
        self._wait()
        self._hashing = self._hasher.submit(self._hash, batch)
        first = self._next.get(file, 0)
        self._next[file] = first + batch.num_rows
        self._runs.append(_Run(batch.num_rows, split, file, source, first))

    def _wait(self) -> None:
        if self._hashing:
            self._hashing.result()

    def _hash(self, batch: pa.RecordBatch) -> None:
        content = digests(encode(batch))
        key = digests(encode(batch.select(self._key))) if self._key else content
        self._spool.write((np.hstack((content, key)) if self._key else content).data)
        self._prefixes.append(_prefixes(key))

    def finish(self, files: Mapping[str, str]) -> int:
        """Write the manifest; ``files`` has the SHA-256 of each file by name. Return the number of samples."""
        self._wait()
        footer = footer_text(self._schema, self._key, files)
        schema = (KEYED if self._key else SCHEMA).with_metadata({META: footer})
        strings = ["split", "file", "source"]
        with (
            self._path.open("wb") as file,  # Arrow's own loses the error code when it closes
            pq.ParquetWriter(
                file,
                schema,
                compression={name: "zstd" if name in strings else "none" for name in schema.names},
                use_dictionary=strings,
                column_encoding={"row": "DELTA_BINARY_PACKED"},
                write_page_checksum=True,
            ) as writer,
        ):
            for table in self._tables():
                writer.write_table(table.replace_schema_metadata(schema.metadata))
        return sum(run.rows for run in self._runs)

    def _tables(self) -> Iterator[pa.Table]:
        """Yield the rows of the manifest in order, ``ROWS`` at a time."""
        repeated = _repeated(self._prefixes)
        occurrences: dict[bytes, int] = {}
        width = 64 if self._key else 32
        self._spool.seek(0)
        for runs in _steps(self._runs):
            rows = sum(run.rows for run in runs)
            block = np.frombuffer(self._spool.read(rows * width), np.uint8).reshape(rows, width)
            keys = np.ascontiguousarray(block[:, -32:])
            ids = _sample_ids(keys, repeated, occurrences)
            columns = [
                pa.FixedSizeBinaryArray.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(ids)]),
                _fixed(np.ascontiguousarray(block[:, :32])),
                _column(runs, "split"),
                _column(runs, "file"),
                pa.array(np.concatenate([np.arange(run.first, run.first + run.rows) for run in runs])),
                _column(runs, "source"),
            ]
            yield pa.table([*columns, _fixed(keys)], schema=KEYED) if self._key else pa.table(columns, schema=SCHEMA)


def read_manifest(path: Path) -> Manifest:
    """Read the footer of a manifest. Raises ValueError if the file is not a manifest or cannot be read."""
    try:
        with pq.ParquetFile(path) as file:
            schema, rows = file.schema_arrow, file.metadata.num_rows
        manifest = parse_footer((schema.metadata or {}).get(META, b"null"), path, rows)
    except (pa.ArrowException, OSError, ValueError, RecursionError) as error:
        if isinstance(error, OSError) and error.filename:
            raise
        raise ValueError(f"{path} is not a sample manifest: {error}") from error
    if not manifest:
        raise ValueError(f"{path} is not a sample manifest")
    if not schema.equals(KEYED if manifest.key else SCHEMA):
        raise ValueError(f"{path} does not have the columns of a sample manifest")
    return manifest


def check_manifest(path: Path) -> Manifest:
    """Read all of a manifest and return its footer. Raises ValueError if it is damaged or has nulls."""
    manifest, rows = read_manifest(path), 0
    try:
        with pq.ParquetFile(
            path, page_checksum_verification=True, pre_buffer=False, read_dictionary=["split", "file", "source"]
        ) as file:
            for batch in file.iter_batches():
                rows += batch.num_rows
                if nulls := [name for name in batch.schema.names if batch[name].null_count]:
                    raise ValueError(f"{path} has rows without {nulls[0]}")
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if rows != manifest.rows:
        raise ValueError(f"{path} has {rows} rows, expected {manifest.rows} as in its footer")
    return manifest


def _sample_ids(keys: npt.NDArray[np.uint8], repeated: npt.NDArray[np.uint64], occurrences: dict[bytes, int]) -> bytes:
    """Return 16 bytes per row: the first 128 bits of the SHA-256 of key digest and occurrence number."""
    numbers = np.zeros(len(keys), ">u4")
    prefixes = _prefixes(keys)
    positions = np.searchsorted(repeated, prefixes)
    for index in np.flatnonzero(np.append(repeated, 0)[positions] == prefixes) if len(repeated) else ():
        digest = keys[index].tobytes()
        numbers[index] = occurrences[digest] = occurrences.get(digest, -1) + 1
    messages = np.hstack((keys, numbers.view(np.uint8).reshape(-1, 4)))
    return hashes(messages.data, repeat(36, len(keys)))[:, :16].tobytes()


def _prefixes(digest: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint64]:
    return digest[:, :8].copy().view(np.uint64).ravel()


def _repeated(prefixes: list[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    """Return the prefixes of digests that occur more than once."""
    if not prefixes:
        return np.empty(0, np.uint64)
    ordered = np.concatenate(prefixes)
    prefixes.clear()
    ordered.sort()
    return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])


def _steps(runs: list[_Run]) -> Iterator[list[_Run]]:
    """Cut the runs into steps of at most ``ROWS`` rows."""
    step: list[_Run] = []
    room = ROWS
    for run in runs:
        done = 0
        while done < run.rows:
            rows = min(room, run.rows - done)
            source = run.source if isinstance(run.source, str) else run.source.slice(done, rows)
            step.append(dataclasses.replace(run, rows=rows, first=run.first + done, source=source))
            done, room = done + rows, room - rows
            if not room:
                yield step
                step, room = [], ROWS
    if step:
        yield step


def _column(runs: list[_Run], name: str) -> pa.Array:
    """Return a column of the runs' values, each of which is a string or one per row."""
    values = [getattr(run, name) for run in runs]
    if not all(isinstance(value, str) for value in values):
        rows = [
            [value] * run.rows if isinstance(value, str) else value for run, value in zip(runs, values, strict=True)
        ]
        return pa.concat_arrays([pa.array(part, pa.string()) for part in rows])
    return pa.array(values, pa.string()).take(pa.array(np.repeat(np.arange(len(runs)), [run.rows for run in runs])))


def _fixed(block: npt.NDArray[np.uint8]) -> pa.Array:
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(block.shape[1]), len(block), [None, pa.py_buffer(block)])

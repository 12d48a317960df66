"""Write the Parquet files of the splits and their manifest, all or none."""

import dataclasses
import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pyarrow as pa
from samples import ManifestWriter
from stage.errors import BadRows, UsageError
from stage.output import replacing, replacing_folder

from parquetizer.table_output import ParquetTable, max_pending

MAX_SPLITS = 100  # each is an open file


@dataclasses.dataclass(frozen=True)
class SplitsResult:
    """What was written: rows by split, and the SHA-256 by file."""

    output: str
    rows: dict[str, int]
    files: dict[str, str]


class SplitFiles:
    """``<split>/<split>.parquet`` for each split with samples, and their manifest."""

    def __init__(
        self,
        folder: Path,
        name: str,
        schema: pa.Schema,
        manifest: ManifestWriter,
        group_rows: int,
        tables: ExitStack,
    ) -> None:
        self._folder, self._name, self._schema = folder, name, schema
        self._manifest, self._group_rows, self._open_tables = manifest, group_rows, tables
        self._max_pending = max_pending(schema)
        self._tables: dict[str, ParquetTable] = {}
        self.rows: dict[str, int] = {}

    def write(self, split: str, batch: pa.RecordBatch, source: str | pa.StringArray) -> None:
        """Add samples to a split; ``source`` is their raw file, or that of each."""
        if not batch.num_rows:
            return
        if split not in self._tables:
            if len(self._tables) == MAX_SPLITS:
                raise BadRows(self._name, f"more than {MAX_SPLITS} splits", "split by another column")
            path = self._folder / split / f"{split}.parquet"
            path.parent.mkdir()
            self._tables[split] = self._open_tables.enter_context(
                closing(ParquetTable(path, self._schema, self._group_rows, self._max_pending))
            )
            self.rows[split] = 0
        self._tables[split].write(batch)
        self._manifest.add(batch, split=split, file=self._file(split), source=source)
        self.rows[split] += batch.num_rows
        pending = {name: table.pending_bytes for name, table in self._tables.items()}
        if sum(pending.values()) > self._max_pending:  # of all splits together
            self._tables[max(pending, key=pending.__getitem__)].flush()

    def finish(self) -> SplitsResult:
        """Close the files and write their manifest."""
        self._open_tables.close()
        files = {}
        for split in self.rows:
            with (self._folder / split / f"{split}.parquet").open("rb") as file:
                files[self._file(split)] = hashlib.file_digest(file, "sha256").hexdigest()
        self._manifest.finish(files)
        return SplitsResult(self._name, self.rows, files)

    def _file(self, split: str) -> str:
        return f"{self._name}/{split}/{split}.parquet"


@contextmanager
def split_files(
    raw: Path,
    output: Path,
    samples: Path,
    schema: pa.Schema,
    key: tuple[str, ...],
    group_rows: int,
) -> Iterator[SplitFiles]:
    """Yield the writer of the folder ``output`` and the manifest ``samples``; call its ``finish`` at the end.

    A row group has ``group_rows`` rows, or fewer where all splits would have too many bytes in memory.

    The folder is replaced in one step, then the manifest, which has the SHA-256 of its files.
    """
    with published(output, samples, raw) as (folder, manifest_path), ExitStack() as stack:
        manifest = stack.enter_context(ManifestWriter(manifest_path, schema, key))
        tables = stack.enter_context(ExitStack())
        yield SplitFiles(folder, output.as_posix(), schema, manifest, group_rows, tables)


@contextmanager
def published(output: Path, samples: Path, *inputs: Path) -> Iterator[tuple[Path, Path]]:
    """Yield temporary paths for a folder and its manifest, which then replace ``output`` and ``samples``.

    Raises UsageError if ``output`` contains the manifest or the inputs.
    """
    for path in (samples, *inputs):
        if output.resolve() in (path.resolve(), *path.resolve().parents):
            raise UsageError(path, f"is inside {output}, which is replaced as a whole", "write to another folder")
    with replacing(samples) as (manifest,), replacing_folder(output) as folder:
        yield folder, manifest

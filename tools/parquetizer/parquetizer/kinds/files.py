"""Convert files, each of them a sample, into the Parquet files of the splits and the manifest."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
from stage.progress import progress

from parquetizer.kinds.files_checked import Checked, Tally, checked
from parquetizer.kinds.files_input import MediaFile, media_files
from parquetizer.kinds.files_labels import Described, described
from parquetizer.kinds.files_settings import FILE_NAME, SOURCE, TRAIN, FilesSettings
from parquetizer.media.parallel import in_order
from parquetizer.split_files import SplitFiles, split_files

GROUP_ROWS = 1 << 14  # of a row group; Arrow's own memory pool stays flat over any number of them
BATCH_ROWS, BATCH_BYTES = 1 << 9, 1 << 22  # hashed at a time


@dataclasses.dataclass(frozen=True)
class FilesResult:
    """What was written: rows by split, SHA-256 by file; and the files by format, and those that readers differ on."""

    output: str
    rows: dict[str, int]
    files: dict[str, str]
    formats: dict[str, int]
    notes: dict[str, int]


@dataclasses.dataclass(frozen=True)
class _Sample:
    """A checked file, and the number of its row in the labels or the metadata."""

    file: MediaFile
    content: Checked
    row: int


def parquetize_files(raw: Path, output: Path, samples: Path, settings: FilesSettings) -> FilesResult:
    """Write ``<split>/<split>.parquet`` into the folder ``output``, and the manifest ``samples``.

    Files come in the order of the inputs, those of a pattern sorted by name; every file is decoded completely, on all
    cores, and its bytes are kept. The folder is replaced as a whole.

    Raises InputMissing, EmptyInput, CorruptFile for a file that does not decode, BadRows for an unknown class or files
    and metadata that do not match, and PolicyViolation for a path outside ``raw``.
    """
    values = described(raw, settings)
    tally = Tally(settings.normalise)
    with split_files(raw, output, samples, settings.schema, settings.key, GROUP_ROWS) as files:
        with progress("reading files", 0, "files") as advance:
            for split, batch in _batches(_samples(raw, settings, values, tally, advance), settings, values):
                _write(files, split, batch, settings)
        values.check_all_used()
        settings.check_counts(files.rows)
        result = files.finish()
    tally.report()
    return FilesResult(result.output, result.rows, result.files, dict(tally.formats), dict(tally.notes))


def _samples(
    raw: Path, settings: FilesSettings, values: Described, tally: Tally, advance: Callable[[int], None]
) -> Iterator[_Sample]:
    """Yield the samples of each file: one, or as many as the metadata has rows for it."""

    def check(file: MediaFile) -> tuple[MediaFile, Checked]:
        return file, checked(file.data, file.path, file.where, settings)

    for file, content in in_order(check, media_files(raw, settings), lambda file: len(file.data)):
        tally.add(content, file.source)
        for row in values.rows_of(file):
            yield _Sample(file, content, row)
        advance(1)


def _batches(
    samples: Iterator[_Sample], settings: FilesSettings, values: Described
) -> Iterator[tuple[str | None, pa.RecordBatch]]:
    """Yield batches of one official split, or of None for those to draw, with the columns of the schema and sources."""
    pending: dict[str | None, list[_Sample]] = {}
    sizes: dict[str | None, int] = {}
    for sample in samples:
        split = _official(sample.file, settings)
        rows = pending.setdefault(split, [])
        rows.append(sample)
        sizes[split] = sizes.get(split, 0) + len(sample.content.data)
        if len(rows) >= BATCH_ROWS or sizes[split] >= BATCH_BYTES:
            yield split, _batch(rows, settings, values)
            pending[split], sizes[split] = [], 0
    for split, rows in pending.items():
        if rows:
            yield split, _batch(rows, settings, values)


def _official(file: MediaFile, settings: FilesSettings) -> str | None:
    if file.split is not None or settings.has_ways:
        return file.split
    return TRAIN


def _batch(rows: list[_Sample], settings: FilesSettings, values: Described) -> pa.RecordBatch:
    paths = pa.array([sample.file.path for sample in rows], pa.string())
    data = pa.array([sample.content.data for sample in rows], pa.binary())
    if settings.media != "binary":
        data = pa.StructArray.from_arrays([data, paths], fields=list(settings.content.arrow))
    taken = values.columns([sample.row for sample in rows])
    columns = {settings.content.name: data, FILE_NAME: paths, **taken}
    sources = pa.array([sample.file.source for sample in rows], pa.string())
    schema = settings.read_schema
    arrays = [columns[name] for name in schema.names]
    return pa.record_batch([*arrays, sources], schema=schema.append(pa.field(SOURCE, pa.string())))


def _write(files: SplitFiles, split: str | None, batch: pa.RecordBatch, settings: FilesSettings) -> None:
    """Write a batch to its official split, or each row to the one that is drawn for it."""
    for name, part in settings.parts(batch, split, lambda row: str(batch[SOURCE][row])):
        files.write(name, part.select(settings.schema.names), part[SOURCE])

"""Convert raw files into one table, or one per split, and its sample manifest."""

import dataclasses
import functools
import hashlib
import math
import reprlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pyarrow as pa
from samples import ManifestWriter, schema_of
from stage.errors import BadRows, UsageError
from stage.output import replacing

from parquetizer.csv_readable import FIX, check_schema, first_unreadable
from parquetizer.formats.csv_dialect import CsvDialect
from parquetizer.formats.csv_values import is_native
from parquetizer.formats.reading import read_rows
from parquetizer.formats.text_values import parse_text
from parquetizer.kinds.table_settings import TableSettings
from parquetizer.raw.files import RawFile, find_files
from parquetizer.raw.inputs import raw_files
from parquetizer.split_files import SplitsResult, split_files
from parquetizer.table_output import ROWS, open_table

SUFFIXES = (".csv", ".parquet")  # of one table; splits are in a folder
SPLIT = "all"  # of a table without splits: consumers split it themselves


@dataclasses.dataclass(frozen=True)
class TableResult:
    """The table: its name, number of rows and SHA-256."""

    output: str
    rows: int
    sha256: str


def parquetize_table(
    raw: Path, output: Path, samples: Path | None, settings: TableSettings, name: str | None = None
) -> TableResult:
    """Write ``output`` (.csv or .parquet) from files in ``raw``, and the manifest ``samples`` if a path is given.

    ``name`` is the name of the output in the manifest. Rows keep the order of the inputs. Both outputs are replaced at
    the end, or neither; the manifest comes last and has the SHA-256 of the table.

    Raises InputMissing, BadRows, EmptyInput or SchemaMismatch if the raw files are not as declared, BadRows if a CSV
    output could not represent them, UsageError if there are splits, and PolicyViolation for a file outside ``raw``.
    """
    if output.suffix not in SUFFIXES:
        raise UsageError(output, "unsupported format", "use the suffix .csv or .parquet, or a folder for splits")
    if samples == output:
        raise UsageError(output, "same path for table and manifest", "write the manifest to another file")
    settings.check_unsplit(settings.official, output)
    for source in settings.inputs:
        find_files(raw, source.file)
    if output.suffix == ".csv":
        check_schema(settings.schema, "dataset.columns")
    name = name or output.as_posix()
    with ExitStack() as stack:
        temporaries = stack.enter_context(replacing(*filter(None, (output, samples))))
        manifest = None
        if samples:
            manifest = stack.enter_context(ManifestWriter(temporaries[1], settings.schema, settings.key))
        with open_table(temporaries[0], output.suffix, settings.schema) as table:
            rows = 0
            for _, file, before, batch in _batches(raw, settings):
                if output.suffix == ".csv":
                    _check_readable(batch, file, before)
                table.write(batch)
                rows += batch.num_rows
                if manifest:
                    manifest.add(batch, split=SPLIT, file=name, source=file.name)
        with temporaries[0].open("rb") as written:
            sha256 = hashlib.file_digest(written, "sha256").hexdigest()
        if manifest:
            manifest.finish({name: sha256})
    return TableResult(name, rows, sha256)


def parquetize_table_splits(raw: Path, output: Path, samples: Path, settings: TableSettings) -> SplitsResult:
    """Write ``<split>/<split>.parquet`` into the folder ``output``, and the manifest ``samples``.

    The rows of a split keep the order of the inputs.

    Raises InputMissing, BadRows, EmptyInput or SchemaMismatch if the raw files are not as declared, BadRows for a row
    without a split, UsageError if there are no splits, and PolicyViolation for a file outside ``raw``.
    """
    settings.check_splits(settings.official, settings.schema, "parquetizer")
    for source in settings.inputs:
        find_files(raw, source.file)
    with split_files(raw, output, samples, settings.schema, settings.key, ROWS) as files:
        for official, file, before, batch in _batches(raw, settings):
            where = functools.partial(_place, file, before)
            for split, part in settings.parts(batch, official, where):
                files.write(split, part.select(settings.schema.names), file.name)
        settings.check_counts(files.rows)
        return files.finish()


def _batches(raw: Path, settings: TableSettings) -> Iterator[tuple[str | None, RawFile, int, pa.RecordBatch]]:
    """Yield the rows of all inputs with their constant columns added.

    With each batch come the official split of its input, its raw file, and how many rows of that are before it.
    """
    read = settings.with_split_column(settings.columns)
    schema = schema_of(read)
    for source in settings.inputs:
        constants = {name: _constant(value, schema.field(name)) for name, value in source.constants.items()}
        in_file = [column for column in read if column.name not in constants]
        for file in raw_files(raw, source.file, source.members, settings.max_ratio):
            before = 0
            for batch in read_rows(file, in_file, settings):
                columns = [
                    pa.repeat(constants[name], batch.num_rows) if name in constants else batch[name]
                    for name in schema.names
                ]
                yield source.split, file, before, pa.record_batch(columns, schema=schema)
                before += batch.num_rows


def _place(source: RawFile, before: int, row: int) -> str:
    """Return the place of a row of a batch, which has ``before`` rows before it in its file."""
    return f"{source} row {before + row + 1}"


def _check_readable(batch: pa.RecordBatch, source: RawFile, before: int) -> None:
    if unreadable := first_unreadable(batch):
        raise BadRows(_place(source, before, unreadable.row), unreadable.what, FIX)


def _constant(value: object, field: pa.Field) -> pa.Scalar:
    """Return a constant as a scalar of its column; Arrow would make 1.5 an integer, and 1e300 an infinite float32."""
    with suppress(ValueError, TypeError, OverflowError):
        if isinstance(value, str) and not is_native(field.type, CsvDialect()):  # a date, a decimal
            return parse_text(pa.array([value]), field.type)[0]
        scalar = pa.scalar(value, field.type)
        result = scalar.as_py()
        if math.isfinite(result) if isinstance(result, float) else result == value:
            return scalar
    what = f"{field.name}: expected {field.type}, got {reprlib.repr(value):.80}"
    raise UsageError("parquetizer.inputs", what, "correct it")

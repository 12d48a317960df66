"""Turn raw CSV files into one table and its sample manifest."""

import dataclasses
import hashlib
import math
import reprlib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pyarrow as pa
from samples import ManifestWriter
from stage.errors import BadRows, InputMissing, UsageError
from stage.inside import inside
from stage.output import replacing

from parquetizer.csv_input import read_csv
from parquetizer.csv_readable import CURE, check_names, first_unreadable
from parquetizer.table_output import open_table
from parquetizer.table_settings import Input, TableSettings

SPLIT = "all"  # a table has no splits: its consumers split it themselves


@dataclasses.dataclass(frozen=True)
class TableResult:
    """What was written."""

    output: str
    rows: int
    sha256: str


def parquetize_table(
    raw: Path, output: Path, samples: Path | None, settings: TableSettings, name: str | None = None
) -> TableResult:
    """Write ``output`` (.csv or .parquet) from files in ``raw``, and the manifest ``samples`` if a path is given.

    ``name`` is what the manifest calls the output. Rows stay in the order of the inputs. Both outputs appear at the
    end, or neither; the manifest comes last and names the table by its SHA-256.

    Raises InputMissing, BadRows, EmptyInput or SchemaMismatch where the raw files are not as declared, BadRows where a
    CSV output could not say what they do, and PolicyViolation for one that is not in ``raw``.
    """
    if output.suffix not in {".csv", ".parquet"}:
        raise UsageError(output, "unknown format", "give the output the suffix .csv or .parquet")
    if samples == output:
        raise UsageError(output, "is table and manifest at once", "give the manifest a file of its own")
    for given in settings.inputs:
        if not inside(raw, given.file, "parquetizer.inputs").is_file():
            raise InputMissing(raw / given.file, "no such file", "run the fetcher, or correct parquetizer.inputs")
    if output.suffix == ".csv":
        check_names(settings.schema.names, "dataset.columns")
    name = name or output.as_posix()
    with ExitStack() as stack:
        temporaries = stack.enter_context(replacing(*filter(None, (output, samples))))
        manifest = None
        if samples:
            manifest = stack.enter_context(ManifestWriter(temporaries[1], settings.schema, settings.key))
        with open_table(temporaries[0], output.suffix, settings.schema) as written:
            rows = 0
            for given in settings.inputs:
                before = rows
                for batch in _batches(raw, given, settings):
                    if output.suffix == ".csv":
                        _check_readable(batch, raw / given.file, rows - before)
                    written.write(batch)
                    rows += batch.num_rows
                    if manifest:
                        manifest.add(batch, split=SPLIT, file=name, source=given.file)
        with temporaries[0].open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if manifest:
            manifest.finish({name: sha256})
    return TableResult(name, rows, sha256)


def _batches(raw: Path, given: Input, settings: TableSettings) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one raw file with its constants put in their columns."""
    schema = settings.schema
    in_file = pa.schema([field for field in schema if field.name not in given.constants])
    for batch in read_csv(raw / given.file, in_file, settings):
        columns = [
            pa.repeat(_constant(given.constants[field.name], field), batch.num_rows)
            if field.name in given.constants
            else batch[field.name]
            for field in schema
        ]
        yield pa.record_batch(columns, schema=schema)


def _check_readable(batch: pa.RecordBatch, source: Path, before: int) -> None:
    if found := first_unreadable(batch):
        raise BadRows(f"{source} row {before + found.row + 1}", found.what, CURE)


def _constant(value: object, field: pa.Field) -> pa.Scalar:
    """Return a constant as its column has it; Arrow would make 1.5 an integer, and 1e300 an infinite float32."""
    with suppress(ValueError, TypeError, OverflowError):
        scalar = pa.scalar(value, field.type)
        made = scalar.as_py()
        if math.isfinite(made) if isinstance(made, float) else made == value:
            return scalar
    raise UsageError("parquetizer.inputs", f"{field.name}: {reprlib.repr(value):.80} is no {field.type}", "correct it")

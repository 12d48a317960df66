"""Convert raw CSV files into one table and its sample manifest."""

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
from parquetizer.csv_readable import FIX, check_names, first_unreadable
from parquetizer.table_output import open_table
from parquetizer.table_settings import Input, TableSettings

SPLIT = "all"  # a table has no splits: consumers split it themselves


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
    output could not represent them, and PolicyViolation for a file outside ``raw``.
    """
    if output.suffix not in {".csv", ".parquet"}:
        raise UsageError(output, "unsupported format", "use the suffix .csv or .parquet")
    if samples == output:
        raise UsageError(output, "same path for table and manifest", "write the manifest to another file")
    for source in settings.inputs:
        if not inside(raw, source.file, "parquetizer.inputs").is_file():
            raise InputMissing(raw / source.file, "not found", "run the fetcher, or correct parquetizer.inputs")
    if output.suffix == ".csv":
        check_names(settings.schema.names, "dataset.columns")
    name = name or output.as_posix()
    with ExitStack() as stack:
        temporaries = stack.enter_context(replacing(*filter(None, (output, samples))))
        manifest = None
        if samples:
            manifest = stack.enter_context(ManifestWriter(temporaries[1], settings.schema, settings.key))
        with open_table(temporaries[0], output.suffix, settings.schema) as table:
            rows = 0
            for source in settings.inputs:
                before = rows
                for batch in _batches(raw, source, settings):
                    if output.suffix == ".csv":
                        _check_readable(batch, raw / source.file, rows - before)
                    table.write(batch)
                    rows += batch.num_rows
                    if manifest:
                        manifest.add(batch, split=SPLIT, file=name, source=source.file)
        with temporaries[0].open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if manifest:
            manifest.finish({name: sha256})
    return TableResult(name, rows, sha256)


def _batches(raw: Path, source: Input, settings: TableSettings) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one raw file with its constant columns added."""
    schema = settings.schema
    in_file = pa.schema([field for field in schema if field.name not in source.constants])
    for batch in read_csv(raw / source.file, in_file, settings):
        columns = [
            pa.repeat(_constant(source.constants[field.name], field), batch.num_rows)
            if field.name in source.constants
            else batch[field.name]
            for field in schema
        ]
        yield pa.record_batch(columns, schema=schema)


def _check_readable(batch: pa.RecordBatch, source: Path, before: int) -> None:
    if unreadable := first_unreadable(batch):
        raise BadRows(f"{source} row {before + unreadable.row + 1}", unreadable.what, FIX)


def _constant(value: object, field: pa.Field) -> pa.Scalar:
    """Return a constant as a scalar of its column; Arrow would make 1.5 an integer, and 1e300 an infinite float32."""
    with suppress(ValueError, TypeError, OverflowError):
        scalar = pa.scalar(value, field.type)
        result = scalar.as_py()
        if math.isfinite(result) if isinstance(result, float) else result == value:
            return scalar
    what = f"{field.name}: expected {field.type}, got {reprlib.repr(value):.80}"
    raise UsageError("parquetizer.inputs", what, "correct it")

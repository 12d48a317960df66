"""Read a CSV file as Arrow batches of declared types, and reject everything that does not match them."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from samples import Column, schema_of
from stage.errors import BadRows, EmptyInput, SchemaMismatch
from stage.progress import progress

from parquetizer.formats.csv_diagnosis import first_bad_row
from parquetizer.formats.csv_dialect import WHITESPACE, CsvDialect
from parquetizer.formats.csv_header import Header, read_header
from parquetizer.formats.csv_lines import LineFilter
from parquetizer.formats.csv_spaces import SpaceFilter
from parquetizer.formats.csv_values import is_native, read_values
from parquetizer.raw.checked_bytes import CheckedBytes
from parquetizer.raw.file_kinds import kind_error
from parquetizer.raw.files import RawFile

NO_ROWS: Final = ("no rows after the header", "check that the source sent the whole file")


def read_csv(path: RawFile, columns: Sequence[Column], dialect: CsvDialect) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a CSV file as batches of the given columns, in file order.

    Raises BadRows (with the line, or with the kind of the file if it is not CSV), SchemaMismatch if the header does not
    match the columns, EmptyInput without rows.
    """
    try:
        yield from _read(path, columns, dialect)
    except (BadRows, SchemaMismatch) as error:
        raise kind_error(path, error, dialect.encoding) from error


def _read(path: RawFile, columns: Sequence[Column], dialect: CsvDialect) -> Iterator[pa.RecordBatch]:
    rows = 0
    schema = schema_of(columns)
    with (
        progress(f"reading {path.name}", path.size, "bytes") as advance,
        _open(path, dialect, advance) as source,
    ):
        header = read_header(path, source.peek(dialect.block_bytes), columns, dialect)
        source.blank(header.size)
        try:
            for texts in _reader(source, header, columns, dialect):
                yield pa.record_batch([*_typed(texts, columns, dialect)], schema=schema)
                rows += texts.num_rows
        except pa.ArrowInvalid as error:
            with _open(path, dialect) as again:
                problem = first_bad_row(path, again, columns, dialect)
            raise problem or BadRows(path, str(error), "correct the file, or raise max-field-bytes") from error
    if not rows:
        raise EmptyInput(path, *NO_ROWS)


def _open(path: RawFile, dialect: CsvDialect, advance: Callable[[int], None] = lambda _: None) -> CheckedBytes:
    lines = SpaceFilter(dialect) if dialect.delimiter == WHITESPACE else LineFilter(dialect)
    return CheckedBytes(path, dialect.encoding, dialect.quote_character, dialect.multiline, advance, lines)


def _reader(
    source: CheckedBytes, header: Header, columns: Sequence[Column], dialect: CsvDialect
) -> pa_csv.CSVStreamingReader:
    """Return a reader of the columns, those that are not native as text."""
    types = {column.name: column.arrow if is_native(column.arrow, dialect) else pa.string() for column in columns}
    booleans = {"true_values": dialect.true_values, "false_values": dialect.false_values}
    return pa_csv.open_csv(
        pa.PythonFile(source, mode="r"),
        read_options=pa_csv.ReadOptions(block_size=dialect.block_bytes, column_names=header.names),
        parse_options=pa_csv.ParseOptions(
            delimiter=dialect.mark,
            quote_char=dialect.quote_character or False,
            newlines_in_values=dialect.multiline,
        ),
        convert_options=pa_csv.ConvertOptions(
            column_types=types,
            include_columns=list(types),
            null_values=dialect.null_values,
            strings_can_be_null=True,
            check_utf8=False,  # done by CheckedBytes
            decimal_point=dialect.decimal,
            **(booleans if dialect.true_values else {}),
        ),
    )


def _typed(texts: pa.RecordBatch, columns: Sequence[Column], dialect: CsvDialect) -> Iterator[pa.Array]:
    """Yield the columns of a batch as their declared types.

    Raises ArrowInvalid for values that Arrow accepts and we do not; the diagnosis then finds the row.
    """
    for column, values in zip(columns, texts.columns, strict=True):
        if pa.types.is_floating(values.type):
            if not pc.all(pc.is_finite(values), min_count=0).as_py():
                raise pa.ArrowInvalid("not a finite number")
        elif pa.types.is_string(values.type):
            longest = pc.max(pc.binary_length(values)).as_py() or 0
            if longest > dialect.max_field_bytes:
                raise pa.ArrowInvalid("field too long")
        yield values if is_native(column.arrow, dialect) else read_values(values, column, dialect)

"""Read labelled texts from files of several formats, as batches of text, label and number.

Text and label are strings, the label as it is in the file; the number is that of the line or row, from 1.
"""

from collections.abc import Callable, Iterator
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from samples import Column
from stage.errors import BadRows, SchemaMismatch, StageError

from parquetizer.formats.columnar_input import read_columnar
from parquetizer.formats.csv_dialect import CsvDialect
from parquetizer.formats.csv_input import read_csv
from parquetizer.formats.json_input import read_objects
from parquetizer.formats.settings import FormatSettings
from parquetizer.kinds.text_settings import MAX_TEXT_BYTES, TextSettings
from parquetizer.raw.file_kinds import kind_error
from parquetizer.raw.files import RawFile
from parquetizer.raw.lines import read_lines

NAMES: Final = ("text", "label", "number")
OVERHEAD: Final = 1 << 16  # bytes of a line besides its text
ESCAPED: Final = 6  # maximum bytes of a byte in JSON: \u0000
TABLE_SETTINGS: Final = ("comment", "header", "skip-rows", "trim", "lenient")  # that fixes of tables name
REPLACED: Final = (
    ("its type in dataset.columns", "parquetizer.text and label"),
    ("dataset.columns", "parquetizer.text, label or ignore"),
    ("max-field", "max-text"),
)
FIXES: Final = {"JSON lines": "set format: jsonl", "JSON": "set format: jsonl", "an Arrow file": "save it as Parquet"}

Batches = Iterator[pa.RecordBatch]


def read_texts(path: RawFile, settings: TextSettings) -> Batches:
    """Yield the texts of one raw file.

    Raises BadRows, SchemaMismatch, EmptyInput or CorruptFile if the file is not as declared.
    """
    try:
        yield from READERS[settings.format](path, settings)
    except (BadRows, SchemaMismatch) as error:  # the readers' fixes name the settings of a table
        fix = error.fix.replace("dataset.columns, or to ignore", "dataset.columns").removesuffix(", or set quote: none")
        for old, new in REPLACED:
            fix = fix.replace(old, new)
        if any(setting in fix for setting in TABLE_SETTINGS):
            fix = "correct the file, or convert it as a table"
        named: StageError = type(error)(error.where, error.what, fix)
        if settings.format != "parquet":
            named = kind_error(path, named, settings.encoding, settings.format, FIXES)
        raise named from error


def _lines(path: RawFile, settings: TextSettings) -> Batches:
    """Read lines of text, separator and label, split at the last separator. Blank lines are skipped."""
    separator = rf"\x{{{ord(settings.separator):x}}}"
    pattern = f"(?s)^(?P<text>.*){separator}(?P<label>[^{separator}]*)$"
    for first, lines in read_lines(path, settings.encoding, settings.max_text_bytes + OVERHEAD):
        not_blank = pc.not_equal(lines, "")
        numbers = pa.array(range(first, first + len(lines))).filter(not_blank)
        lines = lines.filter(not_blank)
        if (returns := pc.match_substring(lines, "\r")).true_count:
            number = numbers[pc.index(returns, True).as_py()]
            raise BadRows(f"{path}:{number}", "carriage return within the line", "end lines with \\n or \\r\\n")
        fields = pc.extract_regex(lines, pattern)
        if fields.null_count:
            number = numbers[pc.index(fields.is_valid(), False).as_py()]
            what = f"no {settings.separator!r} between text and label"
            raise BadRows(f"{path}:{number}", what, "correct the line, or parquetizer.delimiter")
        yield _batch(fields.field("text"), fields.field("label"), numbers)


def _csv(path: RawFile, settings: TextSettings) -> Batches:
    """Read CSV with a header; quoted texts may span lines."""
    columns = [*_columns(settings), *(Column(name, "string") for name in settings.ignore)]
    dialect = CsvDialect(
        delimiter=settings.separator,
        encoding=settings.encoding,
        multiline=True,
        max_field_bytes=settings.max_text_bytes,
    )
    yield from _numbered(read_csv(path, columns, dialect), settings)


def _jsonl(path: RawFile, settings: TextSettings) -> Batches:
    """Read JSON lines, or a JSON array of objects."""
    limit = MAX_TEXT_BYTES  # the size of texts is checked later
    json = FormatSettings(format="json", encoding=settings.encoding, ignore=settings.ignore, max_field_bytes=limit)
    max_line = ESCAPED * settings.max_text_bytes + OVERHEAD
    for numbers, batch in read_objects(path, _columns(settings), json, max_line, (settings.label,)):
        yield _batch(batch[settings.text], batch[settings.label], numbers)


def _parquet(path: RawFile, settings: TextSettings) -> Batches:
    """Read the two columns of a Parquet file; other columns must be declared in ``ignore``."""
    columnar = FormatSettings(format="parquet", ignore=settings.ignore)
    yield from _numbered(read_columnar(path, _columns(settings), columnar, (settings.label,)), settings)


def _columns(settings: TextSettings) -> list[Column]:
    return [Column(settings.text, "string"), Column(settings.label, "string")]


def _numbered(batches: Batches, settings: TextSettings) -> Batches:
    first = 1
    for batch in batches:
        yield _batch(batch[settings.text], batch[settings.label], pa.array(range(first, first + len(batch))))
        first += len(batch)


def _batch(text: pa.Array, label: pa.Array, number: pa.Array) -> pa.RecordBatch:
    return pa.record_batch([text, label, number], NAMES)


READERS: dict[str, Callable[[RawFile, TextSettings], Batches]] = {
    "lines": _lines,
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}

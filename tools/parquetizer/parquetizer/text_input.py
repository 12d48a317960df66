"""Read labelled texts from files of several formats, as batches of text, label and number.

Text and label are strings, the label as it is in the file; the number is that of the line or row, from 1.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from samples import Column
from stage.errors import BadRows, CorruptFile, EmptyInput, SchemaMismatch
from stage.progress import progress
from stage.redaction import listed

from parquetizer.csv_input import read_csv
from parquetizer.file_kinds import kind_error
from parquetizer.lines import read_lines
from parquetizer.strict_json import parse
from parquetizer.table_settings import TableSettings
from parquetizer.text_settings import TextSettings

ROWS: Final = 1 << 12  # of a batch of a Parquet file
NAMES: Final = ("text", "label", "number")
OVERHEAD: Final = 1 << 16  # bytes of a line besides its text
ESCAPED: Final = 6  # maximum bytes of a byte in JSON: \u0000
FIELDS_FIX: Final = "correct parquetizer.text and label"
FIXES: Final = {"a Parquet file": "set format: parquet", "JSON lines": "set format: jsonl"}
CORRUPT = (OSError, ValueError, KeyError, pa.ArrowException)  # raised by pyarrow for a damaged Parquet file

Batches = Iterator[pa.RecordBatch]


def read_texts(path: Path, settings: TextSettings) -> Batches:
    """Yield the texts of one raw file.

    Raises BadRows, SchemaMismatch, EmptyInput or CorruptFile if the file is not as declared.
    """
    try:
        yield from READERS[settings.format](path, settings)
    except (BadRows, SchemaMismatch) as error:
        if settings.format == "parquet":
            raise
        raise kind_error(path, error, settings.encoding, settings.format, FIXES) from error


def _lines(path: Path, settings: TextSettings) -> Batches:
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


def _csv(path: Path, settings: TextSettings) -> Batches:
    """Read CSV with a header; quoted texts may span lines."""
    names = (settings.text, settings.label, *settings.ignore)
    table = TableSettings(
        inputs=(),
        columns=tuple(Column(name, "string") for name in names),
        delimiter=settings.separator,
        encoding=settings.encoding,
        multiline=True,
        max_field_bytes=settings.max_text_bytes,
    )
    first = 1
    try:
        for batch in read_csv(path, table.schema, table):
            yield _batch(batch[settings.text], batch[settings.label], pa.array(range(first, first + len(batch))))
            first += len(batch)
    except (BadRows, SchemaMismatch) as error:  # their fixes name the settings of a table
        fix = error.fix.replace("dataset.columns", "parquetizer.text, label or ignore")
        raise type(error)(error.where, error.what, fix.replace("max-field-bytes", "max-text-bytes")) from error


def _jsonl(path: Path, settings: TextSettings) -> Batches:
    """Read one JSON object per line. Blank lines are skipped."""
    known = {settings.text, settings.label, *settings.ignore}
    for first, lines in read_lines(path, settings.encoding, ESCAPED * settings.max_text_bytes + OVERHEAD):
        texts, labels, numbers = [], [], []
        for number, line in enumerate(lines.to_pylist(), first):
            if line and not line.isspace():
                text, label = _fields(line, f"{path}:{number}", settings, known)
                texts.append(text)
                labels.append(label)
                numbers.append(number)
        yield _batch(pa.array(texts, pa.string()), pa.array(labels, pa.string()), pa.array(numbers, pa.int64()))


def _fields(line: str, where: str, settings: TextSettings, known: set[str]) -> tuple[str, str]:
    document = parse(line, where)
    if not isinstance(document, dict):
        raise BadRows(where, "expected a JSON object", "correct the line")
    if unknown := sorted(document.keys() - known):
        fix = "list it in parquetizer.ignore, or correct text and label"
        raise SchemaMismatch(where, f"unknown field {unknown[0]!r:.80}", fix)
    values = document.get(settings.text), document.get(settings.label)
    for name, value, kinds in zip((settings.text, settings.label), values, (str, str | int), strict=True):
        if not isinstance(value, kinds) or isinstance(value, bool):
            what = f"{name} is null or missing" if value is None else f"invalid {name} {value!r:.40}"
            raise BadRows(where, what, "correct the line, or parquetizer.text and label")
        try:
            str(value).encode()
        except UnicodeEncodeError as error:
            raise BadRows(where, f"{name} contains a lone surrogate", "correct the line") from error
    return str(values[0]), str(values[1])


def _parquet(path: Path, settings: TextSettings) -> Batches:
    """Read the two columns of a Parquet file; other columns must be declared in ``ignore``."""
    first = 1
    if not path.stat().st_size:
        raise EmptyInput(path, "the file is empty", "check that the source sent the whole file")
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _check_schema(path, file.schema_arrow, settings)
            with progress(f"reading {path.name}", file.metadata.num_rows, "rows") as advance:
                for batch in file.iter_batches(ROWS, columns=[settings.text, settings.label]):
                    batch.validate(full=True)
                    text, label = (batch[name].cast(pa.string()) for name in (settings.text, settings.label))
                    yield _batch(text, label, pa.array(range(first, first + len(batch))))
                    first += len(batch)
                    advance(len(batch))
    except CORRUPT as error:
        raise CorruptFile(path, f"damaged Parquet file: {error}", "fetch it again") from error


def _check_schema(path: Path, schema: pa.Schema, settings: TextSettings) -> None:
    for name in (settings.text, settings.label):
        if (count := schema.names.count(name)) != 1:
            what = f"duplicate column {name!r}" if count else f"column {name!r} not found in {listed(schema.names)}"
            raise SchemaMismatch(path, what, FIELDS_FIX)
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind)
        if not is_text and not (name == settings.label and pa.types.is_integer(kind)):
            raise SchemaMismatch(path, f"unsupported type {kind} of column {name!r}", FIELDS_FIX)
    if extra := sorted({*schema.names} - {settings.text, settings.label, *settings.ignore}):
        raise SchemaMismatch(path, f"unknown column {extra[0]!r}", "list it in parquetizer.ignore")


def _batch(text: pa.Array, label: pa.Array, number: pa.Array) -> pa.RecordBatch:
    return pa.record_batch([text, label, number], NAMES)


READERS: dict[str, Callable[[Path, TextSettings], Batches]] = {
    "lines": _lines,
    "csv": _csv,
    "jsonl": _jsonl,
    "parquet": _parquet,
}

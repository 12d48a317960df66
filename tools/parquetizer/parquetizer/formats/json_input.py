"""Read JSON lines, or one JSON array of objects, as Arrow batches of declared types.

What is valid is defined by ``json_values``, an object at a time in Python. Arrow reads the same many times faster, so
it reads each block first; what it does not read, or reads otherwise, is read in Python, which then says what is wrong.
"""

import io
import reprlib
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pa_json
from samples import Column, schema_of
from stage.errors import BadRows, EmptyInput, SchemaMismatch
from stage.progress import progress

from parquetizer.formats.json_structure import compact_lines, json_blocks, object_lines
from parquetizer.formats.json_values import JsonStyle, Number, UnknownField, carrier, converter, from_carrier
from parquetizer.formats.nested import first_failing, first_row
from parquetizer.formats.settings import FormatSettings
from parquetizer.formats.strict_json import parse
from parquetizer.raw.checked_bytes import CheckedBytes
from parquetizer.raw.file_kinds import kind_error
from parquetizer.raw.files import RawFile

LINE: Final = 16  # times the size of a string
LONGEST_LINE: Final = 1 << 28  # bytes, unless a string may be longer
PATIENCE: Final = 3  # blocks that only Python can read, until the others are left to it too
OTHERWISE: Final = (b"NaN", b"Infinity")  # what Arrow accepts, and JSON does not
ESCAPED_NUL: Final = b"\\u0000"  # what Arrow accepts, and Postgres does not
FIX: Final = "correct it, or its type in dataset.columns"
ADD: Final = "add it to dataset.columns, or to ignore"

Numbered = tuple[pa.Int64Array, pa.RecordBatch]


def read_json(raw: RawFile, columns: Sequence[Column], settings: FormatSettings) -> Iterator[pa.RecordBatch]:
    """Yield the objects of a file in batches of the given columns, in the order of the file.

    Raises BadRows with the line or item, SchemaMismatch for unknown fields, EmptyInput.
    """
    size = settings.max_field_bytes
    for _, batch in read_objects(raw, columns, settings, max(size, min(LINE * size, LONGEST_LINE))):
        yield batch


def read_objects(
    raw: RawFile, columns: Sequence[Column], settings: FormatSettings, max_line: int, integers: tuple[str, ...] = ()
) -> Iterator[Numbered]:
    """Yield the numbers of lines or items, from 1, and their objects, of up to ``max_line`` bytes.

    ``integers`` are string columns that may be integers in the file.
    """
    rows = 0
    try:
        with (
            progress(f"reading {raw.name}", raw.size, "bytes") as advance,
            CheckedBytes(raw, settings.encoding, advance=advance) as source,
        ):
            is_array, blocks = json_blocks(source, raw, max_line, settings.rows)
            reader = BlockReader(raw, columns, settings, integers, is_array)
            for first, block in blocks:
                numbers, batch = reader.read(block, first)
                rows += len(batch)
                if len(batch):
                    yield numbers, batch
    except (BadRows, SchemaMismatch) as error:
        raise kind_error(raw, error, settings.encoding, "json") from error
    if not rows:
        raise EmptyInput(raw, "no rows", "check that the source sent the whole file")


class BlockReader:
    """Read blocks of lines, each an object, by Arrow or in Python."""

    def __init__(
        self,
        raw: RawFile,
        columns: Sequence[Column],
        settings: FormatSettings,
        integers: tuple[str, ...],
        is_array: bool,
    ) -> None:
        self._raw, self._columns, self._settings, self._is_array = raw, columns, settings, is_array
        self._schema = schema_of(columns)
        self._carriers = pa.schema([(column.name, carrier(column.arrow)) for column in columns])
        self._known = {*self._schema.names, *settings.ignore}
        self._patience = PATIENCE
        self._converters = {}
        for column in columns:
            style = JsonStyle(settings.max_field_bytes, settings.lenient_integers, column.name in integers)
            self._converters[column.name] = converter(column.arrow, style)

    def read(self, block: bytes, first: int) -> Numbered:
        """Return the numbers and the objects of a block; ``first`` is the number of its first line."""
        read = self._by_arrow(block, first) if self._patience else None
        if read is None:
            read = self._in_python(block, first)
            self._patience -= self._patience > 0
        return read

    def _by_arrow(self, block: bytes, first: int) -> Numbered | None:
        """Return what Arrow reads, or None if that may not be what is written."""
        if any(text in block for text in OTHERWISE) or (b"\\" in block and ESCAPED_NUL in block):
            return None
        lines = None if self._settings.ignore else compact_lines(block)
        if lines is None:
            lines = object_lines(block)
        if lines is None or (self._is_array and len(lines) < block.count(b"\n")):
            return None
        try:
            table = pa_json.read_json(
                io.BytesIO(block),
                pa_json.ReadOptions(use_threads=False, block_size=len(block) + 1),
                pa_json.ParseOptions(
                    explicit_schema=self._carriers,
                    newlines_in_values=True,
                    unexpected_field_behavior="infer" if self._settings.ignore else "error",
                ),
            ).combine_chunks()
            if len(table) != len(lines) or not {*table.schema.names} <= self._known:
                return None
            carried = table.select(self._carriers.names)
            if carried.schema.types != self._carriers.types:  # a struct with further fields
                return None
            arrays = [
                self._typed(values.chunk(0), column)
                for values, column in zip(carried.columns, self._columns, strict=True)
            ]
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return None
        if any(first_row(array, self._is_wrong) is not None for array in arrays):
            return None
        return pa.array(lines + first), pa.record_batch(arrays, schema=self._schema)

    def _is_wrong(self, values: pa.Array) -> pa.Array | None:
        """Return which floats are not finite, or strings too long."""
        if pa.types.is_floating(values.type):
            return pc.invert(pc.is_finite(values))
        is_string = pa.types.is_string(values.type)
        return pc.greater(pc.binary_length(values), self._settings.max_field_bytes) if is_string else None

    def _in_python(self, block: bytes, first: int) -> Numbered:
        numbers: list[int] = []
        columns: dict[str, list[Any]] = {name: [] for name in self._schema.names}
        for number, line in enumerate(block.decode().split("\n")[:-1], first):
            if self._is_array or (line and not line.isspace()):
                where = self._where(number)
                document = self._object(line, where)
                numbers.append(number)
                for name, values in columns.items():
                    values.append(self._value(document, name, where))
        arrays = []
        for column, kind in zip(self._columns, self._carriers.types, strict=True):
            carried = pa.array(columns[column.name], kind)
            try:
                arrays.append(self._typed(carried, column))
            except pa.ArrowInvalid as error:
                at = first_failing(carried, partial(self._typed, column=column))
                shown = reprlib.repr(carried[at].as_py())
                what = f"{column.name:.80}: expected {column.type}, got {shown:.80}"
                raise BadRows(self._where(numbers[at]), what, FIX) from error
        return pa.array(numbers, pa.int64()), pa.record_batch(arrays, schema=self._schema)

    def _typed(self, values: pa.Array, column: Column) -> pa.Array:
        return from_carrier(values, column.arrow, column.format)

    def _where(self, number: int) -> str:
        return f"{self._raw} item {number}" if self._is_array else f"{self._raw}:{number}"

    def _object(self, line: str, where: str) -> dict[str, Any]:
        document = parse(line, where, Number)
        if not isinstance(document, dict):
            raise BadRows(where, "expected a JSON object", "correct it")
        if unknown := sorted(document.keys() - self._known):
            raise SchemaMismatch(where, f"unknown field {unknown[0]!r:.80}", ADD)
        return document

    def _value(self, document: dict[str, Any], name: str, where: str) -> Any:
        try:
            return self._converters[name](document.get(name), name)
        except UnknownField as error:
            raise SchemaMismatch(where, str(error), "add it to the type of the column") from error
        except ValueError as error:
            longer = "is longer than" in str(error)
            raise BadRows(where, str(error), "raise max-field-bytes, or shorten it" if longer else FIX) from error

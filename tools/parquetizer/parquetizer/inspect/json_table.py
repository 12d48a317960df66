"""Propose how to read JSON lines, or arrays of objects, as a table: in two passes, for the types and for the values."""

import codecs
import dataclasses
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import pyarrow as pa
from samples import Column, type_text
from stage.errors import BadRows, EmptyInput, SchemaMismatch, UsageError
from stage.redaction import listed

from parquetizer.formats.json_structure import BLOCK, SPACE, arrays, item_lines, json_blocks
from parquetizer.formats.reading import read_rows
from parquetizer.formats.settings import FormatSettings
from parquetizer.formats.strict_json import parse
from parquetizer.inspect.dates import DateFacts
from parquetizer.inspect.json_types import JsonValues, NoType
from parquetizer.inspect.proposal import Table, changed
from parquetizer.inspect.raw_items import Items
from parquetizer.inspect.typed_columns import TypedColumns
from parquetizer.raw.checked_bytes import CheckedBytes
from parquetizer.raw.file_kinds import kind_error
from parquetizer.raw.files import RawFile

MAX_LINE: Final = 1 << 28  # bytes
MANY: Final = 20  # files, each of which is taken for one sample if it has one object
DEFAULTS: Final = FormatSettings(format="json")


def inspect_json(files: Items) -> Table:
    """Propose the table that JSON objects are.

    Raises BadRows for what is no JSON, and UsageError if no field has values of one type.
    """
    documents, marked = JsonValues(), False
    rows = _rows(files)
    for file in files.files():
        marked |= _encoding(file) != "utf-8"
        try:
            for value in _objects(file, rows):
                documents.add(value)
        except BadRows as error:
            raise kind_error(file, error, "utf-8", "json") from error
    kinds: dict[str, pa.DataType] = {}
    ignored: dict[str, str] = {}
    for name, values in (documents.fields or {}).items():
        try:
            kinds[name] = values.type()
        except NoType as error:
            ignored[name] = f"{name} has {error}, which no type holds together"
    lists = [name for name, values in (documents.fields or {}).items() if values.items and values.items.fields]
    if documents.count == 1 and lists and not rows and files.items[0].suffix == ".json":
        what = f"one object, with lists of objects: {listed(lists, 3)}"
        raise UsageError(files.items[0].path, what, "write the one to use as JSON lines")
    if not kinds:
        raise UsageError(
            "FROM", f"no field has a type: {'; '.join(ignored.values())}", "convert the data to JSON lines"
        )
    longest = documents.longest_string()
    settings = dataclasses.replace(
        DEFAULTS,
        ignore=tuple(ignored),
        encoding="utf-8-sig" if marked else "utf-8",
        max_field_bytes=max(DEFAULTS.max_field_bytes, longest),
        rows=rows,
    )
    return _table(files, kinds, settings, ignored)


def _encoding(file: RawFile) -> str:
    return "utf-8-sig" if file.head(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8 else "utf-8"


def _rows(files: Items) -> tuple[str, ...]:
    """Return the names that lead to the only list of objects in the object that each file is, or none.

    Many files, or JSON lines, are taken for one sample each, which may have a list.
    """
    if len(files.items) > MANY or any(item.suffix != ".json" for item in files.items):
        return ()
    found = {_rows_of(file) for file in Items(files.raw, files.items).files()}
    return found.pop() if len(found) == 1 else ()


def _rows_of(file: RawFile) -> tuple[str, ...]:
    with CheckedBytes(file, _encoding(file)) as source, suppress(BadRows, EmptyInput, SchemaMismatch):
        head = source.peek(BLOCK).lstrip(SPACE)
        lists = [names for names, at in arrays(head) if head[at + 1 : at + 100].lstrip(SPACE).startswith(b"{")]
        names = tuple(name for name in lists[0] if name is not None) if len(lists) == 1 else ()
        if names:  # read to the end: after the object, JSON lines have another
            deque(item_lines(source, file, MAX_LINE, names), 0)
        return names
    return ()


def _objects(file: RawFile, rows: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    with CheckedBytes(file, _encoding(file)) as source:
        is_array, blocks = json_blocks(source, file, MAX_LINE, rows)
        for first, block in blocks:
            for number, line in enumerate(block.decode().split("\n")[:-1], first):
                if is_array or (line and not line.isspace()):
                    value = parse(line, f"{file} item {number}" if is_array else f"{file}:{number}")
                    if not isinstance(value, dict):
                        raise BadRows(f"{file}:{number}", "expected a JSON object", "write an object for each sample")
                    yield value


def _table(files: Items, kinds: dict[str, pa.DataType], settings: FormatSettings, ignored: dict[str, str]) -> Table:
    """Read the values with their types, and return the table."""
    schema = pa.schema(list(kinds.items()))
    typed = TypedColumns(schema)
    dates = {name: DateFacts() for name, kind in kinds.items() if pa.types.is_string(kind)}
    declared = [Column(name, type_text(kinds[name])) for name in schema.names]
    for file in files.files():
        for batch in read_rows(file, declared, settings):
            typed.add(batch)
            for name, facts in dates.items():
                facts.add(batch[name].drop_null())
    formats = {name: date.type for name, facts in dates.items() if (date := facts.result()) and not date.format}
    table = typed.table({name: f"all are {kind.partition('[')[0]}s" for name, kind in formats.items()}, formats)
    reasons = {
        "ignore": listed(list(ignored.values()), 3),
        "rows": "each file is one object, with one list of objects",
        "encoding": "byte-order mark",
    }
    return table.read_by(changed(settings, DEFAULTS), reasons)

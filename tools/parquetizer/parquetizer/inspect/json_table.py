"""Propose how to read JSON lines, or arrays of objects, as a table: in two passes, for the types and for the values."""

import codecs
import dataclasses
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
from samples import Column, type_text
from stage.errors import BadRows, UsageError
from stage.redaction import listed

from parquetizer.formats.json_structure import SPACE, item_lines
from parquetizer.formats.reading import read_rows
from parquetizer.formats.settings import FormatSettings
from parquetizer.formats.strict_json import parse
from parquetizer.inspect.dates import DateFacts
from parquetizer.inspect.json_types import JsonValues, NoType
from parquetizer.inspect.proposal import Table
from parquetizer.inspect.raw_items import Items
from parquetizer.inspect.typed_columns import TypedColumns
from parquetizer.raw.checked_bytes import CheckedBytes
from parquetizer.raw.file_kinds import kind_error
from parquetizer.raw.files import RawFile
from parquetizer.raw.lines import line_blocks

MAX_LINE: Final = 1 << 28  # bytes
DEFAULTS: Final = FormatSettings(format="json")


def inspect_json(files: Items) -> Table:
    """Propose the table that JSON objects are.

    Raises BadRows for what is no JSON, and UsageError if no field has values of one type.
    """
    documents, marked = JsonValues(), False
    for file in files.files():
        is_marked = file.head(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8
        marked |= is_marked
        try:
            for value in _objects(file, "utf-8-sig" if is_marked else "utf-8"):
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
    )
    return _table(files, kinds, settings, ignored)


def _objects(file: RawFile, encoding: str) -> Iterator[dict[str, Any]]:
    with CheckedBytes(file, encoding) as source:
        is_array = source.peek(1 << 20).lstrip(SPACE).startswith(b"[")
        for first, block in (item_lines if is_array else line_blocks)(source, file, MAX_LINE):
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
    proposal = typed.table({name: f"all are {kind.partition('[')[0]}s" for name, kind in formats.items()}, formats)
    written: dict[str, Any] = {"ignore": list(ignored)} if ignored else {}
    for key in ("encoding", "max_field_bytes"):
        if getattr(settings, key) != getattr(DEFAULTS, key):
            written[key.replace("_", "-")] = getattr(settings, key)
    reasons = {"ignore": listed(list(ignored.values()), 3), "encoding": "byte-order mark"}
    return dataclasses.replace(
        proposal,
        settings={**written, **proposal.settings},
        reasons={**{key: reasons[key] for key in reasons if key in written}, **proposal.reasons},
    )

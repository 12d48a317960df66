"""Propose how to read Parquet and Arrow files as a table: their types are known, labels and key are in the values."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from samples import Column, parse_type, type_text
from stage.errors import CorruptFile, UsageError

from parquetizer.formats.columnar_input import CORRUPT
from parquetizer.formats.reading import read_rows
from parquetizer.formats.settings import FormatSettings
from parquetizer.inspect.proposal import Table
from parquetizer.inspect.raw_items import SEPARATE, Items
from parquetizer.inspect.typed_columns import TypedColumns
from parquetizer.raw.files import RawFile

INDEX: Final = "__index_level_0__"  # of pandas
MEDIA: Final = {"Image": "image", "Audio": "audio"}
SECONDS: Final = re.compile(r"\b(timestamp|time)\[s\b")  # which Parquet does not have


def inspect_columnar(files: Items) -> Table:
    """Propose the table that Parquet or Arrow files are.

    Raises UsageError if their columns differ, and what the readers of the formats raise.
    """
    schema, first = None, ""
    for file in files.files():
        present = _schema(file)
        if schema is not None and not schema.equals(present):
            raise UsageError(file.name, f"its columns or their types are not those of {first}", SEPARATE)
        schema, first = present, file.name
    if schema is None or not schema.names:
        raise UsageError("FROM", "no columns", "check that the source sent the whole file")
    features = _features(schema)
    texts, ignored = _types(schema, features)
    names = [name for name in texts if not (name == INDEX and len(texts) > 1)]
    if INDEX in texts and INDEX not in names:
        ignored[INDEX] = f"{INDEX} is the index of pandas"
    columns = [Column(name, texts[name]) for name in names]
    settings = FormatSettings(
        format=files.items[0].kind, ignore=tuple(ignored), null_values=("nan",), max_field_bytes=1 << 29
    )
    typed = TypedColumns(pa.schema([(column.name, parse_type(column.type)) for column in columns]))
    for file in files.files():
        for batch in read_rows(file, columns, settings):
            typed.add(batch)
    classes = {name: tuple(feature["names"]) for name, feature in features.items() if _is_classes(feature)}
    table = typed.table({name: f"{schema.field(name).type!s:.100} in the file" for name in names}, texts, classes)
    floats = [name for name in names if pa.types.is_floating(typed.facts[name].kind) and typed.facts[name].nulls]
    reasons = {"ignore": "; ".join(ignored.values()), "null-values": f"null or not a number: {', '.join(floats[:5])}"}
    return table.read_by({"ignore": list(ignored), "null-values": ["nan"] * bool(floats)}, reasons)


def _schema(file: RawFile) -> pa.Schema:
    """Return the schema of a Parquet or Arrow file. Raises CorruptFile."""
    try:
        if file.head(4) == b"PAR1":
            with file.open_seekable() as source, pq.ParquetFile(source) as parquet:
                return parquet.schema_arrow
        if file.head(6) == b"ARROW1":
            with file.open_seekable() as source, pa.ipc.open_file(source) as arrow:
                return arrow.schema
        with pa.PythonFile(file.open(), "r") as source, pa.ipc.open_stream(source) as stream:
            return stream.schema
    except CORRUPT as error:
        raise CorruptFile(file, f"damaged file: {error}", "fetch it again") from error


def _features(schema: pa.Schema) -> dict[str, Any]:
    """Return the features that Hugging Face's ``datasets`` wrote into a schema, by column."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (ValueError, LookupError, TypeError):
        return {}
    return {name: feature for name, feature in features.items() if isinstance(feature, dict) and name in schema.names}


def _is_classes(feature: Mapping[str, Any]) -> bool:
    names = feature.get("names")
    return feature.get("_type") == "ClassLabel" and isinstance(names, list) and len({*names}) == len(names) > 0


def _types(schema: pa.Schema, features: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the types of columns, and why some are ignored."""
    texts, ignored = {}, {}
    for field in schema:
        media = MEDIA.get(str(features.get(field.name, {}).get("_type")))
        try:
            text = "string" if pa.types.is_null(field.type) else media or type_text(field.type)
            texts[field.name] = SECONDS.sub(r"\1[ms", text)
            parse_type(texts[field.name])
        except ValueError:
            texts.pop(field.name, None)
            ignored[field.name] = f"{field.name} has type {field.type}, which no column can have"
    return texts, ignored

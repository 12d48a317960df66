"""Record sets of a croissant.json: how samples are read from the files of a release."""

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from registry.cards.description import Column
from registry.cards.features import data_type, is_list

SPLITS = {"train": "cr:TrainingSplit", "val": "cr:ValidationSplit", "test": "cr:TestSplit"}

Json = dict[str, Any]


def identifier(text: str) -> str:
    """Return a name as an ``@id``, which mlcroissant allows no white space in."""
    return re.sub(r"\s", "_", text)


def split_records(names: Sequence[str]) -> Json:
    """Return the list of the splits; each has a record set of its name."""
    purposes = all(name in SPLITS for name in names)
    fields = [_field("splits", "name", "name of the split, and of its record set", "sc:Text")]
    if purposes:
        fields.append(_field("splits", "url", "what it is for", "sc:URL"))
    data = [{"splits/name": name, **({"splits/url": SPLITS[name]} if purposes else {})} for name in names]
    key = {"@id": "splits/name"}
    return {**_record_set("splits", fields, "the splits"), "dataType": "cr:Split", "key": key, "data": data}


def file_records(name: str, path: str, columns: Sequence[Column]) -> Json:
    """Return the samples of a Parquet or CSV file, or of a JSON file that is an array of them."""
    if path.endswith(".json"):
        extracts = {column.name: {"jsonPath": f"$[*].{column.name}"} for column in columns}
    else:
        extracts = {column.name: {"column": column.name} for column in columns}
    fields = [
        _column(name, column, {"fileObject": {"@id": identifier(path)}}, extracts[column.name]) for column in columns
    ]
    return _record_set(name, fields, f"the samples of {path}")


def image_records(name: str, folder: str) -> Json:
    """Return the images of a folder, by their names."""
    where = {"fileSet": {"@id": identifier(folder)}}
    fields = [
        _field(name, "name", "name of the file", "sc:Text", where, {"fileProperty": "filename"}),
        _field(name, "content", "the image", "sc:ImageObject", where, {"fileProperty": "content"}),
    ]
    return _record_set(name, fields, f"the images in {folder}")


def document_records(name: str, folder: str, columns: Sequence[Column]) -> Json:
    """Return the documents in a folder: their paths below it, and their texts."""
    where = {"fileSet": {"@id": folder}}
    below = {**where, "transform": {"regex": f"^{folder}/(.*)$"}}
    read = {"name": (below, {"fileProperty": "fullpath"}), "text": (where, {"fileProperty": "content"})}
    fields = [_column(name, column, *read[column.name]) for column in columns if column.name in read]
    return _record_set(name, fields, f"the documents in {folder}")


def _record_set(name: str, fields: list[Json], description: str) -> Json:
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "description": description, "field": fields}


def _column(record: str, column: Column, where: Json, extract: Json) -> Json:
    classes = ", ".join(f"{number} {name}" for number, name in enumerate(column.classes))
    description = f"{column.description}: {classes}" if classes else column.description
    field = _field(record, column.name, description, data_type(column.type), where, extract)
    inner = column.type.value_type if is_list(column.type) else column.type
    if pa.types.is_struct(inner):
        del field["dataType"]  # its source stays: mlcroissant looks no deeper for what it has to read
        field["subField"] = [_part(f"{record}/{column.name}", part, where, extract) for part in inner]
    return {**field, "repeated": True} if is_list(column.type) else field


def _part(record: str, part: pa.Field, where: Json, extract: Json) -> Json:
    """Return a field of a struct, or of the structs in a list."""
    source = {**where, "transform": {"jsonPath": part.name}}
    return _field(record, part.name, "", data_type(part.type), source, extract)


def _field(record: str, name: str, description: str, kind: str, where: Json | None = None, extract: Any = None) -> Json:
    field: Json = {"@type": "cr:Field", "@id": identifier(f"{record}/{name}"), "name": name, "description": description}
    field["dataType"] = kind
    if where:
        field["source"] = {**where, "extract": extract}
    return {key: value for key, value in field.items() if value}

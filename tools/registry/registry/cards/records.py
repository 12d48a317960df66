"""Record sets of a croissant.json: how samples are read from the files of a release.

No field has ``references`` to its split or classes: with them, mlcroissant 1.1 yields the records of a set once, and
none the second time, without an error. Columns and parts of structs that it cannot read are left out, for one of them
makes the whole set unreadable: durations, images in structs in lists, and structs within what is in a list already.
Decimals become floats, a struct in a struct becomes a value beside it, and timestamps in lists lose their time zone.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from data_registry.samples import Column
from data_registry.samples.arrow_types import is_list, media_of

from registry.cards.features import arrow_field, data_type

SPLITS = {
    "train": "cr:TrainingSplit",
    **dict.fromkeys(("val", "validation", "dev"), "cr:ValidationSplit"),
    "test": "cr:TestSplit",
}

Json = dict[str, Any]


class Records:
    """The record sets of one croissant.json, and the ``@id``s in it."""

    def __init__(self) -> None:
        self._ids: set[str] = set()

    def new_id(self, name: str) -> str:
        """Return a unique ``@id`` made of a name, without white space, which mlcroissant does not allow."""
        new = re.sub(r"\s", "_", name)
        while new in self._ids:
            new += "_"
        self._ids.add(new)
        return new

    def splits(self, names: Sequence[str]) -> Json:
        """Return the record set of the splits; each split has a record set of its name."""
        record = self.new_id("splits")
        fields = [self._field(record, "name", "name of the split, and of its record set", "sc:Text")]
        if SPLITS.keys() & set(names):
            fields.append(self._field(record, "url", "what it is for", "sc:URL"))
        ids = [field["@id"] for field in fields]
        data = [dict(zip(ids, (name, SPLITS.get(name, "")), strict=False)) for name in names]
        splits = _record_set(record, fields, "the splits")
        return {**splits, "dataType": "cr:Split", "key": {"@id": ids[0]}, "data": data}

    def file(self, record: str, path: str, file: str, columns: Sequence[Column]) -> Json:
        """Return the samples of a Parquet or CSV file, or of a JSON file that is an array of them."""
        where, key = {"fileObject": {"@id": file}}, "jsonPath" if path.endswith(".json") else "column"
        before = "$[*]." if key == "jsonPath" else ""
        read = [column for column in columns if _is_read(arrow_field(column))]
        fields = [self._column(record, column, where, {key: f"{before}{column.name}"}) for column in read]
        left_out = ", ".join(column.name for column in columns if column not in read)
        return _record_set(record, fields, f"the samples of {path}{f', without {left_out}' * bool(left_out)}")

    def images(self, record: str, folder: str, files: str) -> Json:
        """Return the images of a folder, by their names."""
        where = {"fileSet": {"@id": files}}
        fields = [
            self._field(record, "name", "name of the file", "sc:Text", where, {"fileProperty": "filename"}),
            self._field(record, "content", "the image", "sc:ImageObject", where, {"fileProperty": "content"}),
        ]
        return _record_set(record, fields, f"the images in {folder}")

    def documents(self, record: str, folder: str, files: str, columns: Sequence[Column]) -> Json:
        """Return the documents in a folder: their paths below it, and their texts."""
        where = {"fileSet": {"@id": files}}
        below = {**where, "transform": {"regex": f"^{folder}/(.*)$"}}
        read = {"name": (below, {"fileProperty": "fullpath"}), "text": (where, {"fileProperty": "content"})}
        fields = [self._column(record, column, *read[column.name]) for column in columns if column.name in read]
        return _record_set(record, fields, f"the documents in {folder}")

    def _column(self, record: str, column: Column, where: Json, extract: Json) -> Json:
        classes = ", ".join(f"{number} {name}" for number, name in enumerate(column.classes))
        description = f"{column.description}: {classes}" if classes else column.description
        return self._nested(record, arrow_field(column), where, extract, [], description)

    def _nested(
        self, record: str, field: pa.Field, where: Json, extract: Json, path: list[str], description: str = ""
    ) -> Json:
        """Return a field of a record set or of a struct; ``path`` leads to it from the value of the column."""
        is_repeated = is_list(field.type)
        inner = field.type.value_field if is_repeated else field
        steps = [{"jsonPath": _quoted(name)} for name in [*path, *["bytes"] * bool(media_of(inner))]]
        source = {**where, **({"transform": steps if len(steps) > 1 else steps[0]} if steps else {})}
        made = self._field(record, field.name, description, data_type(field), source, extract)
        if pa.types.is_struct(inner.type) and not media_of(inner):
            del made["dataType"]
            parts = [part for part in inner.type if _is_read(part, 2 * is_repeated)]
            if path:
                del made["source"]  # that of a column stays: mlcroissant does not read those of subfields
            made["subField"] = [self._nested(made["@id"], part, where, extract, [*path, part.name]) for part in parts]
        return {**made, "repeated": True} if is_repeated else made

    def _field(
        self, record: str, name: str, description: str, kind: str, where: Json | None = None, extract: Any = None
    ) -> Json:
        field: Json = {"@type": "cr:Field", "@id": self.new_id(f"{record}/{name}"), "name": name}
        field |= {"description": description, "dataType": kind}
        if where:
            field["source"] = {**where, "extract": extract}
        return {key: value for key, value in field.items() if value}


def _record_set(record: str, fields: list[Json], description: str) -> Json:
    return {"@type": "cr:RecordSet", "@id": record, "name": record, "description": description, "field": fields}


def _is_read(field: pa.Field, lists: int = 0) -> bool:
    """Say whether mlcroissant reads a field that is within a number of lists; structs in a list count twice."""
    kind = field.type
    if is_list(kind):
        return _is_read(kind.value_field, lists + 1)
    if pa.types.is_struct(kind):
        return lists < 2 and (bool(media_of(field)) or any(_is_read(part, 2 * lists) for part in kind))
    return not pa.types.is_duration(kind)


def _quoted(name: str) -> str:
    """Return the JSONPath of a field, which mlcroissant (by jsonpath_rw) reads without quotes only of ASCII words."""
    return name if name.isascii() and name.isidentifier() and name != "where" else json.dumps(name, ensure_ascii=False)

"""Record sets of a croissant.json: how samples are read from the files of a release.

No field has ``references`` to its split or classes: with them, mlcroissant 1.1 yields the records of a set once, and
none the second time, without an error.
"""

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from data_registry.samples import Column

from registry.cards.features import arrow_type, data_type, is_list

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
        fields = [self._column(record, column, where, {key: f"{before}{column.name}"}) for column in columns]
        return _record_set(record, fields, f"the samples of {path}")

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
        kind = arrow_type(column)
        field = self._field(record, column.name, description, data_type(kind), where, extract)
        inner = kind.value_type if is_list(kind) else kind
        if pa.types.is_struct(inner):
            del field["dataType"]  # its source stays: mlcroissant does not read those of subfields
            field["subField"] = [self._part(field["@id"], part, where, extract) for part in inner]
        return {**field, "repeated": True} if is_list(kind) else field

    def _part(self, record: str, part: pa.Field, where: Json, extract: Json) -> Json:
        """Return a field of a struct, or of the structs in a list."""
        source = {**where, "transform": {"jsonPath": part.name}}
        return self._field(record, part.name, "", data_type(part.type), source, extract)

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

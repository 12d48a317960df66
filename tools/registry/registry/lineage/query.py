"""A sample to look for: by id, as a file, a row or a text; and the names that a manifest may have for it."""

import dataclasses
import hashlib
import itertools
import math
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from data_registry.samples import Manifest, UnsupportedType, digests, encode
from data_registry.samples.arrow_types import is_binary, is_file, is_list, is_string
from data_registry.stage.errors import InputMissing, UsageError
from data_registry.stage.foreign import read_bytes, read_json

from registry.lineage.row_values import arrow_value

MOST_LABELS = 1 << 12  # combinations of classes that are tried
ID = re.compile(r"[0-9a-f]{32}")


@dataclasses.dataclass(frozen=True)
class Query:
    """A sample to look for; ``kind`` is id, file, row or text."""

    kind: str
    value: Any

    @classmethod
    def parse(cls, text: str) -> "Query":
        """Read 32 hex digits, ``file:PATH``, ``row:JSON``, or any other text.

        Raises InputMissing for a missing file, UsageError for invalid JSON.
        """
        if not text:
            raise UsageError("SAMPLE", "not set", "use an id, file:PATH, row:JSON or a text")
        if ID.fullmatch(text):
            return cls("id", bytes.fromhex(text))
        if text.startswith("file:"):
            path = Path(text.removeprefix("file:"))
            if not path.is_file():
                raise InputMissing(path, "file not found", "check SAMPLE=file:PATH")
            return cls("file", read_bytes(path, path.stat().st_size, UsageError))
        if not text.startswith("row:"):
            return cls("text", text)
        fix = """write row:["text","label"]"""
        return cls("row", read_json(text.removeprefix("row:"), "SAMPLE row", (list, dict), UsageError, fix))


@dataclasses.dataclass(frozen=True)
class Names:
    """What identifies a sample in a manifest: digests of its key or content, and files that it may be.

    ``refused`` says which value of a row its column cannot have; ``needs_row`` whether it has files that it cannot be
    searched for, as its key has other columns.
    """

    keys: frozenset[bytes] = frozenset()
    contents: frozenset[bytes] = frozenset()
    files: frozenset[str] = frozenset()
    refused: str = ""
    needs_row: bool = False


def names_in(query: Query, manifest: Manifest, features: Mapping[str, Any]) -> Names:
    """Return the names of the sample in a dataset; empty where its columns do not fit.

    ``features`` are the columns in metadata.json: where the key has labels beside the text or file that is looked for,
    it is looked for with each of their classes.
    """
    keys, contents, refused, needs_row = set(), set(), "", False
    try:
        schema = manifest.schema
        key = manifest.key or schema.names
        candidates = list(_rows(query, schema, key, features))
        for row in candidates:
            fields = pa.schema([schema.field(name) for name in row])
            sample = pa.record_batch([pa.array([row[field.name]], field.type) for field in fields], schema=fields)
            if set(schema.names) <= set(row):
                contents.add(digests(encode(sample.select(schema.names)))[0].tobytes())
            keys.add(digests(encode(sample.select(key)))[0].tobytes())
        is_searched = any(_has_files(schema.field(name).type) for row in candidates for name in row)
        needs_row = query.kind == "file" and not is_searched and any(map(_has_files, schema.types))
    except (ValueError, UnsupportedType) as error:  # a value or a type of a column
        refused = str(error)
    sha256 = hashlib.sha256(query.value).hexdigest() if query.kind == "file" else ""
    files = frozenset(name for name, digest in manifest.files.items() if digest == sha256)
    return Names(frozenset(keys), frozenset(contents), files, refused, needs_row)


def _rows(query: Query, schema: pa.Schema, key: list[str], features: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the sample as rows of a dataset's columns, or of its key alone. Raises ValueError for an invalid value."""
    if query.kind == "row":
        given = query.value
        if isinstance(given, list):
            columns = next((names for names in (schema.names, key) if len(names) == len(given)), [])
            given = dict(zip(columns, given, strict=False))
        if set(key) <= set(given) <= set(schema.names):
            yield {name: arrow_value(value, schema.field(name).type, name) for name, value in given.items()}
        return
    known = {name: values for name in key if (values := _values(query, schema.field(name).type))}
    for name, values in known.items():
        labels = [_classes(features.get(other, {})) for other in key if other != name]
        if 0 < math.prod(map(len, labels)) <= MOST_LABELS:
            for value in values:
                for others in map(iter, itertools.product(*labels)):
                    yield {other: value if other == name else next(others) for other in key}


def _values(query: Query, kind: pa.DataType) -> Collection[Any]:
    """Return what a text or the content of a file may be in a column of a type."""
    if query.kind == "text":
        return [query.value] if is_string(kind) else []
    if query.kind != "file":
        return []
    if is_string(kind):
        text = query.value.decode(errors="replace")
        return dict.fromkeys([text, text.removesuffix("\n")])
    return [query.value] if is_binary(kind) else [{"bytes": query.value}] if is_file(kind) else []


def _classes(feature: Mapping[str, Any]) -> list[Any]:
    """Return the values of a label, and null; none for another column."""
    classes = feature.get("classes", ())
    values = map(int, classes) if isinstance(classes, Mapping) else classes
    return [*values, None] if classes else []


def _has_files(kind: pa.DataType) -> bool:
    return is_binary(kind) or is_file(kind) or (is_list(kind) and _has_files(kind.value_type))

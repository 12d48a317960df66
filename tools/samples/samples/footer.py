"""The footer of a manifest: the columns of the samples, their key, and the SHA-256 of the files."""

import base64
import dataclasses
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from .arrow_types import MAX_NESTING, MAX_TYPE, parse_type, storage_type
from .huggingface import KEY

META = b"data-registry"
PLAIN = "null", "bool", "halffloat", "float", "double", "string", "large_string", "binary", "large_binary"


@dataclasses.dataclass(frozen=True)
class Manifest:
    """The footer of a manifest. Without ``arrow``, the texts of the types say all of them."""

    path: Path
    rows: int
    columns: list[list[str]]  # [name, Arrow type]
    key: list[str]
    files: dict[str, str]
    arrow: pa.Schema | None = None

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the samples. Raises ValueError for a type that is unknown."""
        return self.arrow or pa.schema([(name, parse_type(kind)) for name, kind in self.columns])


def footer_text(schema: pa.Schema, key: Sequence[str], files: Mapping[str, str]) -> str:
    """Return the footer of a manifest, as JSON."""
    footer = {
        "columns": [[field.name, str(field.type)] for field in schema],
        "key": list(key),
        "files": dict(sorted(files.items())),
    }
    if KEY.encode() in (schema.metadata or {}) or not all(_is_plain(field.type) for field in schema):
        footer["schema"] = base64.b64encode(schema.serialize()).decode()
    return json.dumps(footer, ensure_ascii=False)


def parse_footer(text: bytes, path: Path, rows: int) -> Manifest | None:
    """Return the manifest that a footer describes, if it is one. Raises ValueError for an invalid schema in it."""
    footer = json.loads(text)
    match footer:
        case {"columns": [*columns], "key": [*key], "files": dict(files)} if _is_valid(columns, key, files):
            arrow = _schema(footer["schema"], columns) if "schema" in footer else None
            return Manifest(path, rows, columns, key, files, arrow)
    return None


def _is_plain(kind: pa.DataType) -> bool:
    """Say whether the text of a type was enough from the beginning, when the footer had no schema."""
    fields = [kind.field(number) for number in range(kind.num_fields)]
    if storage_type(kind) != kind or any(": " in field.name or ", " in field.name for field in fields):
        return False
    if pa.types.is_struct(kind) or str(kind).startswith(("list<", "large_list<", "fixed_size_list<")):
        return all(_is_plain(field.type) for field in fields)
    return pa.types.is_integer(kind) or pa.types.is_fixed_size_binary(kind) or str(kind) in PLAIN


def _schema(text: Any, columns: list[list[str]]) -> pa.Schema:
    """Return a serialized schema. Raises ValueError unless it has the columns of the footer."""
    if not isinstance(text, str):
        raise ValueError("invalid schema in the footer")
    schema = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text, validate=True)))
    if schema.names != [name for name, _ in columns] or not all(
        str(field.type) == kind or parse_type(kind) == field.type
        for field, (_, kind) in zip(schema, columns, strict=True)
    ):
        raise ValueError("the schema in the footer does not have the columns of the footer")
    return schema


def _is_valid(columns: list[Any], key: list[Any], files: dict[str, Any]) -> bool:
    """Say whether columns are pairs of strings, the key consists of columns, and files have hashes."""
    if not all(isinstance(pair, list) and len(pair) == 2 and _are_strings(*pair) for pair in columns):
        return False
    names = [name for name, _ in columns]
    valid = _are_strings(*key, *files.values()) and len(set(names)) == len(names) and set(key) <= set(names)
    return valid and all(len(kind) <= MAX_TYPE and _is_shallow(kind) for _, kind in columns)


def _is_shallow(kind: str) -> bool:
    depths = itertools.accumulate((character == "<") - (character == ">") for character in kind)
    return max(depths, default=0) <= MAX_NESTING


def _are_strings(*values: Any) -> bool:
    return all(isinstance(value, str) and _is_utf8(value) for value in values)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which JSON allows
        return False
    return True

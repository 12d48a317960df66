"""Arrow types from their text, as the footers of manifests have them: ``list<item: struct<from: string>>``."""

import re

import pyarrow as pa

from data_registry.samples import Manifest
from data_registry.stage.errors import CorruptFile

NESTED = re.compile(r"(list|large_list|fixed_size_list|struct)<(.*)>(?:\[(\d+)\])?", re.DOTALL)
MAX_NESTING = 32
FIXED = re.compile(r"fixed_size_binary\[(\d+)\]")


def parse_type(text: str) -> pa.DataType:
    """Return the type that a text names. Raises ValueError for one that is none, or that no sample can have."""
    if text.count("<") > MAX_NESTING:
        raise ValueError(f"a type nested deeper than {MAX_NESTING} levels: {text:.40}…")
    try:
        return _parsed(text)
    except (LookupError, OverflowError, TypeError, pa.ArrowException) as error:
        raise ValueError(f"unknown type {text!r:.200}") from error


def _parsed(text: str) -> pa.DataType:
    if found := FIXED.fullmatch(text):
        return pa.binary(int(found[1]))
    found = NESTED.fullmatch(text.removesuffix(" not null"))
    if not found:
        try:
            return pa.type_for_alias(text.removesuffix(" not null"))
        except (ValueError, KeyError) as error:
            raise ValueError(f"unknown type {text!r:.200}") from error
    fields = [pa.field(name, _parsed(kind)) for name, kind in (each.split(": ", 1) for each in _parts(found[2]))]
    if found[1] == "struct":
        return pa.struct(fields)
    if found[1] == "fixed_size_list":
        return pa.list_(fields[0], int(found[3]))
    return pa.large_list(fields[0]) if found[1] == "large_list" else pa.list_(fields[0])


def declared_schema(manifest: Manifest) -> pa.Schema:
    """Return the columns that a manifest declares. Raises CorruptFile for a type that is unknown."""
    try:
        return pa.schema([(name, parse_type(kind)) for name, kind in manifest.columns])
    except ValueError as error:
        raise CorruptFile(manifest.path, f"invalid: {error}", "build and release it again") from error


def same_type(one: str, other: str) -> bool:
    """Say whether two texts name the same type, whatever the items of lists are called."""
    if one == other:
        return True
    try:
        return bool(parse_type(one) == parse_type(other))
    except ValueError:
        return False


def _parts(text: str) -> list[str]:
    """Split the fields of a type at the commas that are between them."""
    parts, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character == "<") - (character == ">")
        if not depth and text.startswith(", ", place):
            parts.append(text[start:place])
            start = place + 2
    return [part for part in [*parts, text[start:]] if part]

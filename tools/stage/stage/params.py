"""Read settings: one section of a ``params.yaml``, checked against a frozen dataclass."""

import dataclasses
import reprlib
import types
import typing
from pathlib import Path
from typing import Any, TypeVar

from .errors import UsageError
from .foreign import read_bytes, read_yaml

T = TypeVar("T")
NAMES = {"str": "a string", "int": "an integer", "float": "a number", "bool": "true or false", "tuple": "a list"}


def section(path: Path, name: str) -> dict[str, Any]:
    """Return the section ``name`` of a YAML file; an absent section is empty.

    Raises UsageError if the file is not a mapping of mappings.
    """
    document = read_yaml(read_bytes(path, error=UsageError), path, error=UsageError, fix="correct the file")
    document = {} if document is None else document
    value = document.get(name, {}) if isinstance(document, dict) else None
    if not isinstance(value, dict):
        fix = f"write {name}: followed by indented keys"
        raise UsageError(path, f"invalid section {name}: expected a mapping", fix)
    return value


def build(kind: type[T], values: dict[str, Any], where: str) -> T:
    """Build the dataclass ``kind`` from a mapping; dashes in keys become underscores.

    Raises UsageError for an unknown or missing key and for a value of the wrong type.
    """
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # T is a dataclass
    given = {str(key).replace("-", "_"): value for key, value in values.items()}
    if unknown := sorted(set(given) - set(fields)):
        known = ", ".join(name.replace("_", "-") for name in fields)
        raise UsageError(where, f"unknown key {unknown[0].replace('_', '-')}", f"use one of: {known}")
    for name, field in fields.items():
        if name not in given and field.default is field.default_factory is dataclasses.MISSING:
            raise UsageError(where, f"{name.replace('_', '-')} is missing", f"add {name.replace('_', '-')}:")
    places = {name: f"{where}.{name.replace('_', '-')}" for name in given}
    return kind(**{name: _cast(hints[name], value, places[name]) for name, value in given.items()})


def _not_a_string(value: Any, where: str) -> UsageError:
    """Return the error for what YAML does not read as a string: no, null, 1_000, 2001-01-01."""
    if value is None:
        return UsageError(where, "expected a string, got null", "write a string, and null or ~ in quotes")
    kinds = {bool: "no, off, false, yes, on and true as booleans"}
    what = kinds.get(type(value), "it as a number" if isinstance(value, int | float) else "it as a date")
    return UsageError(where, f"expected a string, got {reprlib.repr(value)}", f"quote it: YAML reads {what}")


def _cast(hint: Any, value: Any, where: str) -> Any:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is types.UnionType:
        return _cast(next(option for option in arguments if option is not type(None)), value, where)
    if dataclasses.is_dataclass(hint) and isinstance(value, dict):
        return build(typing.cast(type, hint), value, where)
    if origin is tuple and isinstance(value, list):
        return tuple(_cast(arguments[0], item, f"{where}[{index}]") for index, item in enumerate(value))
    if origin is dict and isinstance(value, dict):
        if others := [key for key in value if not isinstance(key, str)]:
            raise _not_a_string(others[0], where)
        return {str(key): _cast(arguments[1], item, f"{where}.{key}") for key, item in value.items()}
    if hint is float and type(value) is int:
        return float(value)
    if hint is Any or (hint in (str, int, float, bool) and type(value) is hint):
        return value
    if hint is str and not isinstance(value, list | dict):
        raise _not_a_string(value, where)
    expected = NAMES.get(getattr(origin or hint, "__name__", ""), "a mapping")
    got = "null" if value is None else reprlib.repr(value)
    raise UsageError(where, f"expected {expected}, got {got}", f"write {expected}")

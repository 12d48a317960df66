"""The values of JSON by the types of columns: how a value of each type may be written."""

import dataclasses
import math
import re
import reprlib
from collections.abc import Callable
from typing import Any, Final

import pyarrow as pa
from samples.arrow_types import type_text

from parquetizer.formats.text_values import parse_text

Converter = Callable[[Any, str], Any]  # of a value, and its path for errors
LONGEST_NUMBER: Final = 400  # characters that are converted
INTEGER: Final = re.compile("-?[0-9]+")
FRACTION: Final = re.compile(r"\.0+$")


class Number(str):
    """A number as it is written."""

    __slots__ = ()


class UnknownField(ValueError):
    """A field of an object that its struct does not have."""


@dataclasses.dataclass(frozen=True)
class JsonStyle:
    """What is accepted: strings of up to ``max_string`` bytes, integers written 1.0, and integers as strings."""

    max_string: int
    lenient_integers: bool = False
    integers_as_strings: bool = False


def converter(kind: pa.DataType, style: JsonStyle) -> Converter:
    """Return a function that makes a value of JSON one for Arrow, of the ``carrier`` of a type.

    The function raises ValueError for a value of another type.
    """
    if pa.types.is_list(kind):
        item = converter(kind.value_type, style)
        return _nullable(lambda value, path: _list(value, path, item, kind))
    if pa.types.is_struct(kind):
        fields = {field.name: converter(field.type, style) for field in kind}
        return _nullable(lambda value, path: _struct(value, path, fields, kind))
    if pa.types.is_boolean(kind):
        return _nullable(lambda value, path: value if isinstance(value, bool) else _refuse(value, path, kind))
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _nullable(lambda value, path: _number(value, path, kind, style))
    return _nullable(lambda value, path: _text(value, path, kind, style))


def carrier(kind: pa.DataType) -> pa.DataType:
    """Return the type as which a column is read: what JSON has no type for is text."""
    if pa.types.is_list(kind):
        return pa.list_(kind.value_field.with_type(carrier(kind.value_type)))
    if pa.types.is_struct(kind):
        return pa.struct([field.with_type(carrier(field.type)) for field in kind])
    is_json = pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return kind if is_json else pa.string()


def from_carrier(column: pa.Array, kind: pa.DataType, format: str = "") -> pa.Array:
    """Return a column that was read as its carrier as its type. Raises ArrowInvalid for a text of another type."""
    if column.type == kind:
        return column
    if pa.types.is_list(kind):
        items = from_carrier(column.values, kind.value_type)
        return pa.ListArray.from_arrays(column.offsets, items, kind, mask=column.is_null())
    if pa.types.is_struct(kind):
        parts = [from_carrier(column.field(number), field.type) for number, field in enumerate(kind)]
        return pa.StructArray.from_arrays(parts, fields=[*kind], mask=column.is_null())
    return parse_text(column, kind, format)


def _nullable(convert: Converter) -> Converter:
    return lambda value, path: None if value is None else convert(value, path)


def _refuse(value: Any, path: str, kind: pa.DataType) -> Any:
    shown = value if isinstance(value, Number) else reprlib.repr(value)
    raise ValueError(f"{path}: expected {type_text(kind)}, got {shown:.80}")


def _list(value: Any, path: str, item: Converter, kind: pa.DataType) -> Any:
    return [item(part, f"{path}[]") for part in value] if isinstance(value, list) else _refuse(value, path, kind)


def _struct(value: Any, path: str, fields: dict[str, Converter], kind: pa.DataType) -> Any:
    if not isinstance(value, dict):
        return _refuse(value, path, kind)
    if unknown := sorted(value.keys() - fields.keys()):
        raise UnknownField(f"{path}: unknown field {unknown[0]!r:.80}")
    return {name: convert(value.get(name), f"{path}.{name}") for name, convert in fields.items()}


def _text(value: Any, path: str, kind: pa.DataType, style: JsonStyle) -> Any:
    """Return the text of a string, or of what JSON has no type for; decimals and durations may be numbers."""
    if isinstance(value, Number) and len(value) < LONGEST_NUMBER:
        if pa.types.is_decimal(kind) or pa.types.is_duration(kind):
            return str(value)
        if style.integers_as_strings and INTEGER.fullmatch(value):
            return str(int(value))
    if type(value) is not str:
        return _refuse(value, path, kind)
    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise ValueError(f"{path} contains a lone surrogate") from error
    if "\0" in value:
        raise ValueError(f"{path} contains a NUL character")
    if size > style.max_string:
        raise ValueError(f"{path} is longer than {style.max_string} bytes")
    return value


def _number(value: Any, path: str, kind: pa.DataType, style: JsonStyle) -> Any:
    """Return the scalar that Arrow makes of a number."""
    if not isinstance(value, Number) or len(value) > LONGEST_NUMBER:
        return _refuse(value, path, kind)
    text = str(value)
    if style.lenient_integers and pa.types.is_integer(kind):
        text = FRACTION.sub("", text)
    try:
        scalar = pa.scalar(text).cast(kind)
    except pa.ArrowInvalid:
        return _refuse(value, path, kind)
    return _refuse(value, path, kind) if abs(scalar.as_py()) == math.inf else scalar

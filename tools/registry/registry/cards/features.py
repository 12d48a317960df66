"""Types of columns in the terms of Hugging Face datasets and Croissant."""

from typing import Any

import pyarrow as pa
from data_registry.samples import Column, parse_type

# Types that datasets names differently than Arrow does.
NAMES = {"halffloat": "float16", "float": "float32", "double": "float64", "date32[day]": "date32"}


def arrow_type(column: Column) -> pa.DataType:
    """Return the Arrow type of a column; of images that are ``jpeg``, that of the names of their files."""
    if column.shape:
        return column.arrow
    try:
        return parse_type(column.type)
    except ValueError:
        return pa.string()


def feature(column: Column) -> dict[str, Any]:
    """Return a column for ``dataset_info`` of a card: ``datasets.Features`` in the simplified form of cards.

    An integer with named classes becomes a ``class_label``.
    """
    if column.classes:
        names = {str(number): name for number, name in enumerate(column.classes)}
        return {"name": column.name, "dtype": {"class_label": {"names": names}}}
    return {"name": column.name, **_shape(arrow_type(column))}


def _shape(kind: pa.DataType) -> dict[str, Any]:
    if is_list(kind):
        inner = _shape(kind.value_type)
        only = {"dtype", "struct"} & inner.keys() if len(inner) == 1 else set()
        shape: dict[str, Any] = {"list": inner[only.pop()] if only else inner}
        return {**shape, "length": kind.list_size} if pa.types.is_fixed_size_list(kind) else shape
    if pa.types.is_struct(kind):
        return {"struct": [{"name": field.name, **_shape(field.type)} for field in kind]}
    return {"dtype": NAMES.get(str(kind), str(kind))}


def data_type(kind: pa.DataType) -> str:
    """Return the Croissant data type of a column, of the innermost values for lists."""
    while is_list(kind):
        kind = kind.value_type
    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"


def is_list(kind: pa.DataType) -> bool:
    """Say whether a type is a list, of fixed length or not."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))

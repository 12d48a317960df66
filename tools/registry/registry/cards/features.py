"""Types of columns in the terms of Hugging Face datasets and Croissant."""

from typing import Any

import pyarrow as pa
from data_registry.samples import Column
from data_registry.samples.arrow_types import is_list, media_field, media_of
from data_registry.samples.huggingface import NAMES

DATA_TYPES = (
    (pa.types.is_boolean, "sc:Boolean"),
    (pa.types.is_integer, "sc:Integer"),
    (pa.types.is_floating, "sc:Float"),
    (pa.types.is_decimal, "sc:Float"),  # mlcroissant gives a float: it has no type for decimals
    (pa.types.is_timestamp, "sc:DateTime"),
    (pa.types.is_date, "sc:Date"),
    (pa.types.is_time, "sc:Time"),
)
MEDIA = {"image": "sc:ImageObject", "audio": "sc:AudioObject"}


def arrow_field(column: Column) -> pa.Field:
    """Return a column as a field that knows images and audio; images that are ``jpeg`` are the names of their files."""
    try:
        return media_field(column.name, column.arrow, column.type)
    except ValueError:
        return pa.field(column.name, pa.string())


def feature(column: Column) -> dict[str, Any]:
    """Return a column for ``dataset_info`` of a card: ``datasets.Features`` in the simplified form of cards.

    An integer with named classes becomes a ``class_label``.
    """
    if column.classes:
        names = {str(number): name for number, name in enumerate(column.classes)}
        return {"name": column.name, "dtype": {"class_label": {"names": names}}}
    return {"name": column.name, **_shape(arrow_field(column))}


def _shape(field: pa.Field) -> dict[str, Any]:
    kind = field.type
    if media := media_of(field):
        return {"dtype": media}
    if is_list(kind):
        inner = _shape(kind.value_field)
        only = {"dtype", "struct"} & inner.keys() if len(inner) == 1 else set()
        shape: dict[str, Any] = {"list": inner[only.pop()] if only else inner}
        return {**shape, "length": kind.list_size} if pa.types.is_fixed_size_list(kind) else shape
    if pa.types.is_struct(kind):
        return {"struct": [{"name": part.name, **_shape(part)} for part in kind]}
    return {"dtype": "float16" if pa.types.is_float16(kind) else NAMES.get(str(kind), str(kind))}


def data_type(field: pa.Field) -> str:
    """Return the Croissant data type of a field, of the innermost values for lists."""
    while is_list(field.type):
        field = field.type.value_field
    if media := media_of(field):
        return MEDIA[media]
    return next((name for is_kind, name in DATA_TYPES if is_kind(field.type)), "sc:Text")

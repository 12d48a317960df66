"""Types of columns: lists of lists, as images and vectors are, and numbers."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc


def is_list(kind: pa.DataType) -> bool:
    """Say whether a type is a list of some sort."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def innermost(kind: pa.DataType) -> pa.DataType:
    """Return what lists of lists are of."""
    return innermost(kind.value_type) if is_list(kind) else kind


def is_image(kind: pa.DataType) -> bool:
    """Say whether a type is that of images: lines of bytes, or lines of colours of bytes."""
    return is_list(kind) and is_list(kind.value_type) and bool(pa.types.is_uint8(innermost(kind)))


def is_number(kind: pa.DataType) -> bool:
    """Say whether a type is that of single numbers, or of truth values."""
    is_one = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return bool(is_one or pa.types.is_decimal(kind) or pa.types.is_boolean(kind))


def flat(column: pa.Array) -> pa.Array:
    """Return what lists of lists hold."""
    return flat(column.flatten()) if is_list(column.type) else column


def dimensions(values: pa.Array) -> list[int]:
    """Return the lengths of an array and of the lists in it; empty where one is not as long as another, or missing."""
    found = [len(values)]
    while is_list(values.type):
        lengths: list[Any] = pc.unique(pc.list_value_length(values)).to_pylist()
        if len(lengths) != 1 or lengths[0] is None:
            return []
        found.append(lengths[0])
        values = values.flatten()
    return found

"""The columns of a dataset, as declared in ``dataset.columns`` of its params.yaml."""

import dataclasses
import re
import zoneinfo
from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from .arrow_types import MAX_NESTING, UnknownType, media_field, parse_type, type_text
from .huggingface import feature_of, has_media, metadata_of

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
SCALARS = ("string", "bool", *INTEGERS, "float32", "float64")
OTHERS = ("binary", "date", "timestamp[us]", "timestamp[us, UTC]", "time[us]", "duration[us]", "decimal(10, 2)")
TYPES = (*SCALARS, *OTHERS, "list<string>", "struct<name: string>", "image", "audio")  # one of each kind
OFFSET = re.compile(r"[+-]\d\d:\d\d")


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a dataset.

    ``type`` is a text that ``parse_type`` reads. ``shape`` makes its values nested lists, ``classes`` are the names of
    a label's values, ``format`` is the strptime format of a date, time or timestamp in raw text.
    """

    name: str
    type: str
    description: str = ""
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    format: str = ""

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type, a list per dimension of the shape. Raises ValueError for an unknown type."""
        kind = parse_type(self.type)
        for _ in self.shape:
            kind = pa.list_(kind)
        return kind


def schema_of(columns: Iterable[Column]) -> pa.Schema:
    """Return the Arrow schema of columns, in their order. Raises ValueError for an unknown type.

    With a column of images or audio, its metadata has the features by which Hugging Face's ``datasets`` reads them.
    """
    columns = list(columns)
    fields = [media_field(column.name, column.arrow, column.type) for column in columns]
    features = {field.name: feature_of(field) for field in fields if has_media(field)}
    if features:
        features |= {column.name: _class_label(column) for column in columns if _is_class_label(column)}
    schema = pa.schema([(field.name, field.type) for field in fields])
    return schema.with_metadata(metadata_of(features)) if features else schema


def check_columns(columns: Iterable[Column]) -> None:
    """Raise ValueError for a duplicate column or class, an unsupported type, an invalid shape or format."""
    names: set[str] = set()
    for column in columns:
        if column.name in names:
            raise ValueError(f"duplicate column {column.name}")
        names.add(column.name)
        _check_type(column)
        if not all(0 < size < 1 << 31 for size in column.shape) or len(column.shape) > MAX_NESTING:
            raise ValueError(f"invalid shape of column {column.name}: {list(column.shape)}")
        if len(set(column.classes)) < len(column.classes):
            raise ValueError(f"duplicate class in column {column.name}")
        kind = parse_type(column.type)
        if (column.shape or column.classes) and not _is_scalar(kind):
            raise ValueError(f"column {column.name} of type {column.type:.200} cannot have a shape or classes")
        if column.format and not (pa.types.is_date(kind) or pa.types.is_time(kind) or pa.types.is_timestamp(kind)):
            raise ValueError(f"column {column.name} of type {column.type:.200} cannot have a format")


def _check_type(column: Column) -> None:
    try:
        kind = parse_type(column.type)
        plain = type_text(kind)
    except UnknownType as error:
        expected = f"expected one of {', '.join(TYPES)}"
        raise ValueError(f"unknown type {column.type:.200} of column {column.name}; {expected}") from error
    except ValueError as error:
        raise ValueError(f"column {column.name}: {error}") from error
    if not parse_type(plain).equals(kind):
        raise ValueError(f"unsupported type {column.type:.200} of column {column.name}; expected {plain:.200}")
    _check_leaves(kind, column.name)


def _check_leaves(kind: pa.DataType, name: str) -> None:
    """Raise ValueError for a field that a struct has twice, or an unknown time zone."""
    fields = [kind.field(number) for number in range(kind.num_fields)]
    if len({field.name for field in fields}) < len(fields):
        raise ValueError(f"duplicate field in a struct of column {name}")
    for field in fields:
        _check_leaves(field.type, name)
    if pa.types.is_timestamp(kind) and kind.tz not in (None, "UTC") and not OFFSET.fullmatch(kind.tz):
        try:
            zoneinfo.ZoneInfo(kind.tz)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"unknown time zone {kind.tz} of column {name}") from error


def _is_scalar(kind: pa.DataType) -> bool:
    return any(kind.equals(parse_type(name)) for name in SCALARS)


def _is_class_label(column: Column) -> bool:
    """Say whether a column has the type of ``datasets.ClassLabel``."""
    return bool(column.classes) and not column.shape and column.arrow == pa.int64()


def _class_label(column: Column) -> dict[str, Any]:
    return {"names": list(column.classes), "_type": "ClassLabel"}

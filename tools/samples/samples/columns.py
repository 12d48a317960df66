"""The columns of a dataset, as declared in ``dataset.columns`` of its params.yaml."""

import dataclasses
from collections.abc import Iterable

import pyarrow as pa

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
TYPES = ("string", "bool", *INTEGERS, "float32", "float64")


@dataclasses.dataclass(frozen=True)
class Column:
    """A column: ``shape`` makes its values nested lists, ``classes`` are the names of a label's values."""

    name: str
    type: str
    description: str = ""
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type, a list per dimension of the shape. Raises ValueError for an unknown type."""
        kind = pa.type_for_alias(self.type)
        for _ in self.shape:
            kind = pa.list_(kind)
        return kind


def schema_of(columns: Iterable[Column]) -> pa.Schema:
    """Return the Arrow schema of columns, in their order. Raises ValueError for an unknown type."""
    return pa.schema([(column.name, column.arrow) for column in columns])


def check_columns(columns: Iterable[Column]) -> None:
    """Raise ValueError for a duplicate column or class, an unsupported type or an invalid shape."""
    names: set[str] = set()
    for column in columns:
        if column.name in names:
            raise ValueError(f"duplicate column {column.name}")
        if column.type not in TYPES:
            raise ValueError(f"unknown type {column.type} of column {column.name}; expected one of {', '.join(TYPES)}")
        if not all(0 < size < 1 << 31 for size in column.shape):
            raise ValueError(f"invalid shape of column {column.name}: {list(column.shape)}")
        if len(set(column.classes)) < len(column.classes):
            raise ValueError(f"duplicate class in column {column.name}")
        names.add(column.name)

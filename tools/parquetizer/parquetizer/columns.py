"""What params.yaml says of the columns of a processed data set, in ``dataset.columns``."""

import dataclasses
from pathlib import Path

import pyarrow as pa
from stage import params
from stage.errors import UsageError
from stage.redaction import listed

TYPES = {
    "string": pa.string(),
    "bool": pa.bool_(),
    **{name: pa.type_for_alias(name) for name in ("int8", "int16", "int32", "int64")},
    **{name: pa.type_for_alias(name) for name in ("uint8", "uint16", "uint32", "uint64")},
    **{name: pa.type_for_alias(name) for name in ("float32", "float64")},
}


@dataclasses.dataclass(frozen=True)
class Column:
    """A column, in the place it has in the file.

    ``shape`` makes its values lists of lists, ``classes`` are the names of a label's values.
    """

    name: str
    type: str
    description: str = ""
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()

    @property
    def arrow(self) -> pa.DataType:
        """The Arrow type: the innermost dimension is the innermost list."""
        kind = TYPES[self.type]
        for _ in self.shape:
            kind = pa.list_(kind)
        return kind


def read_columns(path: Path) -> tuple[Column, ...]:
    """Read ``dataset.columns`` of a params file. Raises UsageError where it does not describe columns."""
    where = f"{path} dataset.columns"
    if "columns" in params.section(path, "parquetizer"):
        raise UsageError(f"{path} parquetizer", "unknown key columns", "declare them in dataset.columns")
    given = params.section(path, "dataset").get("columns")
    if not given or not isinstance(given, list) or not all(isinstance(each, dict) for each in given):
        raise UsageError(where, "no columns", "list the columns, each with name and type")
    columns = tuple(params.build(Column, each, f"{where}[{index}]") for index, each in enumerate(given))
    for column in columns:
        if column.type not in TYPES:
            raise UsageError(
                where, f"column {column.name} has unknown type {column.type}", f"use one of: {', '.join(TYPES)}"
            )
        if not all(0 < size < 1 << 31 for size in column.shape):
            raise UsageError(where, f"column {column.name} has a shape that no array has", "correct its shape")
        if len(set(column.classes)) < len(column.classes):
            raise UsageError(where, f"column {column.name} has a class twice", "name each class once")
    if len({column.name for column in columns}) < len(columns):
        raise UsageError(where, "two columns have the same name", "name each column once in dataset.columns")
    return columns


def check_key(key: tuple[str, ...], names: list[str], where: str) -> None:
    """Raise UsageError unless the columns that identify a sample are among ``names``."""
    for name in key:
        if name not in names:
            raise UsageError(f"{where} key", f"{name!s:.80} is no column", f"use one of: {listed(names)}")

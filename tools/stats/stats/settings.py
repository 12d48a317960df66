"""The sections ``dataset`` and ``stats`` of params.yaml."""

import dataclasses

import pyarrow as pa
from stage.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the processed data; with ``shape`` its values are arrays, ``classes`` names the values of a label."""

    name: str
    type: str
    description: str = ""
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()

    def arrow(self) -> pa.DataType:
        """Return the Arrow type. Raises UsageError for an unknown type."""
        try:
            kind = pa.type_for_alias(self.type)
        except ValueError as error:
            raise UsageError("dataset.columns", str(error), "correct the type") from error
        for _ in self.shape:
            kind = pa.list_(kind)
        return kind


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The section ``dataset``: description and columns."""

    name: str
    title: str
    description: str
    source: str
    licence: str
    columns: tuple[Column, ...] = ()
    file: str = ""
    format: str = ""
    citation: str = ""
    target: str | None = None  # "" is a valid column name in CSV
    target_range: tuple[float, ...] = ()

    def schema(self) -> pa.Schema:
        """Return the Arrow schema of the columns. Raises UsageError for an unknown type."""
        return pa.schema([(column.name, column.arrow()) for column in self.columns])


@dataclasses.dataclass(frozen=True)
class TableStats:
    """The section ``stats`` of a table: the columns to count by value."""

    distributions: tuple[str, ...] = ()

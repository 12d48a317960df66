"""What params.yaml says of a data set and of the figures wanted."""

import dataclasses

import pyarrow as pa
from stage.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the processed data; ``shape`` makes its values arrays, ``classes`` name a label's values."""

    name: str
    type: str
    description: str = ""
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()

    def arrow(self) -> pa.DataType:
        """Return the Arrow type. Raises UsageError for a type that there is none of."""
        try:
            kind = pa.type_for_alias(self.type)
        except ValueError as error:
            raise UsageError("dataset.columns", str(error), "correct the type") from error
        for _ in self.shape:
            kind = pa.list_(kind)
        return kind


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The section ``dataset``: what the data set is."""

    name: str
    title: str
    description: str
    source: str
    licence: str
    columns: tuple[Column, ...] = ()
    file: str = ""
    format: str = ""
    citation: str = ""
    target: str | None = None  # "" is a name that a column of a CSV file can have
    target_range: tuple[float, ...] = ()

    def schema(self) -> pa.Schema:
        """Return the columns as Arrow has them. Raises UsageError for a type that there is none of."""
        return pa.schema([(column.name, column.arrow()) for column in self.columns])


@dataclasses.dataclass(frozen=True)
class TableStats:
    """The section ``stats`` for a table: the columns whose values are counted one by one."""

    distributions: tuple[str, ...] = ()

"""The sections ``dataset`` and ``stats`` of params.yaml."""

import dataclasses

import pyarrow as pa
from samples import Column, schema_of
from stage.errors import UsageError


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
        try:
            return schema_of(self.columns)
        except ValueError as error:
            raise UsageError("dataset.columns", str(error), "correct the type") from error


@dataclasses.dataclass(frozen=True)
class TableStats:
    """The section ``stats`` of a table: the columns to count by value."""

    distributions: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class SplitRules:
    """What the section ``parquetizer`` says of splits: their shares, and columns whose values must not be in two."""

    splits: dict[str, float] = dataclasses.field(default_factory=dict)
    group: tuple[str, ...] = ()

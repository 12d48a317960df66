"""What params.yaml says of a data set and of the figures wanted."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the processed table."""

    name: str
    type: str
    description: str = ""


@dataclasses.dataclass(frozen=True)
class Dataset:
    """The section ``dataset``: what the data set is."""

    name: str
    title: str
    description: str
    source: str
    licence: str
    file: str
    columns: tuple[Column, ...]
    citation: str = ""
    target: str = ""
    target_range: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class TableStats:
    """The section ``stats`` for a table: the columns whose values are counted one by one."""

    distributions: tuple[str, ...] = ()

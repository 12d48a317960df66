"""Settings for a table: its raw files, their format, and its columns."""

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
from samples import Column, schema_of
from stage import params
from stage.errors import UsageError
from stage.redaction import listed

from parquetizer.columns import check_key, read_columns
from parquetizer.formats.settings import FormatSettings
from parquetizer.split_settings import SplitSettings


@dataclasses.dataclass(frozen=True)
class Input:
    """A raw file, or members of an archive, the constant values of columns they do not have, and their official split.

    ``file`` and ``members`` may be patterns.
    """

    file: str
    constants: dict[str, Any] = dataclasses.field(default_factory=dict)
    members: str = ""
    split: str | None = None


@dataclasses.dataclass(frozen=True)
class TableSettings(FormatSettings, SplitSettings):
    """The raw files of a table in order, their format, the columns of the table, and its splits if it has some."""

    inputs: tuple[Input, ...]
    columns: tuple[Column, ...]

    @classmethod
    def read(cls, path: Path) -> "TableSettings":
        """Read the sections ``parquetizer`` and ``dataset`` of a params file.

        Raises UsageError unless they describe a table.
        """
        values = {**params.section(path, "parquetizer"), "columns": []}
        settings = dataclasses.replace(params.build(cls, values, f"{path} parquetizer"), columns=read_columns(path))
        settings._check(str(path))
        return settings

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the processed table."""
        return schema_of(self.columns)

    @property
    def official(self) -> list[str | None]:
        """The official split of each input."""
        return [source.split for source in self.inputs]

    def _check(self, where: str) -> None:
        names = [column.name for column in self.columns]
        if not self.inputs:
            raise UsageError(f"{where} parquetizer", "no inputs", "list the raw files in inputs")
        check_key(self.key, names, f"{where} parquetizer")
        for name in (name for source in self.inputs for name in source.constants):
            if name not in names:
                raise UsageError(where, f"unknown column {name!s:.80}", f"use one of: {listed(names)}")
        if both := [name for name in names if name in self.ignore]:
            raise UsageError(where, f"column {both[0]!s:.80} is declared and ignored", "remove it from ignore")
        self.check_format(where, self.columns)

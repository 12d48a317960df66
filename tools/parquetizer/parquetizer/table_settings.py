"""Settings for a table: its raw files and their CSV dialect."""

import dataclasses
from pathlib import Path
from typing import Any

import pyarrow as pa
from samples import Column, schema_of
from stage import params
from stage.errors import UsageError
from stage.redaction import listed

from parquetizer.checked_bytes import check_encoding
from parquetizer.columns import check_key, read_columns

BLOCK = 1 << 20
MAX_FIELD_BYTES = 1 << 29  # Arrow counts the bytes of a block in 32 bits


@dataclasses.dataclass(frozen=True)
class Input:
    """A raw file, and the constant values of columns it does not have."""

    file: str
    constants: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class TableSettings:
    """The raw files of a table in order, their CSV dialect, and the columns of the table."""

    inputs: tuple[Input, ...]
    columns: tuple[Column, ...]
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    multiline: bool = False
    null_values: tuple[str, ...] = ()
    max_field_bytes: int = 1 << 19
    key: tuple[str, ...] = ()

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
    def block_bytes(self) -> int:
        """The number of bytes read at a time, which must hold a row."""
        return max(BLOCK, 2 * self.max_field_bytes)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the processed table."""
        return schema_of(self.columns)

    def _check(self, where: str) -> None:
        names = [column.name for column in self.columns]
        if not self.inputs:
            raise UsageError(f"{where} parquetizer", "no inputs", "list the raw files in inputs")
        if lists := [column.name for column in self.columns if column.shape]:
            raise UsageError(where, f"column {lists[0]} has a shape, which CSV does not support", "remove its shape")
        check_key(self.key, names, f"{where} parquetizer")
        for name in (name for source in self.inputs for name in source.constants):
            if name not in names:
                raise UsageError(where, f"unknown column {name!s:.80}", f"use one of: {listed(names)}")
        for mark, name in ((self.delimiter, "delimiter"), (self.quote, "quote")):
            if len(mark) != 1 or not mark.isascii() or mark in "\0\r\n":
                raise UsageError(where, f"invalid {name} {mark!r}: expected one ASCII character", f"correct {name}")
        if self.delimiter == self.quote:
            raise UsageError(where, "delimiter and quote are the same", "correct one of them")
        if not 0 < self.max_field_bytes <= MAX_FIELD_BYTES:
            what = f"invalid max-field-bytes {self.max_field_bytes}: expected 1 to {MAX_FIELD_BYTES}"
            raise UsageError(where, what, "correct it")
        check_encoding(self.encoding, where)

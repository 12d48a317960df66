"""What params.yaml says of labelled texts: their raw files, the format of these, and the splits."""

import dataclasses
from pathlib import Path

import pyarrow as pa
from stage import params
from stage.errors import UsageError

from parquetizer.checked_bytes import check_encoding
from parquetizer.columns import Column, check_key, read_columns
from parquetizer.split_files import check_split
from parquetizer.splits import check_shares

FORMATS = ("lines", "csv", "jsonl", "parquet")
MOST_TEXT_BYTES = 1 << 27


@dataclasses.dataclass(frozen=True)
class TextInput:
    """A raw file, and its official split if it has one."""

    file: str
    split: str | None = None


@dataclasses.dataclass(frozen=True)
class TextSettings:
    """Raw files, their format, which of their fields are text and label, and how splits are made."""

    inputs: tuple[TextInput, ...]
    format: str
    columns: tuple[Column, ...] = ()
    text: str = "text"
    label: str = "label"
    ignore: tuple[str, ...] = ()
    delimiter: str | None = None
    encoding: str = "utf-8"
    max_text_bytes: int = 1 << 19
    splits: dict[str, float] = dataclasses.field(default_factory=dict)
    seed: int = 42
    key: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "TextSettings":
        """Read the sections ``parquetizer`` and ``dataset`` of a params file.

        Raises UsageError where they do not describe labelled texts.
        """
        where = f"{path} parquetizer"
        settings = params.build(cls, params.section(path, "parquetizer"), where)
        columns = read_columns(path)
        if [(each.type, each.shape) for each in columns] != [("string", ())] * 2 or not columns[1].classes:
            fix = "declare the text (type string), then the label (type string, with its classes)"
            raise UsageError(f"{path} dataset.columns", "not texts and their labels", fix)
        settings = dataclasses.replace(settings, columns=columns)
        settings._check(where)
        return settings

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the files of the splits."""
        return pa.schema([(column.name, column.arrow) for column in self.columns])

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels; a raw label is one of them, or its place in the list."""
        return self.columns[1].classes

    @property
    def by_line(self) -> bool:
        """Whether places in the raw files are lines; else they are rows."""
        return self.format in {"lines", "jsonl"}

    @property
    def separator(self) -> str:
        """What parts the fields of a row."""
        return {"lines": ";", "csv": ","}.get(self.format, "") if self.delimiter is None else self.delimiter

    def _check(self, where: str) -> None:
        if self.format not in FORMATS:
            raise UsageError(where, f"unknown format {self.format}", f"use one of: {', '.join(FORMATS)}")
        if not self.inputs:
            raise UsageError(where, "no inputs", "list the raw files in inputs")
        mark = self.delimiter
        if mark is not None and (len(mark) != 1 or not mark.isascii() or mark in '\0\r\n"'):
            raise UsageError(where, f"delimiter {mark!r:.40} cannot part fields", "use one ASCII character, as ;")
        if len({self.text, self.label, *self.ignore}) < len((self.text, self.label, *self.ignore)):
            raise UsageError(where, "text, label and ignore name a field twice", "name each field once")
        if not 0 < self.max_text_bytes <= MOST_TEXT_BYTES:
            raise UsageError(where, f"max-text-bytes {self.max_text_bytes} is not 1 to {MOST_TEXT_BYTES}", "correct it")
        if not 0 <= self.seed < 1 << 63:
            raise UsageError(where, f"seed {self.seed} is not 0 to 2^63 - 1", "correct it")
        check_encoding(self.encoding, where)
        official = [each.split for each in self.inputs if each.split is not None]
        for name in official:
            check_split(name, f"{where}.inputs")
        if self.splits and official:
            raise UsageError(where, "splits are made and given", "remove splits, or the split of each input")
        if not self.splits and len(official) < len(self.inputs):
            raise UsageError(where, "an input has no split", "give each input its split, or the shares in splits")
        if self.splits:
            check_shares(self.splits, f"{where}.splits")
        check_key(self.key, [column.name for column in self.columns], where)

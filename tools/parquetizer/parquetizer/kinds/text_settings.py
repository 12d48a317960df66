"""Settings for labelled texts: their raw files, the format of these, and the splits."""

import dataclasses
from pathlib import Path

import pyarrow as pa
from samples import Column, schema_of
from stage import params
from stage.errors import UsageError

from parquetizer.columns import read_columns
from parquetizer.raw.checked_bytes import check_encoding
from parquetizer.raw.compression import MAX_RATIO
from parquetizer.split_settings import SharesSettings

FORMATS = ("lines", "csv", "jsonl", "parquet")
MAX_TEXT_BYTES = 1 << 27


@dataclasses.dataclass(frozen=True)
class TextInput:
    """A raw file, or members of an archive, and their official split if there is one.

    ``file`` and ``members`` may be patterns.
    """

    file: str
    split: str | None = None
    members: str = ""


@dataclasses.dataclass(frozen=True)
class TextSettings(SharesSettings):
    """Raw files, their format, the fields with text and label, and the shares of the splits."""

    inputs: tuple[TextInput, ...]
    format: str
    columns: tuple[Column, ...] = ()
    text: str = "text"
    label: str = "label"
    ignore: tuple[str, ...] = ()
    delimiter: str | None = None
    encoding: str = "utf-8"
    max_text_bytes: int = 1 << 19
    max_ratio: int = MAX_RATIO

    @classmethod
    def read(cls, path: Path) -> "TextSettings":
        """Read the sections ``parquetizer`` and ``dataset`` of a params file.

        Raises UsageError unless they describe labelled texts.
        """
        where = f"{path} parquetizer"
        settings = params.build(cls, params.section(path, "parquetizer"), where)
        columns = read_columns(path)
        if [(column.type, column.shape) for column in columns] != [("string", ())] * 2 or not columns[1].classes:
            fix = "declare the text (type string), then the label (type string, with its classes)"
            raise UsageError(f"{path} dataset.columns", "expected texts and their labels", fix)
        settings = dataclasses.replace(settings, columns=columns)
        settings._check(where)
        return settings

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the files of the splits."""
        return schema_of(self.columns)

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the labels; a raw label is one of them, or its number in the list."""
        return self.columns[1].classes

    @property
    def by_line(self) -> bool:
        """Whether samples are numbered by lines of the raw files; else by rows."""
        return self.format in {"lines", "jsonl"}

    @property
    def separator(self) -> str:
        """The delimiter of the fields in a row."""
        return {"lines": ";", "csv": ","}.get(self.format, "") if self.delimiter is None else self.delimiter

    def _check(self, where: str) -> None:
        if self.format not in FORMATS:
            raise UsageError(where, f"unknown format {self.format}", f"use one of: {', '.join(FORMATS)}")
        if not self.inputs:
            raise UsageError(where, "no inputs", "list the raw files in inputs")
        mark = self.delimiter
        if mark is not None and (len(mark) != 1 or not mark.isascii() or mark in '\0\r\n"'):
            raise UsageError(where, f"invalid delimiter {mark!r:.40}", "use one ASCII character, such as ;")
        if len({self.text, self.label, *self.ignore}) < len((self.text, self.label, *self.ignore)):
            raise UsageError(where, "duplicate field in text, label and ignore", "list each field once")
        if not 0 < self.max_text_bytes <= MAX_TEXT_BYTES:
            what = f"invalid max-text-bytes {self.max_text_bytes}: expected 1 to {MAX_TEXT_BYTES}"
            raise UsageError(where, what, "correct it")
        if self.max_ratio < 1:
            raise UsageError(where, f"invalid max-ratio {self.max_ratio}: expected 1 or more", "correct it")
        check_encoding(self.encoding, where)
        self.check_splits([source.split for source in self.inputs], self.schema, where)

"""The dialect of CSV files: settings of the section parquetizer."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Final

import pyarrow as pa
from samples import Column
from stage.errors import UsageError

from parquetizer.formats.text_values import TextStyle
from parquetizer.formats.time_formats import compiled
from parquetizer.raw.checked_bytes import check_encoding

BLOCK: Final = 1 << 20
MAX_FIELD_BYTES: Final = 1 << 29  # Arrow counts the bytes of a block in 32 bits
MAX_SKIPPED: Final = 10_000  # lines
NO_QUOTE: Final = "none"
WHITESPACE: Final = "whitespace"  # the delimiter of columns between which are one or more spaces and tabs


@dataclasses.dataclass(frozen=True, kw_only=True)
class CsvDialect(TextStyle):
    """How the rows and the values of a CSV file are written."""

    header: bool = True
    skip_rows: int = 0
    comment: str = ""
    skip_empty_rows: bool = False
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    multiline: bool = False
    trim: bool = False
    null_values: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    max_field_bytes: int = 1 << 19

    @property
    def quote_character(self) -> str:
        """The quote, or "" if fields are never quoted."""
        return "" if self.quote == NO_QUOTE else self.quote

    @property
    def mark(self) -> str:
        """The delimiter after ``SpaceFilter`` has replaced white space."""
        return " " if self.delimiter == WHITESPACE else self.delimiter

    @property
    def block_bytes(self) -> int:
        """The number of bytes read at a time, which must hold a row."""
        return max(BLOCK, 2 * self.max_field_bytes)

    def check_dialect(self, where: str) -> None:
        """Raise UsageError unless Arrow can read the dialect."""
        marks = {"delimiter": self.mark, "quote": self.quote_character, "comment": self.comment}
        for name, mark in marks.items():
            if mark == "" and (name == "comment" or self.quote == NO_QUOTE):
                continue
            if len(mark) != 1 or not mark.isascii() or mark in "\0\r\n":
                raise UsageError(where, f"invalid {name} {mark!r}: expected one ASCII character", f"correct {name}")
        if self.delimiter == WHITESPACE and self.multiline:
            raise UsageError(where, "both multiline and delimiter: whitespace", "remove one of them")
        if self.mark == self.quote:
            raise UsageError(where, "delimiter and quote are the same", "correct one of them")
        if self.comment and self.comment in (self.mark, self.quote):
            raise UsageError(where, "comment is the delimiter or the quote", "correct one of them")
        if not 0 <= self.skip_rows <= MAX_SKIPPED:
            raise UsageError(where, f"invalid skip-rows {self.skip_rows}: expected 0 to {MAX_SKIPPED}", "correct it")
        if not 0 < self.max_field_bytes <= MAX_FIELD_BYTES:
            what = f"invalid max-field-bytes {self.max_field_bytes}: expected 1 to {MAX_FIELD_BYTES}"
            raise UsageError(where, what, "correct it")
        check_encoding(self.encoding, where)
        self._check_values(where)

    def _check_values(self, where: str) -> None:
        if self.decimal not in (".", ","):
            raise UsageError(where, f"invalid decimal {self.decimal!r:.40}", 'use "." or ","')
        if len(self.thousands) > 1 or (self.thousands and self.thousands in f"{self.decimal}+-0123456789eE\0\r\n"):
            raise UsageError(where, f"invalid thousands {self.thousands!r:.40}", 'use one character, such as "."')
        if bool(self.true_values) != bool(self.false_values):
            raise UsageError(where, "true-values without false-values, or the reverse", "list both")
        for given, others, names in (
            (self.true_values, self.false_values, "true-values and false-values"),
            ((*self.true_values, *self.false_values), self.null_values, "null-values and the values of booleans"),
        ):
            if both := sorted({*given} & {*others}):
                raise UsageError(where, f"{both[0]!r:.40} is in {names}", "remove it from one of them")


def check_csv_columns(columns: Iterable[Column], where: str) -> None:
    """Raise UsageError for a column whose type has no text form in CSV."""
    for column in columns:
        if column.shape:
            raise UsageError(where, f"column {column.name} has a shape, which CSV does not support", "remove its shape")
        if pa.types.is_nested(column.arrow):
            fix = "declare it as string, or use format: json or parquet"
            raise UsageError(where, f"column {column.name:.80} has type {column.type}, which CSV does not support", fix)


def check_formats(columns: Iterable[Column], where: str) -> None:
    """Raise UsageError for a column whose format is not one of its type."""
    for column in columns:
        if column.format:
            try:
                compiled(column.format, column.arrow)
            except ValueError as error:
                raise UsageError(f"{where} column {column.name:.80}", str(error), "correct the format") from error


def yaml(value: object) -> str:
    """Return a value as it is written in params.yaml."""
    return json.dumps(value, ensure_ascii=False)

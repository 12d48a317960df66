"""The format of raw files: settings of the section parquetizer."""

import dataclasses
from collections.abc import Sequence
from typing import Final

from samples import Column
from stage.errors import UsageError

from parquetizer.formats.csv_dialect import CsvDialect, check_csv_columns, check_formats
from parquetizer.raw.compression import MAX_RATIO

FORMATS: Final = ("csv", "json", "parquet", "arrow")
NAN: Final = ("nan", "NaN")  # of null-values, for formats that have nulls
COLUMNAR: Final = ("ignore", "null_values")
# The settings of a dialect that other formats than CSV have.
USED: Final = {
    "json": ("ignore", "encoding", "max_field_bytes", "lenient_integers"),
    "parquet": COLUMNAR,
    "arrow": COLUMNAR,
}


@dataclasses.dataclass(frozen=True, kw_only=True)
class FormatSettings(CsvDialect):
    """The format of raw files and its dialect, and how many times larger than its compressed bytes a file may be.

    ``rows`` are the names that lead to the array of rows in a JSON object.
    """

    format: str = "csv"
    rows: tuple[str, ...] = ()
    max_ratio: int = MAX_RATIO

    def check_format(self, where: str, columns: Sequence[Column]) -> None:
        """Raise UsageError for an unknown format, an invalid dialect, or columns that the format does not support."""
        if self.format not in FORMATS:
            raise UsageError(where, f"unknown format {self.format:.40}", f"use one of: {', '.join(FORMATS)}")
        if self.max_ratio < 1:
            raise UsageError(where, f"invalid max-ratio {self.max_ratio}: expected 1 or more", "correct it")
        for field in dataclasses.fields(CsvDialect):
            if field.name not in USED.get(self.format, (field.name,)) and getattr(self, field.name) != field.default:
                name = field.name.replace("_", "-")
                raise UsageError(where, f"{name} is not a setting of format {self.format}", "remove it")
        if self.rows and self.format != "json":
            raise UsageError(where, f"rows is not a setting of format {self.format}", "remove it")
        self.check_dialect(where)
        if self.format in ("parquet", "arrow") and not {*self.null_values} <= {*NAN}:
            raise UsageError(where, "null-values of Parquet and Arrow may only be nan", "remove the others")
        if self.format == "csv":
            check_csv_columns(columns, where)
        check_formats(columns, where)

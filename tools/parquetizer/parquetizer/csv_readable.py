"""Find values that a reader of a CSV file would change.

CSV has no types: Arrow, pandas, datasets, mlcroissant and Ray infer them. A string is safe only if none of them reads
it as a number, a boolean or null.
"""

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import UsageError

FIX: Final = "write Parquet: use the suffix .parquet for the output and for dataset.file in params.yaml"
MAX_ROW: Final = 1 << 20  # bytes that Ray reads at a time
MAX_NUMBER: Final = 32  # bytes of a number, or of the quotes of a string, with the delimiter
MAX_INTEGER: Final = (1 << 63) - 1
# What pandas, from version 1 to 3, reads as null, besides the empty string.
NULLS: Final = (
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),
)
READABLE: Final = (pa.types.is_string, pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating)
SPACE: Final = "[ \\t\\n\\v\\f\\r]*"
NUMBER: Final = rf"\A{SPACE}[+-]?([0-9]+\.?[0-9]*|\.[0-9]+|(?i:inf(inity)?))([eE][+-]?[0-9]*)?{SPACE}\z"
WHOLE: Final = r"\A(0|-?[1-9][0-9]{0,17})\z"  # a number that every reader preserves
BOOLEAN: Final = r"(?i)\A(true|false)\z"


@dataclasses.dataclass(frozen=True)
class Unreadable:
    """A row of a batch that a reader would change, from 0, and why."""

    row: int
    what: str


def first_unreadable(batch: pa.RecordBatch) -> Unreadable | None:
    """Return the first row with a value that a reader of the CSV file would change."""
    rows = [
        Unreadable(int(np.argmax(mask)), what)
        for changed, what in _problems(batch)
        if (mask := changed.fill_null(False).to_numpy(zero_copy_only=False)).any()
    ]
    return min(rows, key=lambda unreadable: unreadable.row, default=None)


def check_schema(schema: pa.Schema, where: str) -> None:
    """Raise UsageError for a column name or type that CSV readers would change."""
    for field in schema:
        if not any(is_readable(field.type) for is_readable in READABLE):
            raise UsageError(where, f"column {field.name:.80} is {field.type}, and CSV readers infer another type", FIX)
    for number, name in enumerate(schema.names, 1):
        if not name.strip():
            raise UsageError(where, f"the name of column {number} is empty, and CSV readers replace it", FIX)
        if "\r" in name or name.startswith("\ufeff"):
            raise UsageError(where, f"the column name {name!r:.40} is changed by CSV readers", FIX)


def _problems(batch: pa.RecordBatch) -> Iterator[tuple[pa.BooleanArray, str]]:
    sizes = pa.repeat(pa.scalar(MAX_NUMBER * batch.num_columns), batch.num_rows)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        where = f"column {name:.80}"
        if pa.types.is_floating(column.type):
            continue  # readers return NaN or null for a missing value
        if pa.types.is_string(column.type):
            yield from ((changed, f"{where}: {what}") for changed, what in _string_problems(column))
            quotes = pc.count_substring(column, '"')
            sizes = pc.add(sizes, pc.add(pc.binary_length(column), quotes).fill_null(0))
            continue
        yield column.is_null(), f"{where}: null, and CSV readers convert such a column to float"
        if column.type == pa.uint64():
            yield (
                pc.greater(column, pa.scalar(MAX_INTEGER, pa.uint64())),
                f"{where}: above 2^63 - 1, and CSV readers convert such a column to float",
            )
    yield pc.greater(sizes, MAX_ROW), f"the row is longer than {MAX_ROW} bytes, the limit of CSV readers"


def _string_problems(column: pa.StringArray) -> Iterator[tuple[pa.BooleanArray, str]]:
    yield column.is_null(), "null, which CSV does not distinguish from an empty string"
    yield pc.equal(column, ""), "empty string, which CSV does not distinguish from null"
    yield pc.is_in(column, value_set=pa.array(NULLS)), "string that CSV readers read as null"
    is_number = pc.match_substring_regex(column, NUMBER)
    whole = pc.match_substring_regex(column, WHOLE)
    yield pc.and_not(is_number, whole), "string that CSV readers read as a number"
    yield pc.match_substring_regex(column, BOOLEAN), "string that CSV readers read as a boolean"
    yield pc.match_substring(column, "\r"), "carriage return, which CSV readers may drop"

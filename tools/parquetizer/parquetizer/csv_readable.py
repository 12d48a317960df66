"""Find what a CSV file cannot say: values that one of the promised readers would give back as others.

CSV has no types. Arrow, pandas, datasets, mlcroissant and Ray each guess some: what a text means is safe only where
none of them takes it for a number, a truth value or nothing.
"""

import dataclasses
from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import UsageError

CURE: Final = "write Parquet: let the output, dataset.file in params.yaml, end in .parquet"
LONGEST_ROW: Final = 1 << 20  # bytes; Ray reads so many at a time
LONGEST_VALUE: Final = 32  # bytes of a number, or of a text's quotes, with its delimiter
LARGEST: Final = (1 << 63) - 1
# What pandas takes for nothing, besides the empty text: the same texts from version 1 to 3.
MISSING: Final = (
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),
)
SPACE: Final = "[ \\t\\n\\v\\f\\r]*"
NUMBER: Final = rf"\A{SPACE}[+-]?([0-9]+\.?[0-9]*|\.[0-9]+|(?i:inf(inity)?))([eE][+-]?[0-9]*)?{SPACE}\z"
WHOLE: Final = r"\A(0|-?[1-9][0-9]{0,17})\z"  # a number that every reader writes as it was
TRUTH: Final = r"(?i)\A(true|false)\z"


@dataclasses.dataclass(frozen=True)
class Unreadable:
    """The first row of a batch that would not be read back, from 0, and what is wrong with it."""

    row: int
    what: str


def first_unreadable(batch: pa.RecordBatch) -> Unreadable | None:
    """Return the first row with a value that some reader of the CSV file would give back as another."""
    found = [
        Unreadable(int(np.argmax(mask)), what)
        for wrong, what in _problems(batch)
        if (mask := wrong.fill_null(False).to_numpy(zero_copy_only=False)).any()
    ]
    return min(found, key=lambda each: each.row, default=None)


def check_names(names: list[str], where: str) -> None:
    """Raise UsageError for a column whose name readers of CSV would change."""
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise UsageError(where, f"column {number} has no name, and CSV readers give it one", CURE)
        if "\r" in name or name.startswith("\ufeff"):
            raise UsageError(where, f"column {name!r:.40}: CSV readers change its name", CURE)


def _problems(batch: pa.RecordBatch) -> Iterator[tuple[pa.BooleanArray, str]]:
    sizes = pa.repeat(pa.scalar(LONGEST_VALUE * batch.num_columns), batch.num_rows)
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        where = f"column {name:.80}"
        if pa.types.is_floating(column.type):
            continue  # where a value is missing, readers have NaN or null
        if pa.types.is_string(column.type):
            yield from ((wrong, f"{where} {what}") for wrong, what in _problems_of_texts(column))
            quotes = pc.count_substring(column, '"')
            sizes = pc.add(sizes, pc.add(pc.binary_length(column), quotes).fill_null(0))
            continue
        yield column.is_null(), f"{where} is missing, and CSV readers make floats of the column"
        if column.type == pa.uint64():
            yield (
                pc.greater(column, pa.scalar(LARGEST, pa.uint64())),
                f"{where} is above 2^63 - 1, and CSV readers make floats of the column",
            )
    yield pc.greater(sizes, LONGEST_ROW), f"the row is longer than the {LONGEST_ROW} bytes that CSV readers take"


def _problems_of_texts(column: pa.StringArray) -> Iterator[tuple[pa.BooleanArray, str]]:
    yield column.is_null(), "is missing, which CSV does not tell from an empty text"
    yield pc.equal(column, ""), "is empty, which CSV does not tell from a missing value"
    yield pc.is_in(column, value_set=pa.array(MISSING)), "is a text that CSV readers take for a missing value"
    is_number = pc.match_substring_regex(column, NUMBER)
    whole = pc.match_substring_regex(column, WHOLE)
    yield pc.and_not(is_number, whole), "is a text that CSV readers take for a number"
    yield pc.match_substring_regex(column, TRUTH), "is a text that CSV readers take for a truth value"
    yield pc.match_substring(column, "\r"), "holds a carriage return, which CSV readers may drop"

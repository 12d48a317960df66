"""What the strings of a column have in common, over all batches: the types that all of them could be.

Nothing is decided here: whether ``1,234`` is a number depends on the other columns of the file.
"""

from collections import Counter
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from parquetizer.inspect.dates import DateFacts

# Strings that mean a missing value; pandas reads most of them so.
NULLS: Final = (
    *("", "NA", "N/A", "n/a", "na", "NaN", "nan", "NAN", "null", "NULL", "Null", "None", "#N/A", "<NA>", r"\N"),
    *("?", "-", "--", ".", "nil", "NIL", "none", "missing", "unknown", "Unknown", "N.A.", "n.a."),
)
WHOLE: Final = r"(0|[1-9][0-9]{0,16})"  # 007 is a code, and so are 20 digits
EXPONENT: Final = r"([eE][+-]?[0-9]+)?"
PATTERNS: Final = {
    "integer": r"(0|-?[1-9][0-9]{0,19})",
    "point": rf"-?({WHOLE}(\.[0-9]*)?|\.[0-9]+){EXPONENT}",  # 1.5, .5, 2, 1e-3
    "comma": rf"-?({WHOLE}(,[0-9]*)?|,[0-9]+){EXPONENT}",  # 1,5
    "thousands comma": r"-?(0|[1-9][0-9]{0,2}(,[0-9]{3})+|[1-9][0-9]*)(\.[0-9]+)?",  # 1,234.5
    "thousands point": r"-?(0|[1-9][0-9]{0,2}(\.[0-9]{3})+|[1-9][0-9]*)(,[0-9]+)?",  # 1.234,5
}
BOOLEANS: Final = (("true", "false"), ("yes", "no"), ("y", "n"), ("t", "f"))
WORD: Final = r"\A[A-Za-z_][A-Za-z0-9_.-]*\z"
DISTINCT: Final = 200  # values that are remembered
UINT64: Final = (1 << 64) - 1
INT64: Final = (1 << 63) - 1


class StringFacts:
    """What is known of the strings of one column."""

    def __init__(self) -> None:
        self.rows = self.padded = self.longest = 0
        self.words = 0  # values that could be the name of something: one word of letters
        self.nulls: Counter[str] = Counter()  # by the string that may mean one
        self.fits = dict.fromkeys(PATTERNS, True)  # by pattern: whether all values match it
        self.has = dict.fromkeys(",.", False)  # whether a value contains it
        self.low, self.high = 0, 0  # of integers
        self.dates = DateFacts()
        self.distinct: pa.StringArray | None = pa.array([], pa.string())  # trimmed, or None: too many
        self._first = True

    @property
    def values(self) -> int:
        """The number of rows whose string is not one of NULLS."""
        return self.rows - self.nulls.total()

    def add(self, column: pa.StringArray) -> None:
        """Add the strings of a batch, none of which is null."""
        trimmed = pc.utf8_trim(column, " \t")
        self.rows += len(column)
        self.padded += pc.sum(pc.not_equal(trimmed, column)).as_py() or 0
        self.longest = max(self.longest, pc.max(pc.binary_length(column)).as_py() or 0)
        is_null = pc.is_in(trimmed, value_set=pa.array(NULLS))
        for item in pc.value_counts(trimmed.filter(is_null)).to_pylist():
            self.nulls[item["values"]] += item["counts"]
        values = trimmed.filter(pc.invert(is_null))
        if not len(values):
            return
        if self.distinct is not None:
            distinct = pc.unique(pa.concat_arrays([self.distinct, pc.unique(values)]))
            self.distinct = distinct if len(distinct) <= DISTINCT else None
        self.words += pc.sum(pc.match_substring_regex(values, WORD)).as_py()
        self._add_numbers(values)
        self.dates.add(values)

    def _add_numbers(self, values: pa.StringArray) -> None:
        if not any(self.fits.values()):
            return
        for name, pattern in PATTERNS.items():
            self.fits[name] = self.fits[name] and _all(values, rf"\A{pattern}\z")
        for mark in self.has:
            self.has[mark] = self.has[mark] or bool(pc.any(pc.match_substring(values, mark)).as_py())
        if self.fits["integer"]:
            try:
                numbers = pc.min_max(values.cast(pa.int64())).as_py()
            except pa.ArrowInvalid:  # beyond int64
                whole = pc.min_max(values.cast(pa.decimal128(20, 0))).as_py()
                numbers = {name: int(number) for name, number in whole.items()}
            self.low = numbers["min"] if self._first else min(self.low, numbers["min"])
            self.high = numbers["max"] if self._first else max(self.high, numbers["max"])
            self._first = False
        elif self.fits["point"] and not _finite(values):
            self.fits["point"] = False

    def is_row_number(self) -> bool:
        """Say whether the values count the rows, from 0 or 1."""
        counts = self.fits["integer"] and self.values == self.rows > 1
        return counts and self.low in {0, 1} and self.high - self.low + 1 == self.rows

    def could_be_labels(self, limit: int) -> bool:
        """Say whether the values are at most ``limit`` strings, each of them many times."""
        return self.distinct is not None and 2 <= len(self.distinct) <= min(limit, self.rows // 10)

    def boolean(self) -> tuple[str, str] | None:
        """Return the strings for true and false if all values are one of them, as in ``yes`` and ``no``."""
        strings = sorted((self.distinct if self.distinct is not None else pa.array([], pa.string())).to_pylist())
        for pair in BOOLEANS:
            if sorted(string.lower() for string in strings) == sorted(pair):
                true, false = sorted(strings, key=lambda string: pair.index(string.lower()))
                return true, false
        return None


def _all(values: pa.StringArray, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, pattern)).as_py())


def _finite(values: pa.StringArray) -> bool:
    return bool(pc.all(pc.is_finite(values.cast(pa.float64()))).as_py())

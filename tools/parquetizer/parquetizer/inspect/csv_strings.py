"""Read the values of CSV files as strings, by position, to decide on names, types and key."""

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from samples import Column
from stage.errors import UsageError
from stage.redaction import listed

from parquetizer.formats.csv_dialect import CsvDialect
from parquetizer.formats.csv_input import read_csv
from parquetizer.inspect.groups import GroupFinder
from parquetizer.inspect.header import NUMBER, is_header, type_of
from parquetizer.inspect.keys import MAX_KEY, KeyFinder, choose_key
from parquetizer.inspect.raw_items import SEPARATE, Items
from parquetizer.inspect.strings import StringFacts
from parquetizer.raw.files import RawFile

LABELS: Final = 50  # distinct strings of a column without a name that could be labels


class CsvStrings:
    """What is known of the columns of CSV files; the first row of each file is kept apart, as it may be a header."""

    def __init__(self, files: Items, dialect: CsvDialect, fields: int) -> None:
        """Read all files. ``dialect`` has no header, and each row as many ``fields``."""
        self._names: list[str] = []  # of files
        self._first: list[list[str]] = []
        self._recurring = [False] * fields  # whether the value of the first row is in others
        self._keys = KeyFinder()
        self.groups = GroupFinder()
        self.columns = [StringFacts() for _ in range(fields)]
        self.empty_rows = 0
        for file in files.files():
            self._read(file, dialect)

    def _read(self, file: RawFile, dialect: CsvDialect) -> None:
        schema = [Column(str(number), "string") for number in range(1, len(self.columns) + 1)]
        start = 1
        self._names.append(file.name)
        for batch in read_csv(file, schema, dialect):
            if start:
                self._first.append([column[0].as_py() for column in batch.columns])
            self._add([column[start:] for column in batch.columns])
            start = 0

    def _add(self, columns: list[pa.StringArray]) -> None:
        empty = pa.repeat(True, len(columns[0]))
        for column in columns:
            empty = pc.and_(empty, pc.equal(column, ""))
        if count := empty.true_count:
            self.empty_rows += count
            columns = [column.filter(pc.invert(empty)) for column in columns]
        for number, column in enumerate(columns):
            self.columns[number].add(column)
            if not self._recurring[number]:
                self._recurring[number] = bool(pc.any(pc.equal(column, self._first[0][number])).as_py())
        self.groups.add(dict(zip(self._first[0], columns, strict=True)))
        self._keys.add({str(number): column for number, column in enumerate(columns) if self._may_be_key(number)})

    def _may_be_key(self, number: int) -> bool:
        column = self.columns[number]
        is_fraction = column.fits["point"] and not column.fits["integer"]
        return bool(column.values) and not column.nulls and not is_fraction and column.longest <= MAX_KEY

    def is_header(self) -> tuple[bool, str]:
        """Return whether the first row is a header, and why; one that is not is added to the values.

        Raises UsageError if the files have other names.
        """
        header, reason = is_header(self._first[0], self.columns, self._recurring)
        if len(self._first) > 1 and all(row == self._first[0] for row in self._first):
            header, reason = True, f"all {len(self._first)} files begin with the same row"
        if header:
            for name, row in zip(self._names, self._first, strict=True):
                if row != self._first[0]:
                    what = f"has other columns than {self._names[0]}: {listed(row, 5)}"
                    raise UsageError(name, what, SEPARATE)
        else:
            self._add([pa.array(values, pa.string()) for values in zip(*self._first, strict=True)])
        return header, reason

    def names(self) -> tuple[list[str], dict[str, str], bool]:
        """Return the names of the header, which columns to ignore and why, and whether it has to be skipped.

        A column without a name is ignored if it is empty, or counts the rows; else it gets one.
        """
        names = list(self._first[0])
        typed = [name for name, column in zip(names, self.columns, strict=True) if name.strip() and type_of(column)]
        if typed and all(map(NUMBER.fullmatch, map(str.strip, typed))):  # a build takes such a header for a row
            return _distinct_names(names), {}, True
        unnamed = [column for name, column in zip(names, self.columns, strict=True) if not name.strip()]
        empty = [column for column in unnamed if not column.values and set(column.nulls) <= {""}]
        counting = [column for column in unnamed if column.is_row_number()]
        if len(empty) + len(counting) < len(unnamed) or len({*filter(None, names)}) < len([*filter(None, names)]):
            return _distinct_names(names), {}, True
        reasons = [f"{len(empty)} columns without name or values"] * bool(empty)
        reasons += [f"a column without a name counts the rows from {column.low}" for column in counting]
        return names, {"": ", ".join(reasons)} if unnamed else {}, False

    def invented_names(self) -> list[str]:
        """Return names for columns of files without a header: text, text and label, or by their position."""
        count = len(self.columns)
        if count == 1:
            return ["text" if not any(self.columns[0].fits.values()) else "value"]
        if count == 2:
            labels = [column.could_be_labels(LABELS) for column in self.columns]
            texts = [not column.values or not any(column.fits.values()) for column in self.columns]
            for label, text in ((0, 1), (1, 0)):
                if labels[label] and texts[text] and not labels[text]:
                    return ["label", "text"] if label == 0 else ["text", "label"]
        return [f"column_{number}" for number in range(1, count + 1)]

    def key(self, names: Sequence[str], types: Mapping[str, str]) -> tuple[tuple[str, ...], str]:
        """Return the key and the reason; no names if no columns are one."""
        sets = [tuple(names[int(number)] for number in numbers) for numbers in self._keys.unique_sets()]
        return choose_key([one for one in sets if {*one} <= {*types}], types, self._keys)


def _distinct_names(names: Sequence[str]) -> list[str]:
    """Return names that are unique and not empty: a, column_2, a_2."""
    distinct: list[str] = []
    for number, name in enumerate(names, 1):
        base = name.strip() or f"column_{number}"
        candidate, count = base, 1
        while candidate in distinct:
            count += 1
            candidate = f"{base}_{count}"
        distinct.append(candidate)
    return distinct

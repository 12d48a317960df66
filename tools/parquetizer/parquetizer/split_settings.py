"""Settings that divide samples into splits, the same for every kind of data that has several."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from samples import Column
from stage.errors import BadRows, EmptyInput, UsageError

from parquetizer.columns import check_key
from parquetizer.splits import Numbers, after, assigned, boundary, check_shares, check_split

FIRST = "train"  # the split before the first boundary of split-before

Parts = Iterator[tuple[str, pa.RecordBatch]]
Where = Callable[[int], str]  # the place of a row of a batch in the raw files, for messages


@dataclasses.dataclass(frozen=True, kw_only=True)
class SharesSettings:
    """Splits that are official, one per input, or drawn by a seeded hash of the key: ``splits`` has their shares."""

    key: tuple[str, ...] = ()
    splits: dict[str, float] = dataclasses.field(default_factory=dict)
    seed: int = 42

    def check_splits(self, inputs: Sequence[str | None], schema: pa.Schema, where: str) -> None:
        """Raise UsageError unless there is one way to split; ``inputs`` has the official split of each input."""
        for name in (split for split in inputs if split is not None):
            check_split(name, f"{where}.inputs")
        if not 0 <= self.seed < 1 << 63:
            raise UsageError(where, f"invalid seed {self.seed}: expected 0 to 2^63 - 1", "correct it")
        if self.splits:
            check_shares(self.splits, f"{where}.splits")
        check_key(self.key, schema.names, where)
        ways = [*(["official splits"] if any(inputs) else []), *self._ways()]
        if len(ways) > 1:
            other = "the split of each input" if any(inputs) else ways[0]
            raise UsageError(where, f"both {ways[1]} and {ways[0]}", f"remove {ways[1]}, or {other}")
        if None in inputs and (any(inputs) or not ways):
            raise UsageError(where, "input without split", "set the split of each input, or shares in splits")

    def parts(self, batch: pa.RecordBatch, official: str | None, where: Where = str) -> Parts:
        """Yield each split with its rows of a batch, which keep their order.

        ``official`` is the split of the input, if it has one. Raises BadRows for a row without a split.
        """
        if official is not None:
            yield official, batch
            return
        names, numbers = self.split_rows(batch, where)
        for number, split in enumerate(names):
            yield split, batch.filter(pa.array(numbers == number))

    def check_counts(self, rows: Mapping[str, int]) -> None:
        """Raise EmptyInput if a declared split has no samples; ``rows`` has the number of samples by split."""
        for split in self.splits:
            if not rows.get(split):
                what = f"got none of the {sum(rows.values())} samples"
                raise EmptyInput(f"split {split}", what, "give it a larger share, or use another seed")

    def split_rows(self, batch: pa.RecordBatch, where: Where = str) -> tuple[list[str], Numbers]:
        """Return the names of splits, and the number of each row's. Raises BadRows for a row without a split."""
        keys = batch.select(list(self.key)) if self.key else batch
        return list(self.splits), assigned(keys, self.splits, self.seed)

    def _ways(self) -> list[str]:
        """Return the settings that say how to split, besides the official splits of the inputs."""
        return ["splits"] if self.splits else []


@dataclasses.dataclass(frozen=True)
class SplitBefore:
    """A column of times or numbers, and for each split after the first the value at which it begins."""

    column: str
    at: dict[str, Any]

    @property
    def names(self) -> list[str]:
        """The splits, in the order of time."""
        return [FIRST, *self.at]

    def boundaries(self, schema: pa.Schema, where: str) -> list[pa.Scalar]:
        """Return where each split after the first begins, in the type of the column.

        Raises UsageError for an unknown column, an invalid value, or splits that are not in their order.
        """
        check_key((self.column,), schema.names, where, "column")
        if not self.at:
            raise UsageError(f"{where}.at", "no splits", "add where each begins, such as at: {test: '2025-01-01'}")
        begins: list[pa.Scalar] = []
        for split, value in self.at.items():
            check_split(split, f"{where}.at")
            if split == FIRST:
                raise UsageError(f"{where}.at", f"{FIRST} has the rows before all others", "list the splits after it")
            begins.append(boundary(value, schema.field(self.column).type, f"{where}.at.{split}"))
            if len(begins) > 1 and not pc.less(*begins[-2:]).as_py():
                what = f"{split} does not begin after the split before it"
                raise UsageError(f"{where}.at", what, "list the splits in the order of time")
        return begins


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitSettings(SharesSettings):
    """Splits of samples with several columns: official, drawn by key or group, by the value of a column, or by time.

    ``group`` are the columns whose equal values must not be in two splits. Drawn splits are drawn by them; others are
    checked by stats.
    """

    group: tuple[str, ...] = ()
    split_column: str | None = None
    split_before: SplitBefore | None = None

    def check_splits(self, inputs: Sequence[str | None], schema: pa.Schema, where: str) -> None:
        """Raise UsageError unless there is one way to split, by columns that exist."""
        super().check_splits(inputs, schema, where)
        check_key(self.group, schema.names, where, "group")
        if self.split_column is not None and self.split_column in schema.names:
            kind = schema.field(self.split_column).type
            if not (pa.types.is_string(kind) or pa.types.is_integer(kind)):
                what = f"column {self.split_column} has type {kind}, and splits have names"
                raise UsageError(f"{where}.split-column", what, "declare it as string or integer")
        if self.split_before is not None:
            self.split_before.boundaries(schema, f"{where}.split-before")

    def check_unsplit(self, inputs: Sequence[str | None], output: Path) -> None:
        """Raise UsageError if a setting asks for splits; ``output`` is the one file that was named instead."""
        given = [*(["the split of inputs"] if any(inputs) else []), *self._ways(), *(["group"] if self.group else [])]
        if given:
            what, fix = f"is one file, and {given[0]} is set", "write into a folder: dataset.file: processed"
            raise UsageError(output, what, fix)

    def parts(self, batch: pa.RecordBatch, official: str | None, where: Where = str) -> Parts:
        """Yield each split with its rows of a batch. Raises BadRows for a row without a split or a group."""
        for name in self.group:
            _without_nulls(batch[name], name, where)
        yield from super().parts(batch, official, where)

    def with_split_column(self, columns: Sequence[Column]) -> list[Column]:
        """Return the columns to read: those of the output, and the split column as string if it is not one of these."""
        if self.split_column is None or self.split_column in [column.name for column in columns]:
            return list(columns)
        return [*columns, Column(self.split_column, "string")]

    def check_counts(self, rows: Mapping[str, int]) -> None:
        """Raise EmptyInput if a declared split has no samples."""
        super().check_counts(rows)
        if self.split_before is not None:
            for split in self.split_before.names:
                if not rows.get(split):
                    what = f"got none of the {sum(rows.values())} samples"
                    raise EmptyInput(f"split {split}", what, "correct parquetizer.split-before")

    def split_rows(self, batch: pa.RecordBatch, where: Where = str) -> tuple[list[str], Numbers]:
        if self.split_column is not None:
            return self._named(batch[self.split_column], where)
        if self.split_before is not None:
            column = _without_nulls(batch[self.split_before.column], self.split_before.column, where)
            boundaries = self.split_before.boundaries(batch.schema, "parquetizer.split-before")
            return self.split_before.names, after(column, boundaries)
        if self.group:
            return list(self.splits), assigned(batch.select(list(self.group)), self.splits, self.seed)
        return super().split_rows(batch, where)

    def _ways(self) -> list[str]:
        ways = {"split-column": self.split_column, "split-before": self.split_before}
        return [*super()._ways(), *(name for name, value in ways.items() if value is not None)]

    def _named(self, column: pa.Array, where: Where) -> tuple[list[str], Numbers]:
        column = _without_nulls(column, str(self.split_column), where)
        coded = column.cast(pa.string()).dictionary_encode()
        names, numbers = coded.dictionary.to_pylist(), coded.indices.to_numpy()
        for number, name in enumerate(names):
            try:
                check_split(name, "")
            except UsageError as error:
                row = int(np.argmax(numbers == number))
                raise BadRows(where(row), f"{self.split_column}: {error.what}", error.fix) from error
        return names, numbers


def _without_nulls(column: pa.Array, name: str, where: Where) -> pa.Array:
    """Return a column. Raises BadRows for a null: what it says of the split of its row is unknown."""
    if (nulls := pc.is_null(column, nan_is_null=True)).true_count:
        row = pc.index(nulls, True).as_py()
        raise BadRows(where(row), f"{name} is null, so the split is unknown", "correct the row, or use another column")
    return column

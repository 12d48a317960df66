"""What is known of columns that have types: of Parquet, Arrow and JSON."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from samples import type_text

from parquetizer.inspect.groups import GroupFinder
from parquetizer.inspect.keys import MAX_KEY, KeyFinder, choose_key
from parquetizer.inspect.labels import classes_of, split_column
from parquetizer.inspect.proposal import ProposedColumn, Table
from parquetizer.inspect.strings import DISTINCT


class TypedFacts:
    """What is known of the values of one column."""

    def __init__(self, kind: pa.DataType) -> None:
        self.kind = kind
        self.rows = self.nulls = self.longest = 0
        self.low: int | None = None  # of integers
        self.high: int | None = None
        self.distinct: pa.Array | None = pa.array([], pa.string()) if pa.types.is_string(kind) else None

    def add(self, column: pa.Array) -> None:
        """Add the values of a batch."""
        self.rows += len(column)
        self.nulls += column.null_count
        if pa.types.is_string(self.kind):
            self.longest = max(self.longest, pc.max(pc.binary_length(column)).as_py() or 0)
            if self.distinct is not None:
                distinct = pc.unique(pa.concat_arrays([self.distinct, pc.unique(column.drop_null())]))
                self.distinct = distinct if len(distinct) <= DISTINCT else None
        elif pa.types.is_integer(self.kind):
            ends = pc.min_max(column).as_py()
            self.low = min((low for low in (self.low, ends["min"]) if low is not None), default=None)
            self.high = max((high for high in (self.high, ends["max"]) if high is not None), default=None)

    @property
    def may_be_key(self) -> bool:
        """Whether the values could be part of a key."""
        kind = self.kind
        is_plain = pa.types.is_string(kind) or pa.types.is_integer(kind) or pa.types.is_temporal(kind)
        return is_plain and not self.nulls and self.longest <= MAX_KEY

    def reason(self) -> str:
        """Return what the values are, for a comment."""
        count = self.rows - self.nulls
        if not count:
            return "no values"
        parts = [f"{count:,} values"]
        if self.low is not None and self.high is not None:
            parts = [f"{count:,} values, {self.low:,} to {self.high:,}"]
        elif self.distinct is not None:
            parts = [f"{len(self.distinct):,} different strings, up to {self.longest:,} bytes"]
        elif pa.types.is_string(self.kind):
            parts = [f"strings of up to {self.longest:,} bytes"]
        return "; ".join([*parts, *[f"{self.nulls:,} null"] * bool(self.nulls)])


class TypedColumns:
    """What is known of all columns of a table."""

    def __init__(self, schema: pa.Schema) -> None:
        self.facts = {field.name: TypedFacts(field.type) for field in schema}
        self._keys = KeyFinder()
        self._groups = GroupFinder()
        self.rows = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Add a batch that has all columns."""
        if not batch.num_rows:
            return
        self.rows += batch.num_rows
        for name, facts in self.facts.items():
            facts.add(batch[name])
        self._groups.add({name: batch[name] for name in self.facts})
        self._keys.add({name: batch[name] for name, facts in self.facts.items() if facts.may_be_key})

    def table(
        self, reasons: Mapping[str, str], types: Mapping[str, str] = {}, classes: Mapping[str, tuple[str, ...]] = {}
    ) -> Table:
        """Return the table; ``reasons``, ``types`` and ``classes`` are those that are known, by column."""
        columns = []
        for name, facts in self.facts.items():
            kind, labels, why = types.get(name, type_text(facts.kind)), classes.get(name, ()), ""
            if kind == "string" and facts.distinct is not None and not labels:
                labels, why = classes_of(name, facts.distinct.to_pylist(), facts.rows)
            parts = filter(None, (reasons.get(name, ""), why or facts.reason()))
            columns.append(ProposedColumn(name, kind, "; ".join(parts), classes=labels))
        kinds = {column.name: column.type for column in columns}
        key, reason = choose_key(self._keys.unique_sets(), kinds, self._keys)
        few = {
            name: facts.distinct.to_pylist()
            for name, facts in self.facts.items()
            if facts.distinct is not None and not facts.nulls
        }
        split = split_column(few)
        settings = {"key": list(key)} if key else {}
        return Table(
            self.rows, tuple(columns), settings, {"key": reason}, split, tuple(few.get(split, ())), self._groups.group()
        )

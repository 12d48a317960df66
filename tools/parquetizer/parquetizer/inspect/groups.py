"""Find columns whose equal values belong together, as the rows of a patient: drawn splits should not divide them."""

import re
from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from parquetizer.formats.csv_dialect import yaml
from parquetizer.inspect.strings import NULLS

NAMES: Final = re.compile(
    r"(?i)(.*[_ .-])?(patient|subject|participant|person|user|customer|client|speaker|author|session|group|household|"
    r"device|document|doc|book|conversation|dialogue|thread|site)s?([_ .-]?(id|no|nr|number|key|uuid|name))?"
)
FEWEST: Final = 10  # values; fewer are the classes of an experiment
MOST: Final = 100_000  # values that are counted


class GroupFinder:
    """The distinct values of columns with the names of groups."""

    def __init__(self) -> None:
        self._rows = 0
        self._values: dict[str, pa.Array | None] = {}  # None: no group, as some rows have none

    def add(self, batch: Mapping[str, pa.Array]) -> None:
        """Add the rows of columns, of which all batches have the same."""
        self._rows += len(next(iter(batch.values()), []))
        for name, column in batch.items():
            values = self._values.get(name, column[:0])
            if values is None or len(values) > MOST or not NAMES.fullmatch(name.strip()):
                continue
            is_string = pa.types.is_string(column.type)
            if not is_string and not pa.types.is_integer(column.type):
                continue
            has_gaps = column.null_count or (is_string and pc.any(pc.is_in(column, value_set=pa.array(NULLS))).as_py())
            values = pc.unique(pa.concat_arrays([values, pc.unique(column)]))
            is_key = len(values) > MOST and len(values) == self._rows
            self._values[name] = None if has_gaps or is_key else values

    def group(self) -> str:
        """Return the setting for the first column that groups rows, as a comment to consider, or ""."""
        for name, values in self._values.items():
            if values is not None and FEWEST <= len(values) < self._rows:
                text = name.strip() if name.strip().isidentifier() else yaml(name.strip())
                count = f"{len(values):,}" if len(values) <= MOST else f"over {MOST:,}"
                what = f"{count} values in {self._rows:,} rows"
                return f"[{text}] # {what}: with splits, set it, or samples of one {text:.40} would be in several"
        return ""

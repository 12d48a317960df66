"""The first rows of each split as short texts, for a table that can be paged and filtered in the browser."""

import dataclasses
from collections.abc import Sequence

import pyarrow as pa

from catalog.profile.rows import Rows, is_number
from catalog.profile.value_texts import display_texts

ROWS = 2000  # of each split
CHARACTERS = 1_000_000  # of all splits together
COLUMNS = 24
MAX_BYTES = 1 << 28  # that are read for the rows of a split: those of images and sounds are many


@dataclasses.dataclass(frozen=True)
class FirstRows:
    """The first rows of a split as texts.

    ``more`` columns are not shown; ``numbers`` are the names of those with numbers or times. ``pictures`` has, for each
    row, the index of the thumbnail of its first column, or None; it is empty if there are no pictures.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    split: str
    more: int = 0
    numbers: frozenset[str] = frozenset()
    pictures: tuple[int | None, ...] = ()


def first_rows_of(rows: Rows) -> tuple[FirstRows, ...]:
    """Return the first rows of each split that has any. Raises CorruptFile."""
    schema = rows.schema()
    columns, more = schema.names[:COLUMNS], len(schema.names[COLUMNS:])
    numeric = [field.name for field in schema if is_number(field.type) or pa.types.is_temporal(field.type)]
    numbers = frozenset(numeric) - rows.classes.keys()
    limit = CHARACTERS // max(1, len(rows.splits))
    tables = [
        FirstRows(tuple(columns), _read(rows, split, columns, limit), split, more, numbers) for split in rows.splits
    ]
    return tuple(table for table in tables if table.rows)


def limited(rows: Sequence[tuple[str, ...]], characters: int) -> tuple[tuple[str, ...], ...]:
    """Return the first rows within both limits; at least one, if there is any."""
    for number, row in enumerate(rows[:ROWS]):
        characters -= sum(map(len, row))
        if characters < 0:
            return tuple(rows[: max(1, number)])
    return tuple(rows[:ROWS])


def _read(rows: Rows, split: str, columns: Sequence[str], characters: int) -> tuple[tuple[str, ...], ...]:
    texts: list[tuple[str, ...]] = []
    size = 0
    for batch in rows.read(split, columns):
        size += batch.nbytes
        block = batch.slice(0, ROWS - len(texts))
        texts += zip(*(display_texts(block[name], rows.classes.get(name, {})) for name in columns), strict=True)
        if len(texts) == ROWS or size > MAX_BYTES:
            break
    return limited(texts, characters)

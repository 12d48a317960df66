"""The first rows of each split as short texts, for a table that can be paged and filtered in the browser."""

import dataclasses
from collections.abc import Mapping, Sequence

import pyarrow as pa

from catalog.profile.rows import Rows, dimensions, innermost, is_list, is_number, is_text

ROWS = 2000  # of each split
CHARACTERS = 1_000_000  # of all splits together
COLUMNS = 24
VALUE_LENGTH = 200  # characters
VECTOR_LENGTH = 3  # numbers that are shown
JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # part of letters and emoji
VISIBLE = {"\n": "↵", "\t": " ", "\r": " "}


@dataclasses.dataclass(frozen=True)
class FirstRows:
    """The first rows of a split as texts.

    ``more`` columns are not shown; ``numbers`` are the names of numeric ones. ``pictures`` has, for each row, the index
    of the thumbnail of its first column, or None; it is empty if there are no pictures.
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
    numbers = frozenset(field.name for field in schema if is_number(field.type) and field.name not in rows.classes)
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


def display_texts(column: pa.Array, classes: Mapping[str, str]) -> list[str]:
    """Return values for people: texts truncated, lists of numbers summarised, labels with the name of their class."""
    kind = column.type
    if is_text(kind):
        content = column.cast(pa.binary() if pa.types.is_string(kind) else pa.large_binary()).to_pylist()
        return ["null" if value is None else truncated(value.decode(errors="replace")) for value in content]
    if pa.types.is_primitive(kind):
        values = column.cast(pa.string()).to_pylist()
        return [
            "null" if value is None else f"{classes[value]} ({value})" if value in classes else value
            for value in values
        ]
    return [_nested_text(value) if value.is_valid else "null" for value in column]


def truncated(text: str, length: int = VALUE_LENGTH) -> str:
    """Return the beginning of a text with visible line breaks; other control characters are replaced."""
    start = text[:length]
    if not start.isprintable():
        start = "".join(map(_visible, start))
    return start + "…" if len(text) > length else start


def _read(rows: Rows, split: str, columns: Sequence[str], characters: int) -> tuple[tuple[str, ...], ...]:
    texts: list[tuple[str, ...]] = []
    for batch in rows.read(split, columns):
        block = batch.slice(0, ROWS - len(texts))
        texts += zip(*(display_texts(block[name], rows.classes.get(name, {})) for name in columns), strict=True)
        if len(texts) == ROWS:
            break
    return limited(texts, characters)


def _nested_text(value: pa.Scalar) -> str:
    kind = value.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return _counted(len(value.as_py()), "byte")
    if is_list(kind) and (pa.types.is_integer(innermost(kind)) or pa.types.is_floating(innermost(kind))):
        return _numbers(value.values)
    return truncated(str(value.as_py()))


def _numbers(values: pa.Array) -> str:
    if is_list(values.type):
        return " × ".join(map(str, dimensions(values))) or _counted(len(values), "list")
    numbers = ("null" if number is None else f"{number:.3g}" for number in values[:VECTOR_LENGTH].to_pylist())
    ellipsis = ", …" if len(values) > VECTOR_LENGTH else ""
    return f"{_counted(len(values), 'number')}: {', '.join(numbers)}{ellipsis}" if len(values) else "no numbers"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _visible(character: str) -> str:
    if character.isprintable() or character in JOINERS:
        return character
    return VISIBLE.get(character, "\N{REPLACEMENT CHARACTER}")

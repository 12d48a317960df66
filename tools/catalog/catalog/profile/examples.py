"""Samples as short texts, for a table that people read."""

import dataclasses
from collections.abc import Mapping, Sequence

import pyarrow as pa

from catalog.profile.nested import dimensions, innermost, is_list, is_number
from catalog.profile.rows import Rows

LENGTH = 200  # characters of a value
VALUES = 3  # numbers of a vector
ROWS = 5
COLUMNS = 24
JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # letters and pictures are made of several with them
VISIBLE = {"\n": "↵", "\t": " ", "\r": " "}


@dataclasses.dataclass(frozen=True)
class Examples:
    """The first samples of a split, as texts; ``more`` columns are not among them, ``numbers`` are columns of those."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    split: str
    more: int = 0
    numbers: frozenset[str] = frozenset()


def examples_of(rows: Rows) -> tuple[Examples, ...]:
    """Return the first rows of each split that has any. Raises CorruptFile."""
    schema = rows.schema()
    columns, more = schema.names[:COLUMNS], len(schema.names[COLUMNS:])
    numbers = frozenset(each.name for each in schema if is_number(each.type) and each.name not in rows.classes)
    found = [Examples(tuple(columns), tuple(_first(rows, each, columns)), each, more, numbers) for each in rows.splits]
    return tuple(each for each in found if each.rows)


def shown(value: pa.Scalar, classes: Mapping[str, str]) -> str:
    """Return a value as people read it: texts shortened, lists of numbers told, a label with the name of its class."""
    kind = value.type
    if not value.is_valid:
        return "null"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return short(value.as_buffer().to_pybytes().decode(errors="replace"))
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return _amount(len(value.as_py()), "byte")
    if is_list(kind) and (pa.types.is_integer(innermost(kind)) or pa.types.is_floating(innermost(kind))):
        return _numbers(value.values)
    if pa.types.is_primitive(kind):
        text = value.cast(pa.string()).as_py()
        return f"{classes[text]} ({text})" if text in classes else text
    return short(str(value.as_py()))


def short(text: str, length: int = LENGTH) -> str:
    """Return the beginning of a text, with its line breaks made visible; other controls are not passed on."""
    kept = "".join(_visible(character) for character in text[:length])
    return kept + "…" if len(text) > length else kept


def _first(rows: Rows, split: str, columns: Sequence[str]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for batch in rows.read(split, columns):
        for row in range(min(batch.num_rows, ROWS - len(found))):
            found.append(tuple(shown(batch[name][row], rows.classes.get(name, {})) for name in columns))
        if len(found) == ROWS:
            break
    return found


def _numbers(values: pa.Array) -> str:
    if is_list(values.type):
        return " × ".join(map(str, dimensions(values))) or _amount(len(values), "list")
    first = ", ".join("null" if each is None else f"{each:.3g}" for each in values[:VALUES].to_pylist())
    rest = ", …" if len(values) > VALUES else ""
    return f"{_amount(len(values), 'number')}: {first}{rest}" if len(values) else "no numbers"


def _amount(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _visible(character: str) -> str:
    if character.isprintable() or character in JOINERS:
        return character
    return VISIBLE.get(character, "\N{REPLACEMENT CHARACTER}")

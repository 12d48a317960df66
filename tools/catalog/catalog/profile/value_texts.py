"""The values of samples as short texts for people."""

import io
import itertools
import json
import re
from collections.abc import Iterator, Mapping

import pyarrow as pa
from data_registry.samples.arrow_types import is_binary, is_file, is_list, is_string
from registry.terminal import amount

from catalog.numbers import duration
from catalog.profile.pictures import image_size
from catalog.profile.rows import dimensions, file_of, innermost, is_number

VALUE_LENGTH = 200  # characters
VECTOR_LENGTH = 3  # numbers that are shown
HEX_LENGTH = 8  # bytes that are shown
TURNS, ROLE_LENGTH = 8, 40  # messages of a chat that are shown
TURN_FIELDS = (["role", "content"], ["from", "value"])
JOINERS = "\N{ZERO WIDTH JOINER}\N{ZERO WIDTH NON-JOINER}"  # part of letters and emoji
VISIBLE = {"\n": "↵", "\t": " ", "\r": " "}
ZEROS = re.compile(r"(\.\d*[1-9])0+(?!\d)|\.0+(?!\d)")  # at the end of a fraction
DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}  # of fractions of a second


def display_texts(column: pa.Array, classes: Mapping[str, str]) -> list[str]:
    """Return values for people: texts truncated, lists of numbers summarised, labels with the name of their class.

    A chat has a line for each message; other nested values are as in JSON.
    """
    kind = column.type
    if is_string(kind):
        content = column.cast(pa.binary() if pa.types.is_string(kind) else pa.large_binary()).to_pylist()
        return ["null" if value is None else truncated(value.decode(errors="replace")) for value in content]
    if pa.types.is_primitive(kind) or pa.types.is_decimal(kind):
        return [f"{classes[value]} ({value})" if value in classes else value for value in _plain_texts(column)]
    return [_text(value) for value in column]


def truncated(text: str, length: int = VALUE_LENGTH) -> str:
    """Return the beginning of a text with visible line breaks; other control characters are replaced."""
    start = text[:length]
    if not start.isprintable():
        start = "".join(map(_visible, start))
    return start + "…" if len(text) > length else start


def file_text(name: str, image: tuple[int, int] | None, size: int | None = None) -> str:
    """Return the name of a file with the width and height of its image, and its size in bytes."""
    parts = [truncated(name)] if name else []
    parts += [f"{image[0]} × {image[1]}"] if image else []
    return ", ".join(parts if size is None else [*parts, amount(size)])


def _plain_texts(column: pa.Array) -> list[str]:
    """Return numbers, booleans, dates, times and durations as texts."""
    kind = column.type
    if pa.types.is_duration(kind):
        counts = column.cast(pa.int64()).to_pylist()
        return ["null" if count is None else _duration(count, DIGITS[kind.unit]) for count in counts]
    try:
        texts = column.cast(pa.string())
    except pa.ArrowInvalid:  # a time zone that this machine does not know
        texts = column.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.string())
    strip = pa.types.is_timestamp(kind) or pa.types.is_time(kind)
    return ["null" if text is None else ZEROS.sub(r"\1", text) if strip else text for text in texts.to_pylist()]


def _duration(count: int, digits: int) -> str:
    seconds, fraction = divmod(abs(count), 10**digits)
    return duration("-" * (count < 0), seconds, f"{fraction:0{digits}}" if digits else "")


def _text(value: pa.Scalar) -> str:
    """Return a nested value, or bytes, as text."""
    kind = value.type
    if not value.is_valid:
        return "null"
    if is_list(kind):
        if pa.types.is_integer(innermost(kind)) or pa.types.is_floating(innermost(kind)):
            return _numbers(value.values)
        if pa.types.is_struct(kind.value_type) and [field.name for field in kind.value_type] in TURN_FIELDS:
            return _turns(value.values)
    if is_binary(kind) or is_file(kind):
        return _bytes(value)
    text = ""
    for piece in _json(value):
        text += piece
        if len(text) > VALUE_LENGTH:
            break
    return truncated(text)


def _turns(messages: pa.Array) -> str:
    fields = (display_texts(field, {}) for field in messages[:TURNS].flatten())
    lines = [f"{truncated(role, ROLE_LENGTH)}: {content}" for role, content in zip(*fields, strict=True)]
    rest = len(messages) - TURNS
    return "\n".join([*lines, f"and {_counted(rest, 'more message')}"] if rest > 0 else lines) or "no messages"


def _json(value: pa.Scalar) -> Iterator[str]:
    """Yield a value as JSON in pieces, for the rest of a long one is not shown."""
    kind = value.type
    commas = itertools.chain([""], itertools.repeat(", "))
    if not value.is_valid:
        yield "null"
    elif is_file(kind) or is_binary(kind):
        yield _quoted(_bytes(value))
    elif pa.types.is_struct(kind):
        for comma, field, item in zip(commas, kind, value.values(), strict=False):
            yield f"{comma or '{'}{_quoted(field.name)}: "
            yield from _json(item)
        yield "}" if kind.num_fields else "{}"
    elif is_list(kind):
        yield "["
        for comma, item in zip(commas, value.values, strict=False):
            yield comma
            yield from _json(item)
        yield "]"
    else:
        texts = display_texts(pa.array([value], kind), {})
        yield from texts if is_number(kind) else map(_quoted, texts)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _bytes(value: pa.Scalar) -> str:
    """Return bytes by their number and the first ones, or a file by its name and size."""
    if is_file(value.type):
        data, name = file_of(value)
        size = None if data is None else len(data)
        return file_text(name, image_size(io.BytesIO(data)) if data else None, size) or "no file"
    data = value.as_py()
    start, ellipsis = data[:HEX_LENGTH].hex(" "), " …" if len(data) > HEX_LENGTH else ""
    return _counted(len(data), "byte") + (f": {start}{ellipsis}" if data else "")


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

"""The types of columns: their text, as params.yaml and the footers of manifests have it, and their Arrow type.

    timestamp[us, UTC]    decimal(10, 2)    list<struct<role: string, content: string>>    image

Arrow's own spelling is read too: ``list<item: string>``, ``date32[day]``, ``timestamp[us, tz=UTC]``, ``large_string``.
"""

import json
import re
from collections.abc import Callable

import pyarrow as pa

MAX_TYPE, MAX_NESTING = 100_000, 32  # characters and levels of the text of a type
MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])  # as Hugging Face's Image() and Audio() have it

LEAF = re.compile(r"[a-z]\w*(?:\[[^][<>()]*\]|\([^][<>()]*\))?", re.ASCII)
NAME = re.compile(r'"(?:[^"\\]|\\.)*": |(?!")(?:(?!, |: )[^<>])+: ')  # of a field: "quoted, as in JSON": or plain:
PLAIN_NAME = re.compile(r"\w(?:[\w .-]*\w)?")
SIZE = re.compile(r"\[(\d{1,9})\]")
LISTS: dict[str, Callable[[pa.Field], pa.DataType]] = {
    "list": pa.list_,
    "large_list": pa.large_list,
    "list_view": pa.list_view,
    "large_list_view": pa.large_list_view,
}
PARAMETRIC: list[tuple[re.Pattern[str], Callable[..., pa.DataType]]] = [
    (re.compile(r"timestamp\[(s|ms|us|ns), ?(?:tz=)?([\w+:/-]{1,64})\]", re.ASCII), pa.timestamp),
    (re.compile(r"time\[(s|ms)\]"), pa.time32),
    (re.compile(r"time\[(us|ns)\]"), pa.time64),
    (re.compile(r"decimal\((\d{1,2}), ?(\d{1,2})\)"), lambda *sizes: _decimal(*map(int, sizes))),
    (re.compile(r"decimal32\((\d), ?(-?\d{1,2})\)"), lambda *sizes: pa.decimal32(*map(int, sizes))),
    (re.compile(r"decimal64\((\d{1,2}), ?(-?\d{1,2})\)"), lambda *sizes: pa.decimal64(*map(int, sizes))),
    (re.compile(r"decimal128\((\d{1,2}), ?(-?\d{1,2})\)"), lambda *sizes: pa.decimal128(*map(int, sizes))),
    (re.compile(r"decimal256\((\d{1,2}), ?(-?\d{1,2})\)"), lambda *sizes: pa.decimal256(*map(int, sizes))),
    (re.compile(r"fixed_size_binary\[(\d{1,9})\]"), lambda size: pa.binary(int(size))),
    (re.compile(r"date"), pa.date32),
    (re.compile(r"image|audio"), lambda: MEDIA),
]


class UnknownType(ValueError):
    """A text that names no type."""


def parse_type(text: str) -> pa.DataType:
    """Return the Arrow type of a text. Raises UnknownType or ValueError for one that is invalid."""
    if len(text) > MAX_TYPE:
        raise ValueError(f"invalid type {text:.40}…: longer than {MAX_TYPE} characters")
    try:
        kind, end = _parsed(text, 0, 0)
    except UnknownType as error:
        raise UnknownType(f"unknown type {text!r:.200}") from error
    if end < len(text):
        raise ValueError(f"invalid type {text!r:.200}: unexpected {text[end:]!r:.40}")
    return kind


def type_text(kind: pa.DataType) -> str:
    """Return the text of an Arrow type: of another layout of the same values (``large_string``), that of the plain one.

    Raises ValueError for a type that no column can have.
    """
    return _text(kind, 0)


def same_type(one: str, other: str) -> bool:
    """Say whether two texts name the same type, whatever the items of lists are called."""
    if one == other:
        return True
    try:
        return bool(parse_type(one) == parse_type(other))
    except ValueError:
        return False


def media_field(name: str, kind: pa.DataType, text: str) -> pa.Field:
    """Return a field of a type; its metadata says whether the text of the type is ``image`` or ``audio``."""
    return pa.field(name, kind, metadata={"media": text} if text in {"image", "audio"} else None)


def media_of(field: pa.Field) -> str:
    """Return ``image`` or ``audio`` for a field that is one of them, otherwise an empty string."""
    media = (field.metadata or {}).get(b"media", b"").decode(errors="replace")
    return media if media in {"image", "audio"} and is_file(field.type) else ""


def storage_type(kind: pa.DataType) -> pa.DataType:
    """Return the type of the values of an extension type, a dictionary or runs; others as they are."""
    if isinstance(kind, pa.BaseExtensionType):
        return storage_type(kind.storage_type)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return storage_type(kind.value_type)
    return kind


def is_string(kind: pa.DataType) -> bool:
    """Say whether values of a type are text."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def is_binary(kind: pa.DataType) -> bool:
    """Say whether values of a type are bytes."""
    is_variable = pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)
    return bool(is_variable or pa.types.is_fixed_size_binary(kind))


def is_list(kind: pa.DataType) -> bool:
    """Say whether values of a type are lists."""
    is_view = pa.types.is_list_view(kind) or pa.types.is_large_list_view(kind)
    return bool(is_view or pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_file(kind: pa.DataType) -> bool:
    """Say whether values of a type are files as ``image`` and ``audio`` are: structs of bytes and path."""
    if not pa.types.is_struct(kind) or [field.name for field in kind] != ["bytes", "path"]:
        return False
    return is_binary(storage_type(kind.field(0).type)) and is_string(storage_type(kind.field(1).type))


def _parsed(text: str, start: int, depth: int) -> tuple[pa.DataType, int]:
    """Return the type that begins at ``start``, and where it ends."""
    if depth > MAX_NESTING:
        raise ValueError(f"invalid type {text:.40}…: nested deeper than {MAX_NESTING} levels")
    leaf = LEAF.match(text, start)
    if not leaf:
        raise UnknownType(f"unknown type {text[start:]!r:.200}")
    end = leaf.end()
    if text.startswith("<", end):
        kind, end = _nested(leaf[0], text, end + 1, depth + 1)
    else:
        kind = _leaf(leaf[0])
    return kind, end + len(" not null") * text.startswith(" not null", end)


def _leaf(name: str) -> pa.DataType:
    for pattern, make in PARAMETRIC:
        if match := pattern.fullmatch(name):
            try:
                return make(*match.groups())
            except ValueError as error:  # of Arrow: more digits than fit
                raise ValueError(f"invalid type {name}: {error}") from error
    try:
        return pa.type_for_alias(name)
    except ValueError:
        raise UnknownType(f"unknown type {name!r:.200}") from None


def _nested(name: str, text: str, start: int, depth: int) -> tuple[pa.DataType, int]:
    """Return the type of which ``name`` and ``<`` are read."""
    fields: list[pa.Field] = []
    end = start
    while not text.startswith(">", end):
        if fields:
            if not text.startswith(", ", end):
                raise ValueError(f"invalid type {text!r:.200}: expected , or > at {text[end:]!r:.40}")
            end += 2
        field = NAME.match(text, end)
        if not field and name == "struct":
            raise ValueError(f"invalid type {text!r:.200}: expected name: type at {text[end:]!r:.40}")
        start = field.end() if field else end
        kind, end = _parsed(text, start, depth)
        fields.append(media_field(_unquoted(field[0]) if field else "item", kind, text[start:end]))
    end += 1
    if name == "struct":
        return pa.struct(fields), end
    if len(fields) == 1:
        if name in LISTS:
            return LISTS[name](fields[0]), end
        if name == "fixed_size_list" and (size := SIZE.match(text, end)):
            return pa.list_(fields[0], int(size[1])), size.end()
    raise UnknownType(f"unknown type {text!r:.200}")


def _text(kind: pa.DataType, depth: int) -> str:
    if depth > MAX_NESTING:
        raise ValueError(f"unsupported type: nested deeper than {MAX_NESTING} levels")
    storage = storage_type(kind)
    if pa.types.is_struct(storage):
        return f"struct<{', '.join(f'{_quoted(field.name)}: {_field_text(field, depth + 1)}' for field in storage)}>"
    if is_list(storage):
        return f"list<{_field_text(storage.value_field, depth + 1)}>"
    if pa.types.is_timestamp(storage):
        return f"timestamp[{storage.unit}{f', {storage.tz}' * bool(storage.tz)}]"
    if pa.types.is_time(storage):
        return f"time[{storage.unit}]"
    if pa.types.is_duration(storage):
        return str(storage)
    if pa.types.is_decimal(storage):
        digits = max(storage.precision - min(storage.scale, 0), storage.scale)  # of decimal(3, -2) and decimal(2, 3)
        return f"decimal({digits}, {max(storage.scale, 0)})"
    if pa.types.is_floating(storage):
        return "float64" if pa.types.is_float64(storage) else "float32"
    if pa.types.is_integer(storage) or pa.types.is_boolean(storage):
        return str(storage)
    for is_kind, text in ((is_string, "string"), (is_binary, "binary"), (pa.types.is_date, "date")):
        if is_kind(storage):
            return text
    raise ValueError(f"unsupported type {kind}")


def _field_text(field: pa.Field, depth: int) -> str:
    return media_of(field) or _text(field.type, depth)


def _unquoted(name: str) -> str:
    return str(json.loads(name[:-2])) if name.startswith('"') else name[:-2]


def _quoted(name: str) -> str:
    return name if PLAIN_NAME.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _decimal(precision: int, scale: int) -> pa.DataType:
    if scale > precision:
        raise ValueError("more digits after the point than in all")
    return pa.decimal128(precision, scale) if precision <= 38 else pa.decimal256(precision, scale)

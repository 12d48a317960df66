"""Values of samples as text on one line: times as ISO 8601, files by name and size, what is nested as JSON."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from data_registry.samples.arrow_types import is_binary, is_file, is_list, media_field, media_of
from data_registry.samples.temporal import DAY, UNITS

from registry.terminal import printable


@dataclasses.dataclass(frozen=True)
class Text:
    """A value to read, and as JSON to compare: no other value of the type has the same."""

    text: str
    exact: str


def text_of(value: pa.Scalar, field: pa.Field, feature: Mapping[str, Any]) -> Text:
    """Return a value of a column, with the name of its class if ``feature``, its schema in metadata.json, has one."""
    field = media_field(field.name, field.type, feature.get("dtype", ""))
    short, exact = _plain(value, field, False), json.dumps(_plain(value, field, True), ensure_ascii=False)
    if isinstance(short, float):
        short = f"{short:.6g}"
    classes = feature.get("classes")
    name = classes.get(exact) if isinstance(classes, dict) else None
    text = short if isinstance(short, str) else json.dumps(short, ensure_ascii=False)  # None is null
    return Text(printable(f"{text} ({name})" if name else text), exact)


def _plain(value: pa.Scalar, field: pa.Field, is_exact: bool) -> Any:
    """Return a value as JSON has it."""
    kind = field.type
    if not value.is_valid:
        return None
    if is_list(kind):
        return [_plain(item, kind.value_field, is_exact) for item in value.values]
    if is_file(kind):
        content, path = (part.as_py() for part in (value[0], value[1]))
        return _size(media_of(field) or "file", content, is_exact, path)
    if pa.types.is_struct(kind):
        return {part.name: _plain(value[number], part, is_exact) for number, part in enumerate(kind)}
    if is_binary(kind):
        return _size("binary", value.as_py(), is_exact)
    if pa.types.is_duration(kind):
        return _duration(value.cast(pa.int64()).as_py(), kind.unit)
    if pa.types.is_temporal(kind) or pa.types.is_decimal(kind):
        try:
            return value.cast(pa.string()).as_py()
        except pa.ArrowInvalid:  # a time zone that this machine does not know
            return value.cast(pa.timestamp(kind.unit, "UTC")).cast(pa.string()).as_py()
    return value.as_py()


def _size(kind: str, content: bytes | None, is_exact: bool, path: str | None = None) -> str:
    """Return kind, size and name of bytes, as ``<image, 12 345 bytes, name.png>``; if exact, with part of the hash."""
    parts = [kind, *[f"sha256 {hashlib.sha256(content or b'').hexdigest()[:12]}…"] * is_exact]
    parts += ["no content"] if content is None else [f"{len(content):,} bytes".replace(",", " ")]
    return f"<{', '.join([*parts, *([path] if path else [])])}>"


def _duration(count: int, unit: str) -> str:
    seconds, parts = divmod(abs(count), UNITS[unit])
    days, seconds = divmod(seconds, DAY)
    fraction = f".{parts:0{len(str(UNITS[unit])) - 1}d}" * bool(parts)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{fraction}"
    return f"{'-' * (count < 0)}{f'{days} days ' * bool(days)}{clock}"

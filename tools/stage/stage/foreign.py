"""Read JSON and YAML from outside, with limits, and check its shape; anything else is one error line.

A shape is a type (``str``, ``int``, ``float``, ``bool``, ``list``, ``dict``, ``object`` for anything), ``None``, a
compiled pattern for all of a string, a ``range`` of integers, ``[shape]`` for a list, ``{str: shape}`` for a mapping
with string keys, ``{"key": shape, "other?": shape}`` for a mapping with these keys (those with ``?`` are optional;
further ones are allowed, or have the shape of ``str``), or a tuple of alternatives.
"""

import codecs
import json
import math
import os
import re
import stat
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from .errors import CorruptFile, StageError
from .locks import opened

MAX_BYTES = 64 << 20
MAX_DEPTH = 64
BYTES_PER_VALUE = 16  # a document may have one value per so many bytes of its limit: each takes about 100 in memory
MAX_YAML_BYTES = 16 << 20
MAX_YAML_VALUES = 200_000  # PyYAML takes 400 bytes for each; counted with aliases expanded
SAFE_LEVELS = 400  # that the C loader of YAML composes on any stack
SURROGATE = re.compile(rb"\\(?:u|U0000)[dD][89a-fA-F]")
BLOCKS = re.compile(r"^[ ]*(?:[-?:][ \t]+)*", re.MULTILINE)  # the indentation and marks that open the levels of a line
SEXAGESIMAL = re.compile(r"(?::[0-5]?[0-9]){100}")  # PyYAML reads 1:30 as 90, in quadratic time
NAMES = {str: "a string", int: "an integer", float: "a number", bool: "a boolean", list: "a list", dict: "a mapping"}
SCALARS = (str, int, float, bool, date, type(None))
# Raised by PyYAML's constructors for an invalid tagged value, such as !!timestamp x.
TAG_ERRORS = (ValueError, LookupError, AttributeError, TypeError, OverflowError, RecursionError)
KINDS: dict[type, type] = {list: list, dict: dict, re.Pattern: str, range: int}  # of values, by type of shape
Kind = type[StageError]


def read_bytes(path: Path, limit: int = MAX_BYTES, error: Kind = CorruptFile) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Raises ``error`` for anything else (a pipe or device would never end), OSError if it cannot be opened.
    """
    with opened(path, os.O_RDONLY | os.O_NONBLOCK) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise error(path, "is not a regular file", "replace it with a regular file")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    if len(content) > limit:
        raise error(path, f"is larger than {limit} bytes", "check its source")
    return content


def read_json(
    content: bytes | str,
    where: object,
    shape: Any = object,
    error: Kind = CorruptFile,
    fix: str = "correct it",
    limit: int = MAX_BYTES,
) -> Any:
    """Return the value of a JSON document (RFC 8259) of at most ``limit`` bytes.

    Raises ``error`` for invalid JSON, NaN, lone surrogates, another shape, or if it is too large or too deep.
    """
    raw = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    values = max(limit // BYTES_PER_VALUE, 1)
    if len(raw) > limit:
        raise error(where, f"invalid JSON: larger than {limit} bytes", fix)
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > values:  # each value but the first follows one of them
        raise error(where, f"invalid JSON: more than {values} values", fix)
    try:
        # Decoded here: json's own decoding lets lone surrogates pass.
        value = json.loads(raw.removeprefix(codecs.BOM_UTF8).decode(), parse_constant=_finite, parse_float=_finite)
        _check_depth(value)
        if SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as failure:
        raise error(where, f"invalid JSON: nested deeper than {MAX_DEPTH} levels", fix) from failure
    except ValueError as failure:  # JSONDecodeError, UnicodeError, integers of thousands of digits
        raise error(where, f"invalid JSON: {failure}", fix) from failure
    return _shaped(value, where, shape, error, fix)


def read_yaml(
    content: bytes | str, where: object, shape: Any = object, error: Kind = CorruptFile, fix: str = "correct it"
) -> Any:
    """Return the value of a YAML document; an empty one is None.

    Raises ``error`` for invalid YAML, aliases that expand without bounds, another shape, or if it is too large or deep.
    """
    import yaml  # lazy: many runs need none, and its import takes as long as click's

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, if PyYAML was built with it
    if len(content) > MAX_YAML_BYTES:
        raise error(where, f"invalid YAML: larger than {MAX_YAML_BYTES} bytes", fix)
    try:
        text = content.decode() if isinstance(content, bytes) else content
        if not _is_plain(text):
            _check_events(yaml.parse(text, Loader=loader))
        value = yaml.load(text, Loader=loader)  # noqa: S506 (it is one of the safe ones)
        _check_depth(value)
        if SURROGATE.search(text.encode(errors="surrogatepass")):
            json.dumps(value, ensure_ascii=False, default=str).encode()
    except (yaml.YAMLError, *TAG_ERRORS) as failure:
        what = str(failure).replace('in "<unicode string>", ', "at ")
        raise error(where, f"invalid YAML: {what}", fix) from failure
    return _shaped(value, where, shape, error, fix)


def check_shape(value: Any, shape: Any) -> str:
    """Return how a value differs from a shape, as ``a.b[0]: expected a string, got a list``; or ''."""
    problem = _problem(value, shape)
    return f"{problem[0].removeprefix('.') or 'document'}: {problem[1]}" if problem else ""


def _problem(value: Any, shape: Any) -> tuple[str, str] | None:
    """Return path and description of the first problem in a value."""
    if isinstance(shape, tuple):
        problems = [_problem(value, alternative) for alternative in shape]
        return None if None in problems else max(filter(None, problems), key=lambda problem: len(problem[0]))
    kind = KINDS.get(type(shape), shape)
    if not _has_type(value, kind):
        got = "null" if value is None else NAMES.get(type(value), type(value).__name__)
        return "", f"expected {NAMES.get(kind, 'null')}, got {got}"
    if isinstance(shape, re.Pattern) and not shape.fullmatch(value):
        return "", f"expected {shape.pattern}"
    if isinstance(shape, range) and value not in shape:
        return "", f"expected {shape.start} to {shape.stop - 1}"
    if isinstance(shape, list):
        for index, item in enumerate(value):
            if problem := _problem(item, shape[0]):
                return f"[{index}]{problem[0]}", problem[1]
    return _problem_of_mapping(value, shape) if isinstance(shape, dict) else None


def _has_type(value: Any, kind: Any) -> bool:
    if kind is None or type(value) is bool:
        return value is None if kind is None else kind in {bool, object}
    return isinstance(value, kind) or (kind is float and isinstance(value, int))


def _problem_of_mapping(value: dict[Any, Any], shape: dict[Any, Any]) -> tuple[str, str] | None:
    for key in shape:
        if key is not str and not key.endswith("?") and key not in value:
            return "", f"{key} is missing"
    others = shape.get(str, object)
    for key, item in value.items():
        if not isinstance(key, str):
            return "", f"expected string keys, got {type(key).__name__}"
        expected = shape[key] if key in shape else shape.get(f"{key}?", others)
        if expected is not object and (problem := _problem(item, expected)):
            return f".{key}{problem[0]}", problem[1]
    return None


def _shaped(value: Any, where: object, shape: Any, error: Kind, fix: str) -> Any:
    if shape is not object and (problem := check_shape(value, shape)):
        raise error(where, f"invalid: {problem}", fix)
    return value


def _check_depth(value: Any) -> None:
    """Raise ValueError if a value is nested too deeply or has what JSON does not: sets, bytes, endless integers."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = list(_children(level))
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _children(level: list[Any]) -> Iterator[Any]:
    for value in level:
        if isinstance(value, dict):
            yield from value.values()
            if any(type(key) is not str for key in value):
                yield from value
        elif isinstance(value, list):
            yield from value
        elif not isinstance(value, SCALARS):
            raise ValueError(f"unsupported value: {type(value).__name__}")
        elif type(value) is int and value.bit_length() > 8192:
            raise ValueError("integer with thousands of digits")


def _is_plain(text: str) -> bool:
    """Say whether a text has no YAML anchors, and bounded size and depth: the loader recurses on the C stack."""
    if SEXAGESIMAL.search(text):
        raise ValueError("sexagesimal number with too many parts")
    brackets = text.count("[") + text.count("{")
    if "&" in text or brackets > SAFE_LEVELS:
        return False
    if sum(map(text.count, "\n\r\x85\u2028\u2029,:-?")) + brackets > MAX_YAML_VALUES:  # each value follows one of them
        return False
    return 2 * max(len(match[0]) for match in BLOCKS.finditer(text)) + brackets < SAFE_LEVELS


def _check_events(events: Any) -> None:
    """Raise ValueError if YAML nests too deeply, or has too many values when its aliases are expanded."""
    import yaml

    sizes: dict[str, int] = {}  # by anchor, once its value is complete
    opened: list[tuple[str | None, int]] = []
    count = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"alias {event.anchor:.50} is recursive or undefined")
            count += sizes[event.anchor]
        elif isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, count))
            sizes.pop(event.anchor or "", None)
            count += 1
            if len(opened) > MAX_DEPTH:
                raise ValueError(f"nested deeper than {MAX_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor:
                sizes[anchor] = count - before
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            if event.anchor:
                sizes[event.anchor] = 1
        if count > MAX_YAML_VALUES:
            raise ValueError(f"more than {MAX_YAML_VALUES} values, with aliases expanded")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"unsupported number {text:.40}")
    return value

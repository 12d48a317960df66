"""Read JSON and YAML that others wrote. What comes back has the expected shape; anything else is one error line.

A shape is a type (``str``, ``int``, ``float``, ``bool``, ``list``, ``dict``, ``object`` for anything), ``None``, a
compiled pattern that a text must match as a whole, a ``range`` of integers, ``[shape]`` for a list, ``{str: shape}``
for a mapping with text keys, ``{"key": shape, "other?": shape}`` for a mapping that has these keys (those with ``?``
may be absent, further ones are let through, or have the shape of ``str``), or a tuple of alternatives.
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
from typing import Any, NoReturn

from .errors import CorruptFile, StageError

MAX_BYTES = 64 << 20
MAX_DEPTH = 64
BYTES_OF_A_VALUE = 16  # a document may hold one value for so many bytes of its limit: each takes about 100 in memory
MAX_YAML_BYTES = 16 << 20
MAX_YAML_VALUES = 200_000  # PyYAML takes 400 bytes for each; those behind aliases counted as often as they are named
SHALLOW = 400  # levels that the C loader of YAML composes on any stack
SURROGATE = re.compile(rb"\\(?:u|U0000)[dD][89a-fA-F]")
BLOCKS = re.compile(r"^[ ]*(?:[-?:][ \t]+)*", re.MULTILINE)  # what is before a line's first value opens its levels
SEXAGESIMAL = re.compile(r"(?::[0-5]?[0-9]){100}")  # PyYAML reads 1:30 as 90, in quadratic time
NAMES = {str: "a text", int: "an integer", float: "a number", bool: "true or false", list: "a list", dict: "a mapping"}
SCALARS = (str, int, float, bool, date, type(None))
Kind = type[StageError]


def read_bytes(path: Path, limit: int = MAX_BYTES, error: Kind = CorruptFile) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Raises ``error`` for anything else (a pipe or device would never end), OSError where it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise error(path, "is not a regular file", "replace it by one")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(limit + 1)
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise error(path, f"is larger than {limit} bytes", "check where it comes from")
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

    Raises ``error`` for invalid JSON, NaN, lone surrogates, another shape, or what is too large or too deep.
    """
    raw = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    values = max(limit // BYTES_OF_A_VALUE, 1)
    if len(raw) > limit:
        raise error(where, f"invalid JSON: larger than {limit} bytes", fix)
    if raw.count(b",") + raw.count(b"[") + raw.count(b"{") > values:  # each value but the first is after one of them
        raise error(where, f"invalid JSON: more than {values} values", fix)
    try:
        # Decoded here: what json decodes itself may hold halves of characters.
        value = json.loads(raw.removeprefix(codecs.BOM_UTF8).decode(), parse_constant=_not_json, parse_float=_finite)
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

    Raises ``error`` for invalid YAML, aliases that expand without bounds, another shape, or what is too large or deep.
    """
    import yaml  # lazy: many runs read none, and its import takes as long as click's

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with it
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
    except (
        yaml.YAMLError,
        ValueError,
        LookupError,
        AttributeError,
        TypeError,
        OverflowError,
        RecursionError,
    ) as failure:
        # All but the first: what PyYAML's constructors raise for a tagged value that is none, as !!timestamp x.
        what = str(failure).replace('in "<unicode string>", ', "at ")
        raise error(where, f"invalid YAML: {what}", fix) from failure
    return _shaped(value, where, shape, error, fix)


def check_shape(value: Any, shape: Any) -> str:
    """Return what is wrong with a value that should have a shape, as ``a.b[0]: expected a text, got a list``; or ''."""
    problem = _problem(value, shape)
    return f"{problem[0].removeprefix('.') or 'document'}: {problem[1]}" if problem else ""


def _problem(value: Any, shape: Any) -> tuple[str, str] | None:
    """Return where below a value the first problem is, and what."""
    if isinstance(shape, tuple):
        problems = [_problem(value, each) for each in shape]
        return None if None in problems else max(filter(None, problems), key=lambda each: len(each[0]))
    if isinstance(shape, list):
        if not isinstance(value, list):
            return "", _expected(value, list)
        for index, item in enumerate(value):
            if problem := _problem(item, shape[0]):
                return f"[{index}]{problem[0]}", problem[1]
        return None
    if isinstance(shape, dict):
        return _problem_of_mapping(value, shape)
    if isinstance(shape, re.Pattern):
        if isinstance(value, str) and shape.fullmatch(value):
            return None
        return "", _expected(value, str) if not isinstance(value, str) else f"expected {shape.pattern}"
    if isinstance(shape, range):
        if type(value) is int and value in shape:
            return None
        return "", _expected(value, int) if type(value) is not int else f"expected {shape.start} to {shape.stop - 1}"
    if shape is None:
        return None if value is None else ("", _expected(value, None))
    matches = isinstance(value, shape) or (shape is float and isinstance(value, int))
    return None if matches and (type(value) is not bool or shape in {bool, object}) else ("", _expected(value, shape))


def _problem_of_mapping(value: Any, shape: dict[Any, Any]) -> tuple[str, str] | None:
    if not isinstance(value, dict):
        return "", _expected(value, dict)
    for key in shape:
        if key is not str and not key.endswith("?") and key not in value:
            return "", f"{key} is missing"
    others = shape.get(str, object)
    for key, item in value.items():
        if not isinstance(key, str):
            return "", f"expected text keys, got {type(key).__name__}"
        wanted = shape[key] if key in shape else shape.get(f"{key}?", others)
        if wanted is not object and (problem := _problem(item, wanted)):
            return f".{key}{problem[0]}", problem[1]
    return None


def _shaped(value: Any, where: object, shape: Any, error: Kind, fix: str) -> Any:
    if shape is not object and (problem := check_shape(value, shape)):
        raise error(where, f"invalid: {problem}", fix)
    return value


def _check_depth(value: Any) -> None:
    """Raise ValueError for what is nested too deeply, and for what JSON cannot say: sets, bytes, endless integers."""
    level = [value]
    for _ in range(MAX_DEPTH + 1):
        level = list(_children(level))
        if not level:
            return
    raise ValueError(f"nested deeper than {MAX_DEPTH} levels")


def _children(level: list[Any]) -> Iterator[Any]:
    for each in level:
        if isinstance(each, dict):
            yield from each.values()
            if any(type(key) is not str for key in each):
                yield from each
        elif isinstance(each, list):
            yield from each
        elif not isinstance(each, SCALARS):
            raise ValueError(f"unsupported value: {type(each).__name__}")
        elif type(each) is int and each.bit_length() > 8192:
            raise ValueError("an integer of thousands of digits")


def _is_plain(text: str) -> bool:
    """Say whether a text is YAML without anchors, of bounded size and depth: the loader recurses, on C's own stack."""
    if SEXAGESIMAL.search(text):
        raise ValueError("a number of too many parts, separated by colons")
    brackets = text.count("[") + text.count("{")
    if "&" in text or brackets > SHALLOW:
        return False
    if sum(map(text.count, "\n\r\x85\u2028\u2029,:-?")) + brackets > MAX_YAML_VALUES:  # each value is after one of them
        return False
    return 2 * max(len(found[0]) for found in BLOCKS.finditer(text)) + brackets < SHALLOW


def _check_events(events: Any) -> None:
    """Raise ValueError where YAML nests too deeply, or its aliases stand for more than a document may hold."""
    import yaml

    sizes: dict[str, int] = {}  # of what an anchor names, once it is complete
    opened: list[tuple[str | None, int]] = []
    count = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in sizes:
                raise ValueError(f"alias {event.anchor:.50} is within what it names, or names nothing")
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
            raise ValueError(f"more than {MAX_YAML_VALUES} values, those behind aliases included")


def _expected(value: Any, kind: Any) -> str:
    got = "nothing" if value is None else NAMES.get(type(value), type(value).__name__)
    return f"expected {NAMES.get(kind, 'nothing')}, got {got}"


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text:.40} is too large")
    return value


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")

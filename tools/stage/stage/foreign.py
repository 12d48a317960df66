"""Read JSON and YAML that others wrote. What comes back has the expected shape; anything else is one error line.

A shape is a type (``str``, ``int``, ``float``, ``bool``, ``list``, ``dict``, ``object`` for anything), ``None``,
``[shape]`` for a list, ``{str: shape}`` for a mapping with text keys, ``{"key": shape, "other?": shape}`` for a mapping
that has these keys (those with ``?`` may be absent, further ones are let through), or a tuple of alternatives.
"""

import json
import os
import re
import stat
from pathlib import Path
from typing import Any, NoReturn

from stage.errors import CorruptFile, StageError

MAX_BYTES = 256 << 20
MAX_DEPTH = 64
MAX_NODES = 10_000_000  # values of a document
MAX_YAML_NODES = 1_000_000  # those behind YAML's aliases counted as often as they are named
SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
NAMES = {str: "a text", int: "an integer", float: "a number", bool: "true or false", list: "a list", dict: "a mapping"}
# What PyYAML's constructors raise for a tagged value that is invalid, as !!timestamp x.
CONSTRUCTING = (ValueError, LookupError, AttributeError, TypeError, OverflowError, RecursionError)
Kind = type[StageError]


def read_bytes(path: Path, limit: int = MAX_BYTES, error: Kind = CorruptFile) -> bytes:
    """Return the content of a regular file of at most ``limit`` bytes.

    Raises ``error`` for anything else (a pipe or device would never end), OSError where it cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise error(path, "is not a regular file", "replace it by one")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise error(path, f"is larger than {limit} bytes", "check where it comes from")
    return content


def read_json(
    content: bytes | str, where: object, shape: Any = object, error: Kind = CorruptFile, fix: str = "correct it"
) -> Any:
    """Return the value of a JSON document (RFC 8259).

    Raises ``error`` for invalid JSON, NaN, lone surrogates, another shape, or what is too large or too deep.
    """
    raw = content.encode(errors="surrogatepass") if isinstance(content, str) else content
    if len(raw) > MAX_BYTES:
        raise error(where, f"invalid JSON: larger than {MAX_BYTES} bytes", fix)
    try:
        value = json.loads(raw, parse_constant=_not_json)
        if SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as failure:
        raise error(where, f"invalid JSON: nested deeper than {MAX_DEPTH} levels", fix) from failure
    except ValueError as failure:  # JSONDecodeError, UnicodeError, integers of thousands of digits
        raise error(where, f"invalid JSON: {failure}", fix) from failure
    return _checked(value, where, shape, error, fix)


def read_yaml(
    content: bytes | str, where: object, shape: Any = object, error: Kind = CorruptFile, fix: str = "correct it"
) -> Any:
    """Return the value of a YAML document; an empty one is None.

    Raises ``error`` for invalid YAML, aliases that expand without bounds, another shape, or what is too large or deep.
    """
    import yaml  # lazy: many runs read none, and its import takes as long as click's

    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where PyYAML was built with it
    if len(content) > MAX_BYTES:
        raise error(where, f"invalid YAML: larger than {MAX_BYTES} bytes", fix)
    try:
        text = content.decode() if isinstance(content, bytes) else content
        _check_events(yaml.parse(text, Loader=loader))  # first: the loader itself overflows the stack of deep documents
        value = yaml.load(text, Loader=loader)  # noqa: S506 (it is one of the safe ones)
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
        raise error(where, f"invalid YAML: {failure}", fix) from failure
    return _checked(value, where, shape, error, fix)


def check_shape(value: Any, shape: Any, path: str = "") -> str:
    """Return what is wrong with a value that should have a shape, as ``a.b[0]: expected a text, got a list``; or ''."""
    if isinstance(shape, tuple):
        problems = [check_shape(value, each, path) for each in shape]
        return problems[-1] if all(problems) else ""
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _expected(value, list, path)
        parts = (check_shape(item, shape[0], f"{path}[{index}]") for index, item in enumerate(value))
    elif isinstance(shape, dict):
        if not isinstance(value, dict):
            return _expected(value, dict, path)
        if not all(isinstance(key, str) for key in value):
            return f"{path or 'document'}: expected text keys"
        for key in shape:
            if isinstance(key, str) and not key.endswith("?") and key not in value:
                return f"{path or 'document'}: {key} is missing"
        parts = (
            check_shape(item, wanted, f"{path}.{key}" if path else key)
            for key, item in value.items()
            if (wanted := shape.get(key, shape.get(f"{key}?", shape.get(str)))) is not None or key in shape
        )
    else:
        matches = value is None if shape is None else isinstance(value, shape)
        matches |= shape is float and isinstance(value, int)
        return "" if matches and (shape in {bool, object} or type(value) is not bool) else _expected(value, shape, path)
    return next(filter(None, parts), "")


def _checked(value: Any, where: object, shape: Any, error: Kind, fix: str) -> Any:
    level, count = [value], 0
    for _ in range(MAX_DEPTH):
        level = [
            child
            for each in level
            if isinstance(each, dict | list)
            for child in (each.values() if isinstance(each, dict) else each)
        ]
        count += len(level)
        if not level:
            break
        if count > MAX_NODES:
            raise error(where, f"invalid: more than {MAX_NODES} values", fix)
    if level:
        raise error(where, f"invalid: nested deeper than {MAX_DEPTH} levels", fix)
    if problem := check_shape(value, shape):
        raise error(where, f"invalid: {problem}", fix)
    return value


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
        if count > MAX_YAML_NODES:
            raise ValueError(f"more than {MAX_YAML_NODES} values, those behind aliases included")


def _expected(value: Any, kind: Any, path: str) -> str:
    got = "nothing" if value is None else NAMES.get(type(value), type(value).__name__)
    return f"{path or 'document'}: expected {NAMES.get(kind, 'nothing')}, got {got}"


def _not_json(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")

"""A sample that somebody asks for: by its id, as a file, a row or a text, and what it is called in each dataset."""

import dataclasses
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from data_registry.samples import Manifest, UnsupportedType, digests, encode
from data_registry.stage.errors import InputMissing, UsageError
from data_registry.stage.foreign import read_bytes, read_json
from data_registry.training.arrow_types import parse_type

ID = re.compile(r"[0-9a-f]{32}")


@dataclasses.dataclass(frozen=True)
class Sought:
    """What is asked for: ``kind`` is id, file, row or text."""

    kind: str
    value: Any

    @classmethod
    def parse(cls, text: str) -> "Sought":
        """Read 32 hex digits, ``file:PATH``, ``row:JSON``, or any other text.

        Raises InputMissing for a file that is not there, UsageError for what is no JSON array or object.
        """
        if not text:
            raise UsageError("SAMPLE", "is empty", "give an id, file:PATH, row:JSON or a text")
        if ID.fullmatch(text):
            return cls("id", bytes.fromhex(text))
        if text.startswith("file:"):
            path = Path(text.removeprefix("file:"))
            if not path.is_file():
                raise InputMissing(path, "no such file", "check SAMPLE=file:PATH")
            return cls("file", read_bytes(path, path.stat().st_size, UsageError))
        if not text.startswith("row:"):
            return cls("text", text)
        fix = """write row:["text","label"]"""
        return cls("row", read_json(text.removeprefix("row:"), "SAMPLE row", (list, dict), UsageError, fix))


@dataclasses.dataclass(frozen=True)
class Names:
    """What a sample may be called in a manifest: digests of its key or content, and files that it may be."""

    keys: frozenset[bytes] = frozenset()
    contents: frozenset[bytes] = frozenset()
    files: frozenset[str] = frozenset()


def names_in(sought: Sought, manifest: Manifest) -> Names:
    """Return what the sample would be called in a dataset; nothing where it cannot be one of its samples."""
    columns = dict(manifest.columns)
    key = manifest.key or list(columns)
    keys, contents, files = set(), set(), set()
    for row in _rows(sought, columns, key):
        try:
            types = {name: parse_type(columns[name]) for name in row}
            whole = pa.record_batch([pa.array([row[name]], kind) for name, kind in types.items()], names=list(types))
            if set(columns) <= set(row):
                contents.add(digests(encode(whole.select(list(columns))))[0].tobytes())
            keys.add(digests(encode(whole.select(key)))[0].tobytes())
        except (ValueError, TypeError, OverflowError, UnsupportedType):  # another dataset's types
            continue
    if sought.kind == "file":
        sha256 = hashlib.sha256(sought.value).hexdigest()
        files = {name for name, each in manifest.files.items() if each == sha256}
    return Names(frozenset(keys), frozenset(contents), frozenset(files))


def _rows(sought: Sought, columns: dict[str, str], key: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the sample as rows of a dataset's columns, or of its key alone."""
    if sought.kind == "row":
        if isinstance(sought.value, list):
            for names in (list(columns), key):
                if len(names) == len(sought.value):
                    yield dict(zip(names, sought.value, strict=True))
                    return
        elif set(key) <= set(sought.value) <= set(columns):
            yield sought.value
    elif len(key) == 1 and sought.kind in {"text", "file"}:
        (name,) = key
        if sought.kind == "text" and columns[name] in {"string", "large_string"}:
            yield {name: sought.value}
        if sought.kind == "file" and columns[name] in {"binary", "large_binary"}:
            yield {name: sought.value}
        if sought.kind == "file" and columns[name] in {"string", "large_string"}:
            text = sought.value.decode(errors="replace")
            yield from ({name: each} for each in dict.fromkeys([text, text.removesuffix("\n")]))

"""A sample to look for: by id, as a file, a row or a text; and the names that a manifest may have for it."""

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

ID = re.compile(r"[0-9a-f]{32}")


@dataclasses.dataclass(frozen=True)
class Query:
    """A sample to look for; ``kind`` is id, file, row or text."""

    kind: str
    value: Any

    @classmethod
    def parse(cls, text: str) -> "Query":
        """Read 32 hex digits, ``file:PATH``, ``row:JSON``, or any other text.

        Raises InputMissing for a missing file, UsageError for invalid JSON.
        """
        if not text:
            raise UsageError("SAMPLE", "not set", "use an id, file:PATH, row:JSON or a text")
        if ID.fullmatch(text):
            return cls("id", bytes.fromhex(text))
        if text.startswith("file:"):
            path = Path(text.removeprefix("file:"))
            if not path.is_file():
                raise InputMissing(path, "file not found", "check SAMPLE=file:PATH")
            return cls("file", read_bytes(path, path.stat().st_size, UsageError))
        if not text.startswith("row:"):
            return cls("text", text)
        fix = """write row:["text","label"]"""
        return cls("row", read_json(text.removeprefix("row:"), "SAMPLE row", (list, dict), UsageError, fix))


@dataclasses.dataclass(frozen=True)
class Names:
    """What identifies a sample in a manifest: digests of its key or content, and files that it may be."""

    keys: frozenset[bytes] = frozenset()
    contents: frozenset[bytes] = frozenset()
    files: frozenset[str] = frozenset()


def names_in(query: Query, manifest: Manifest) -> Names:
    """Return the names of the sample in a dataset; empty where its columns do not fit."""
    columns = dict(manifest.columns)
    key = manifest.key or list(columns)
    keys, contents, files = set(), set(), set()
    for row in _rows(query, columns, key):
        try:
            declared = manifest.schema
            schema = pa.schema([declared.field(name) for name in row])
            sample = pa.record_batch([pa.array([row[field.name]], field.type) for field in schema], schema=schema)
            if set(columns) <= set(row):
                contents.add(digests(encode(sample.select(list(columns))))[0].tobytes())
            keys.add(digests(encode(sample.select(key)))[0].tobytes())
        except (ValueError, TypeError, OverflowError, UnsupportedType):  # the values do not fit this dataset's types
            continue
    if query.kind == "file":
        sha256 = hashlib.sha256(query.value).hexdigest()
        files = {name for name, digest in manifest.files.items() if digest == sha256}
    return Names(frozenset(keys), frozenset(contents), frozenset(files))


def _rows(query: Query, columns: dict[str, str], key: list[str]) -> Iterator[dict[str, Any]]:
    """Yield the sample as rows of a dataset's columns, or of its key alone."""
    if query.kind == "row":
        if isinstance(query.value, list):
            for names in (list(columns), key):
                if len(names) == len(query.value):
                    yield dict(zip(names, query.value, strict=True))
                    return
        elif set(key) <= set(query.value) <= set(columns):
            yield query.value
    elif len(key) == 1 and query.kind in {"text", "file"}:
        (name,) = key
        if query.kind == "text" and columns[name] in {"string", "large_string"}:
            yield {name: query.value}
        if query.kind == "file" and columns[name] in {"binary", "large_binary"}:
            yield {name: query.value}
        if query.kind == "file" and columns[name] in {"string", "large_string"}:
            text = query.value.decode(errors="replace")
            yield from ({name: value} for value in dict.fromkeys([text, text.removesuffix("\n")]))

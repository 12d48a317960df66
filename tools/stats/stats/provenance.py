"""The provenance of a dataset: pinned sources or parent release, settings, and images of the tools."""

import csv
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stage.errors import CorruptFile, InputMissing, UsageError
from stage.foreign import read_bytes, read_json, read_yaml

SYNTHETIC = "#synthetic"  # fragment of the URLs of bundled sample data
MAX_SOURCES = 100  # in metadata.json
DESCRIPTIVE = {"dataset", "upstream", "card"}  # sections of params.yaml that do not affect the data


@dataclasses.dataclass(frozen=True)
class Source:
    """A raw file: its SHA-256 and size, and its URLs."""

    name: str
    sha256: str
    bytes: int
    urls: list[str]


@dataclasses.dataclass(frozen=True)
class SourceList:
    """The file ``sources.csv``: its SHA-256, and the number and total size of its files."""

    sha256: str
    files: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class Provenance:
    """What is needed to build the same dataset again; no time or host, so that the same inputs give the same bytes.

    ``sources`` is empty if there are more than ``MAX_SOURCES``.
    """

    source_list: SourceList
    sources: list[Source]
    params: dict[str, Any]
    tools: dict[str, str]
    sample: bool  # whether any URL is that of bundled sample data


@dataclasses.dataclass(frozen=True)
class Parent:
    """The release of another dataset that a dataset is made from."""

    dataset: str
    version: str
    logical_hash: str


@dataclasses.dataclass(frozen=True)
class Derived:
    """What is needed to build a dataset again that is made from a release of another."""

    parents: list[Parent]
    params: dict[str, Any]
    tools: dict[str, str]
    sample: bool


def read_parent_provenance(parent: Path, params: Path, tools: Mapping[str, str]) -> Derived:
    """Read the provenance of a dataset made from the release in the folder ``parent``, which has a ``release.json``.

    Raises InputMissing or CorruptFile for that file, UsageError for a setting that JSON cannot represent.
    """
    path = parent / "release.json"
    shape = {"dataset": str, "version": str, "logical_hash": str, "sample": bool}
    try:
        values = read_json(read_bytes(path), path, shape, CorruptFile, "run the stage registry")
    except FileNotFoundError as error:
        raise InputMissing(path, "file not found", "run the stage registry") from error
    release = Parent(values["dataset"], values["version"], values["logical_hash"])
    return Derived([release], _settings(params), dict(sorted(tools.items())), values["sample"])


def read_provenance(sources: Path, params: Path, tools: Mapping[str, str]) -> Provenance:
    """Read the provenance from ``sources.csv``, ``params.yaml`` and the images of the tools.

    Raises UsageError for an invalid ``sources.csv``, or a setting that JSON cannot represent.
    """
    pinned: dict[str, Source] = {}
    with sources.open(encoding="utf-8", newline="") as file:
        try:
            for row in csv.DictReader(file):
                source = Source(row["name"], row["sha256"], int(row["bytes"]), [])
                pinned.setdefault(source.name, source).urls.append(row["url"])
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            fix = "columns are name,url,sha256,bytes"
            raise UsageError(sources, f"invalid list of sources: {error}", fix) from error
    return Provenance(
        source_list=SourceList(
            hashlib.sha256(sources.read_bytes()).hexdigest(),
            len(pinned),
            sum(source.bytes for source in pinned.values()),
        ),
        sources=list(pinned.values()) if len(pinned) <= MAX_SOURCES else [],
        params=_settings(params),
        tools=dict(sorted(tools.items())),
        sample=any(url.endswith(SYNTHETIC) for source in pinned.values() for url in source.urls),
    )


def _settings(params: Path) -> dict[str, Any]:
    """Return the sections of params.yaml that affect the data."""
    content = read_bytes(params, error=UsageError)
    document = read_yaml(content, params, (dict, None), UsageError, "correct the file") or {}
    try:
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()  # ValueError: NaN, or a lone surrogate
    except (TypeError, ValueError) as error:
        raise UsageError(params, f"cannot be represented in JSON: {error}", "quote dates and similar values") from error
    return {name: section for name, section in document.items() if name not in DESCRIPTIVE}

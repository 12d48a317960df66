"""Where a data set comes from: its pinned sources, the settings and the tools that made it."""

import csv
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stage.errors import CorruptFile, InputMissing, UsageError
from stage.foreign import read_bytes, read_json, read_yaml

SYNTHETIC = "#synthetic"  # the fragment by which the address of sample data says that it is made up
LISTED = 100  # sources that a person might read
DESCRIBING = {"dataset", "upstream", "card"}  # sections of params.yaml that decide nothing about the bytes


@dataclasses.dataclass(frozen=True)
class Source:
    """A raw file: its pin, and the addresses it may come from."""

    name: str
    sha256: str
    bytes: int
    urls: list[str]


@dataclasses.dataclass(frozen=True)
class SourceList:
    """The file ``sources.csv``: its SHA-256, and how many files of how many bytes it pins."""

    sha256: str
    files: int
    bytes: int


@dataclasses.dataclass(frozen=True)
class Provenance:
    """What must be known to build the same data set again. No time, no host: the same inputs give the same record.

    Above ``LISTED`` sources the list alone stands for them.
    """

    source_list: SourceList
    sources: list[Source]
    params: dict[str, Any]
    tools: dict[str, str]
    sample: bool  # built from data whose address says that it is synthetic, as that of the bundled samples does


@dataclasses.dataclass(frozen=True)
class Parent:
    """The release of another data set that one is made from."""

    dataset: str
    version: str
    logical_hash: str


@dataclasses.dataclass(frozen=True)
class Derived:
    """What must be known to build a data set again that is made from a release of another."""

    parents: list[Parent]
    params: dict[str, Any]
    tools: dict[str, str]
    sample: bool


def read_parentage(parent: Path, params: Path, tools: Mapping[str, str]) -> Derived:
    """Collect the provenance of what is made from the release in the folder ``parent``, by its ``release.json``.

    Raises InputMissing or CorruptFile where that does not say it, UsageError where a setting has no form in JSON.
    """
    path = parent / "release.json"
    shape = {"dataset": str, "version": str, "logical_hash": str, "sample": bool}
    try:
        said = read_json(read_bytes(path), path, shape, CorruptFile, "run the stage registry")
    except FileNotFoundError as error:
        raise InputMissing(path, "no such file", "run the stage registry") from error
    found, sample = Parent(said["dataset"], said["version"], said["logical_hash"]), said["sample"]
    return Derived([found], _settings(params), dict(sorted(tools.items())), sample)


def read_provenance(sources: Path, params: Path, tools: Mapping[str, str]) -> Provenance:
    """Collect the provenance from ``sources.csv``, ``params.yaml`` and the images of the tools.

    Raises UsageError where ``sources.csv`` is not one, or a setting has no form in JSON.
    """
    found: dict[str, Source] = {}
    with sources.open(encoding="utf-8", newline="") as file:
        try:
            for row in csv.DictReader(file):
                source = Source(row["name"], row["sha256"], int(row["bytes"]), [])
                found.setdefault(source.name, source).urls.append(row["url"])
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise UsageError(sources, f"not a list of sources: {error}", "columns are name,url,sha256,bytes") from error
    return Provenance(
        source_list=SourceList(
            hashlib.sha256(sources.read_bytes()).hexdigest(), len(found), sum(source.bytes for source in found.values())
        ),
        sources=list(found.values()) if len(found) <= LISTED else [],
        params=_settings(params),
        tools=dict(sorted(tools.items())),
        sample=any(url.endswith(SYNTHETIC) for source in found.values() for url in source.urls),
    )


def _settings(params: Path) -> dict[str, Any]:
    """Return the sections of params.yaml that decide what the tools make."""
    content = read_bytes(params, error=UsageError)
    document = read_yaml(content, params, (dict, None), UsageError, "correct the file") or {}
    try:
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()  # ValueError: NaN, or half a character
    except (TypeError, ValueError) as error:
        raise UsageError(params, f"cannot be written as JSON: {error}", "put dates and the like in quotes") from error
    return {name: section for name, section in document.items() if name not in DESCRIBING}

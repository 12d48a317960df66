"""Where a data set comes from: its pinned sources, the settings and the tools that made it."""

import csv
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from stage.errors import UsageError

LISTED = 100  # sources that a person might read
DESCRIBING = {"dataset", "upstream"}  # sections of params.yaml that decide nothing about the bytes


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
    sample: bool  # built from the synthetic sample data that the repository bundles


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
    document = yaml.safe_load(params.read_text(encoding="utf-8"))
    try:
        json.dumps(document, ensure_ascii=False, allow_nan=False).encode()  # ValueError: NaN, or half a character
    except (TypeError, ValueError) as error:
        raise UsageError(params, f"cannot be written as JSON: {error}", "put dates and the like in quotes") from error
    return Provenance(
        source_list=SourceList(
            hashlib.sha256(sources.read_bytes()).hexdigest(), len(found), sum(source.bytes for source in found.values())
        ),
        sources=list(found.values()) if len(found) <= LISTED else [],
        params={name: section for name, section in document.items() if name not in DESCRIBING},
        tools=dict(sorted(tools.items())),
        sample=any(url.startswith("file:") for source in found.values() for url in source.urls),
    )

"""Describe a dataset from its files in git alone: ``params.yaml`` and ``metadata.json``."""

import dataclasses
import re
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from data_registry.samples import columns as samples
from data_registry.stage.errors import UsageError
from data_registry.stage.params import build, section
from data_registry.training.arrow_types import parse_type

from registry.datasets import Dataset, features_of


@dataclasses.dataclass(frozen=True)
class Card:
    """The section ``card`` of params.yaml, which no stage reads."""

    tasks: tuple[str, ...] = ()  # of the Hugging Face Hub, as text-classification
    languages: tuple[str, ...] = ()  # ISO 639: en
    tags: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    organisation: str = ""


@dataclasses.dataclass(frozen=True)
class _Declared:
    """The keys of the section ``dataset`` that describe it; stages check the rest."""

    title: str = ""
    description: str = ""
    source: str = ""
    citation: str = ""
    licence: str = ""
    columns: tuple[samples.Column, ...] = ()


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the samples, declared or measured: its Arrow type may be any."""

    name: str
    type: pa.DataType
    description: str
    classes: tuple[str, ...]  # names of the values 0, 1, ... of an integer


@dataclasses.dataclass(frozen=True)
class File:
    """A file with samples; ``split`` is empty where the dataset has none."""

    path: str
    sha256: str
    size: int
    split: str


@dataclasses.dataclass(frozen=True)
class Description:
    """A dataset; before it is built ``files``, ``counts`` and perhaps ``columns`` are empty."""

    title: str
    text: str
    source: str
    citation: str
    licence: str
    card: Card
    columns: tuple[Column, ...]
    counts: dict[str, int]  # samples by split, "" without splits
    files: tuple[File, ...]  # in the order of the splits

    @property
    def are_documents(self) -> bool:
        """Whether each file is a sample, as it was fetched."""
        return bool(self.files) and all(file.path.startswith("raw/") for file in self.files)


def describe(dataset: Dataset) -> Description:
    """Describe a dataset. Raises UsageError for an invalid params.yaml."""
    params = dataset.folder / "params.yaml"
    names = {field.name for field in dataclasses.fields(_Declared)}
    given = {key: value for key, value in section(params, "dataset").items() if key in names}
    declared = build(_Declared, given, f"{params} dataset")
    metadata = dataset.metadata() if (dataset.folder / "metadata.json").exists() else {}
    known = {**vars(declared), **metadata.get("dataset", {})}
    is_sample = metadata.get("provenance", {}).get("sample", False)
    counts = {split: figures["num_samples"] for split, figures in metadata.get("splits", {}).items()}
    return Description(
        f"{known['title'] or dataset.name}{' (synthetic sample)' * is_sample}",
        known["description"],
        known["source"],
        known["citation"],
        known["licence"],
        read_card(dataset),
        tuple(_declared_columns(declared, params) or (_measured(*pair) for pair in features_of(metadata).items())),
        counts or ({"": metadata["summary"]["num_samples"]} if "summary" in metadata else {}),
        tuple(_files(metadata.get("files", {}), list(counts))),
    )


def is_url(text: str) -> bool:
    """Say whether a text is a URL."""
    return bool(re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", text, re.IGNORECASE))


def read_card(dataset: Dataset) -> Card:
    """Return the section ``card`` of a dataset. Raises UsageError for an invalid one."""
    params = dataset.folder / "params.yaml"
    return build(Card, section(params, "card"), f"{params} card")


def _declared_columns(declared: _Declared, params: Path) -> list[Column]:
    """Return the columns that params.yaml declares. Raises UsageError for an unknown type."""
    try:
        kinds = [column.arrow for column in declared.columns]
    except ValueError as error:
        raise UsageError(f"{params} dataset.columns", str(error), "correct the type") from error
    return [
        Column(column.name, kind, column.description, column.classes if pa.types.is_integer(kind) else ())
        for column, kind in zip(declared.columns, kinds, strict=True)
    ]


def _measured(name: str, feature: dict[str, Any]) -> Column:
    try:
        kind = parse_type(feature["dtype"])
    except ValueError:
        kind = pa.string()  # jpeg: the value is the name of a file
    return Column(name, kind, feature.get("description", ""), ())


def _files(entries: dict[str, Any], splits: list[str]) -> list[File]:
    files = [File(path, entry["sha256"], entry["bytes"], _split(path, splits)) for path, entry in entries.items()]
    return sorted(files, key=lambda file: ([*splits, ""].index(file.split), file.path))


def _split(path: str, splits: list[str]) -> str:
    """Return the split of ``processed/<split>/...``."""
    return next((part for part in PurePosixPath(path).parts[1:2] if part in splits), "")

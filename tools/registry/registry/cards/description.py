"""Describe a dataset from its files in git alone: ``params.yaml`` and ``metadata.json``."""

import dataclasses
import re
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
from data_registry.samples import Column, schema_of
from data_registry.stage.errors import UsageError
from data_registry.stage.params import build, section

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
    columns: tuple[Column, ...] = ()


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
    columns: tuple[Column, ...]  # declared, or as measured: of any type
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
        tuple(_declared_columns(declared, params) or _measured_columns(metadata)),
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
    """Return the declared columns, only integers with classes. Raises UsageError for an unknown type."""
    try:
        kinds = schema_of(declared.columns).types
    except ValueError as error:
        raise UsageError(f"{params} dataset.columns", str(error), "correct the type") from error
    pairs = zip(declared.columns, kinds, strict=True)
    return [column if pa.types.is_integer(kind) else dataclasses.replace(column, classes=()) for column, kind in pairs]


def _measured_columns(metadata: dict[str, Any]) -> list[Column]:
    features = features_of(metadata).items()
    return [Column(name, feature["dtype"], feature.get("description", "")) for name, feature in features]


def _files(entries: dict[str, Any], splits: list[str]) -> list[File]:
    files = []
    for path, entry in entries.items():
        folder = "".join(PurePosixPath(path).parts[1:2])  # processed/<split>/...
        files.append(File(path, entry["sha256"], entry["bytes"], folder if folder in splits else ""))
    return sorted(files, key=lambda file: ([*splits, ""].index(file.split), file.path))

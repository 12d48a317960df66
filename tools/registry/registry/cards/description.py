"""What is known of a dataset from the files that git has of it, ``params.yaml`` and ``metadata.json``."""

import dataclasses
import re
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
from data_registry.stage.errors import UsageError
from data_registry.stage.params import build, section
from data_registry.training.arrow_types import parse_type

from registry.datasets import Dataset


@dataclasses.dataclass(frozen=True)
class Card:
    """The section ``card``, which no stage reads: what people say of the dataset beside what it is made of."""

    tasks: tuple[str, ...] = ()  # as the Hugging Face Hub calls them, text-classification
    languages: tuple[str, ...] = ()  # ISO 639: en
    tags: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    organisation: str = ""


@dataclasses.dataclass(frozen=True)
class _Declared:
    """A column, as ``dataset.columns`` has it."""

    name: str
    type: str
    description: str = ""
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class _Told:
    """What the section ``dataset`` says of the dataset; it has more, for the stages, which check it."""

    title: str = ""
    description: str = ""
    source: str = ""
    citation: str = ""
    licence: str = ""
    columns: tuple[_Declared, ...] = ()


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of the samples."""

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
    """A dataset; nothing is known of ``files``, ``counts`` and perhaps ``columns`` before it is built."""

    title: str
    text: str
    source: str
    citation: str
    licence: str
    card: Card
    columns: tuple[Column, ...]
    counts: dict[str, int]  # samples of each split, of "" where there is none
    files: tuple[File, ...]  # in the order of the splits

    @property
    def are_documents(self) -> bool:
        """Whether each file is a sample of its own, as it was fetched."""
        return bool(self.files) and all(file.path.startswith("raw/") for file in self.files)


def describe(dataset: Dataset) -> Description:
    """Return what the dataset's files say. Raises UsageError for a params.yaml that says something else."""
    told = _told(dataset)
    columns = [_declared(column, f"{dataset.folder / 'params.yaml'} dataset.columns") for column in told.columns]
    found = dataset.metadata() if (dataset.folder / "metadata.json").exists() else {}
    known = {**vars(told), **found.get("dataset", {})}
    is_sample = found.get("provenance", {}).get("sample", False)
    counts = {split: each["num_samples"] for split, each in found.get("splits", {}).items()}
    return Description(
        f"{known['title'] or dataset.name}{' (synthetic sample)' * is_sample}",
        known["description"],
        known["source"],
        known["citation"],
        known["licence"],
        read_card(dataset),
        tuple(columns or _columns(found.get("schema", {}))),
        counts or ({"": found["summary"]["num_samples"]} if "summary" in found else {}),
        tuple(_files(found.get("files", {}), list(counts))),
    )


def is_url(text: str) -> bool:
    """Say whether a text is an address, and nothing else."""
    return bool(re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", text, re.IGNORECASE))


def read_card(dataset: Dataset) -> Card:
    """Return what people say of a dataset. Raises UsageError for a params.yaml that says something else."""
    params = dataset.folder / "params.yaml"
    return build(Card, section(params, "card"), f"{params} card")


def _told(dataset: Dataset) -> _Told:
    params = dataset.folder / "params.yaml"
    names = {field.name for field in dataclasses.fields(_Told)}
    given = {key: value for key, value in section(params, "dataset").items() if key in names}
    return build(_Told, given, f"{params} dataset")


def _columns(schema: dict[str, Any]) -> list[Column]:
    """Return the columns as metadata.json has found them."""
    features = {**schema.get("features", {})}
    if "target" in schema:
        features[schema["target"]["name"]] = schema["target"]
    return [_found(name, feature) for name, feature in features.items()]


def _declared(column: _Declared, where: str) -> Column:
    try:
        kind = pa.type_for_alias(column.type)
    except ValueError as error:
        raise UsageError(where, str(error), "correct the type") from error
    for _ in column.shape:
        kind = pa.list_(kind)
    return Column(column.name, kind, column.description, column.classes if pa.types.is_integer(kind) else ())


def _found(name: str, feature: dict[str, Any]) -> Column:
    try:
        kind = parse_type(feature["dtype"])
    except ValueError:
        kind = pa.string()  # of jpeg: such a value is a file of its own, and here is its name
    return Column(name, kind, feature.get("description", ""), ())


def _files(found: dict[str, Any], splits: list[str]) -> list[File]:
    files = [File(path, each["sha256"], each["bytes"], _split(path, splits)) for path, each in found.items()]
    return sorted(files, key=lambda file: ([*splits, ""].index(file.split), file.path))


def _split(path: str, splits: list[str]) -> str:
    """Return the split of ``processed/<split>/...``."""
    return next((part for part in PurePosixPath(path).parts[1:2] if part in splits), "")

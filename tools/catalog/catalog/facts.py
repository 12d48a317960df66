"""What ``metadata.json`` says, whatever the form of the dataset: samples, columns, distributions, figures, problems."""

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from data_registry.stage.errors import CorruptFile

Metadata = Mapping[str, Any]
SUFFIX = "_distribution"
REPEATED = {"duplicates": "repeats", "conflicts": "conflicts"}
CHECKS = {**REPEATED, "split_leaks": "leaks between splits", "missing": "gaps"}
MEASURES = ("by_source", "by_concepts")


@dataclasses.dataclass(frozen=True)
class Column:
    """A column; ``shape`` is that of one value, empty for a single one; ``classes`` the names of labels by value."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    description: str
    is_target: bool
    classes: dict[str, str]


@dataclasses.dataclass(frozen=True)
class Table:
    """Figures: a name for each row, and its values below ``head``; None where a row has none of a kind."""

    head: tuple[str, ...]
    rows: dict[str, tuple[float | None, ...]]


@dataclasses.dataclass(frozen=True)
class Problem:
    """Samples that somebody should look at: ``what`` is wrong with how many, and the ids of some."""

    what: str
    samples: int
    ids: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Prompt:
    """What images were asked about with."""

    name: str
    version: str
    text: str


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where an edition comes from: releases, as pairs of dataset and tag, or sources; and what made it of them.

    ``sources`` are the pinned files themselves where they are few, name, SHA-256 and addresses; ``tools`` are images.
    """

    parents: tuple[tuple[str, str], ...]
    files: int
    size: int
    sources: tuple[tuple[str, str, tuple[str, ...]], ...]
    tools: dict[str, str]
    params: Metadata
    is_sample: bool


@dataclasses.dataclass(frozen=True)
class Retrieval:
    """How well questions find their answers: ``found`` by what counts as right, then by way and measure."""

    questions: int
    found: dict[str, dict[str, dict[str, float]]]


def check(metadata: Metadata, where: str) -> None:
    """Raise CorruptFile unless ``metadata.json`` has the shape that stats gives it: earlier tools gave it others."""
    try:
        readers: list[Callable[[Metadata], object]] = [about, prompt, splits, files, columns, distributions]
        readers += [column_figures, split_figures, whole_figures, checked, problems, warnings, retrieval, origin]
        for read in readers:
            read(metadata)
        _text(metadata["logical_hash"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFile(where, f"is not as stats writes it ({error!r})", "build and release it again") from error


def about(metadata: Metadata) -> dict[str, str]:
    """Return what it is: title, description, source, licence, citation; each a text, which may be empty."""
    said = metadata.get("dataset") or {}
    return {name: str(said.get(name) or "") for name in ("title", "description", "source", "licence", "citation")}


def prompt(metadata: Metadata) -> Prompt | None:
    """Return the prompt that is in every sample, where one is."""
    found = metadata.get("prompt")
    return Prompt(*(str(found[f"prompt_{part}"]) for part in ("name", "version", "text"))) if found else None


def splits(metadata: Metadata) -> dict[str, int]:
    """Return the samples of each split; of the whole, under no name, where there are no splits."""
    if found := metadata.get("splits"):
        return {name: int(each["num_samples"]) for name, each in found.items()}
    whole = metadata.get("summary", {}).get("num_samples")
    return {} if whole is None else {"": int(whole)}


def files(metadata: Metadata) -> dict[str, tuple[str, ...]]:
    """Return the files of each split, by their paths ``processed/<split>/...``; all, under no name, without splits."""
    found = sorted(metadata.get("files", {}))
    if not metadata.get("splits"):
        return {"": tuple(found)}
    return {name: tuple(each for each in found if each.split("/")[1:2] == [name]) for name in metadata["splits"]}


def columns(metadata: Metadata) -> list[Column]:
    """Return the columns that the schema declares, the target last."""
    schema = metadata.get("schema", {})
    found = [_column(name, each, False) for name, each in schema.get("features", {}).items()]
    if target := schema.get("target"):
        found.append(_column(target["name"], target, True))
    return found


def distributions(metadata: Metadata) -> dict[str, dict[str, dict[str, int]]]:
    """Return how often each value is there, by column and split, under the names of the classes."""
    classes = {each.name: each.classes for each in columns(metadata) if each.classes}
    label = next(iter(classes), "label")
    found: dict[str, dict[str, dict[str, int]]] = {}
    parts = metadata.get("splits") or {"": metadata.get("summary", {})}
    for split, part in parts.items():
        for key, counts in part.items():
            if not key.endswith(SUFFIX) or not isinstance(counts, dict):
                continue
            kind = key.removesuffix(SUFFIX)
            name = label if kind in {"class", "label"} else kind
            names = classes.get(name, {})
            found.setdefault(name, {})[split] = {str(names.get(at, at)): int(number) for at, number in counts.items()}
    return found


def column_figures(metadata: Metadata) -> Table | None:
    """Return the figures of each numeric column: mean, deviation, and so on."""
    statistics = metadata.get("statistics", {})
    rows = {name: each for name, each in statistics.get("features", {}).items() if isinstance(each, dict)}
    if isinstance(target := statistics.get("target"), dict):
        rows[metadata["schema"]["target"]["name"]] = target
    return _table(rows)


def split_figures(metadata: Metadata) -> Table | None:
    """Return what was measured of each split, a column for each."""
    metrics = metadata.get("metrics", {})
    names = dict.fromkeys(name for each in metrics.values() for name in each)
    rows = {readable(name): {split: each.get(name) for split, each in metrics.items()} for name in names}
    return _table(rows)


def whole_figures(metadata: Metadata) -> dict[str, float]:
    """Return what was measured of the whole, as of documents and chunks."""
    found = metadata.get("statistics", {}).items()
    return {readable(name): value for name, value in found if isinstance(value, (int, float))}


def checked(metadata: Metadata) -> list[str]:
    """Return what the checks have looked for."""
    done = metadata.get("checks", {})
    return [what for name, what in CHECKS.items() if name in done]


def problems(metadata: Metadata) -> list[Problem]:
    """Return what the checks have found: repeats, conflicts, leaks between splits, missing values."""
    checks = metadata.get("checks", {})
    found = [
        *(_problem(what, checks[name]) for name, what in REPEATED.items() if name in checks),
        *(_problem(pair, each) for pair, each in checks.get("split_leaks", {}).items()),
        *(Problem(f"no {column}", int(number)) for column, number in checks.get("missing", {}).items()),
    ]
    return [each for each in found if each.samples]


def _problem(what: str, each: Metadata) -> Problem:
    return Problem(what, int(each["samples"]), tuple(map(_text, each.get("ids", ()))))


def warnings(metadata: Metadata) -> list[str]:
    """Return what stats says of them, in sentences."""
    return [_text(each) for each in metadata.get("checks", {}).get("warnings", ())]


def retrieval(metadata: Metadata) -> Retrieval | None:
    """Return how well a vector index of it finds answers, where that was measured."""
    evaluation = metadata.get("evaluation")
    if not evaluation:
        return None
    ways = {way: each for way, each in evaluation.items() if isinstance(each, dict)}
    found = {
        kind: {
            way: {measure: _number(value) for measure, value in each[kind].items()}
            for way, each in ways.items()
            if kind in each
        }
        for kind in MEASURES
    }
    return Retrieval(int(evaluation["questions"]["number"]), {kind: each for kind, each in found.items() if each})


def origin(metadata: Metadata) -> Origin:
    """Return where it comes from."""
    said = metadata.get("provenance", {})
    listed = said.get("source_list", {"files": 0, "bytes": 0})
    return Origin(
        tuple((_text(each["dataset"]), _text(each["version"])) for each in said.get("parents", ())),
        int(listed["files"]),
        int(listed["bytes"]),
        tuple(
            (_text(each["name"]), _text(each["sha256"]), tuple(map(_text, each.get("urls", ()))))
            for each in said.get("sources", ())
        ),
        {_text(tool): _text(image) for tool, image in said.get("tools", {}).items()},
        dict(said.get("params", {})),
        bool(said.get("sample")),
    )


def training_split(splits: Iterable[str]) -> str:
    """Return the split that one trains on: the one of that name, or else the first."""
    names = list(splits)
    return "train" if "train" in names else next(iter(names), "")


def readable(name: str) -> str:
    """Return a key as words."""
    return name.replace("_", " ")


def _column(name: str, each: Metadata, is_target: bool) -> Column:
    classes = each.get("classes", ())
    named = classes.items() if isinstance(classes, dict) else zip(classes, classes, strict=True)
    shape = tuple(map(int, each.get("shape", ())))
    description = str(each.get("description", ""))
    return Column(name, _text(each["dtype"]), shape, description, is_target, {str(at): str(n) for at, n in named})


def _table(rows: Mapping[str, Mapping[str, Any]]) -> Table | None:
    head = tuple(dict.fromkeys(kind for each in rows.values() for kind in each))
    found = {
        name: tuple(None if each.get(kind) is None else _number(each[kind]) for kind in head)
        for name, each in rows.items()
    }
    return Table(head, found) if rows else None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{value!r:.40} is no number")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return value

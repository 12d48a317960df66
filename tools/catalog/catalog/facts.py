"""Read ``metadata.json`` for a page, whatever the form of the dataset."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from data_registry import samples
from data_registry.stage.errors import CorruptFile

from catalog.numbers import duration

Metadata = Mapping[str, Any]
SUFFIX = "_distribution"
CHECKS = {
    "duplicates": "duplicates",
    "conflicts": "conflicts",
    "split_leaks": "split leaks",
    "missing": "missing values",
}
DURATION = re.compile(r"(-?)PT(\d+)(?:\.(\d+))?S", re.ASCII)
MEASURES = ("by_source", "by_concepts")


@dataclasses.dataclass(frozen=True)
class Column(samples.Column):
    """A column as stats describes it; ``labels`` are the names of classes by value."""

    labels: dict[str, str] = dataclasses.field(default_factory=dict)
    is_target: bool = False


@dataclasses.dataclass(frozen=True)
class Table:
    """Figures: values of each row, by its name, in the order of ``head``; None if a row has no such value."""

    head: tuple[str, ...]
    rows: dict[str, tuple[float | str | None, ...]]


@dataclasses.dataclass(frozen=True)
class Problem:
    """Samples that failed a check: the check, its subject (a column, a pair of splits), how many, some of their ids."""

    check: str
    subject: str
    samples: int
    ids: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return f"{CHECKS[self.check]}{f': {self.subject}' if self.subject else ''}"


@dataclasses.dataclass(frozen=True)
class Origin:
    """What an edition was made from: releases (pairs of dataset and tag) or files, and the tools and params used.

    ``sources`` has name, SHA-256 and URLs of the files unless they are many; ``tools`` has images by name.
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
    """Retrieval quality: ``scores`` by what counts as a match, search method and measure."""

    questions: int
    scores: dict[str, dict[str, dict[str, float]]]


def check(metadata: Metadata, where: str) -> None:
    """Raise CorruptFile unless ``metadata.json`` has the structure that stats writes: earlier tools wrote others."""
    try:
        readers: list[Callable[[Metadata], object]] = [about, prompt, splits, files, columns, distributions, ranges]
        readers += [column_figures, split_figures, total_figures, passed_checks, problems, warnings, retrieval, origin]
        for read in readers:
            read(metadata)
        _text(metadata["logical_hash"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFile(where, f"unexpected structure ({error!r})", "build and release it again") from error


def about(metadata: Metadata) -> dict[str, str]:
    """Return title, description, source, licence and citation; each may be empty."""
    fields = metadata.get("dataset") or {}
    return {name: str(fields.get(name) or "") for name in ("title", "description", "source", "licence", "citation")}


def prompt(metadata: Metadata) -> dict[str, str]:
    """Return name, version and text of the prompt of conversations, if there is one."""
    fields = metadata.get("prompt")
    return {part: str(fields[f"prompt_{part}"]) for part in ("name", "version", "text")} if fields else {}


def splits(metadata: Metadata) -> dict[str, int]:
    """Return the number of samples of each split; without splits, of all, under an empty name."""
    if by_name := metadata.get("splits"):
        return {name: int(split["num_samples"]) for name, split in by_name.items()}
    total = metadata.get("summary", {}).get("num_samples")
    return {} if total is None else {"": int(total)}


def files(metadata: Metadata) -> dict[str, tuple[str, ...]]:
    """Return the files of each split, by their paths ``processed/<split>/...``; without splits, all of them."""
    paths = sorted(metadata.get("files", {}))
    if not metadata.get("splits"):
        return {"": tuple(paths)}
    return {name: tuple(path for path in paths if path.split("/")[1:2] == [name]) for name in metadata["splits"]}


def columns(metadata: Metadata) -> list[Column]:
    """Return the columns of the schema, the target last."""
    schema = metadata.get("schema", {})
    features = [_column(name, fields, False) for name, fields in schema.get("features", {}).items()]
    target = schema.get("target")
    return [*features, _column(target["name"], target, True)] if target else features


def distributions(metadata: Metadata) -> dict[str, dict[str, dict[str, int]]]:
    """Return how often each value occurs, by column and split; labels by the name of their class."""
    labels = {column.name: column.labels for column in columns(metadata) if column.labels}
    label = next(iter(labels), "label")
    counts: dict[str, dict[str, dict[str, int]]] = {}
    for split, figures in (metadata.get("splits") or {"": metadata.get("summary", {})}).items():
        for key, values in figures.items():
            if not key.endswith(SUFFIX) or not isinstance(values, dict):
                continue
            kind = key.removesuffix(SUFFIX)
            name = label if kind in {"class", "label"} else kind
            names = labels.get(name, {})
            of_column = counts.setdefault(name, {})
            of_column[split] = {str(names.get(value, value)): int(number) for value, number in values.items()}
    return counts


def column_figures(metadata: Metadata) -> Table | None:
    """Return the statistics of each numeric column: mean, standard deviation and so on."""
    statistics = metadata.get("statistics", {})
    rows = {name: row for name, row in statistics.get("features", {}).items() if isinstance(row, dict)}
    if isinstance(target := statistics.get("target"), dict):
        rows[metadata["schema"]["target"]["name"]] = target
    return _table(rows)


def split_figures(metadata: Metadata) -> Table | None:
    """Return the metrics of the splits, one column each."""
    metrics = metadata.get("metrics", {})
    names = dict.fromkeys(name for figures in metrics.values() for name in figures)
    return _table({readable(name): {split: figures.get(name) for split, figures in metrics.items()} for name in names})


def ranges(metadata: Metadata) -> Table | None:
    """Return the ranges of columns of times and decimals as texts, of each split if there are some."""
    by_split = metadata.get("splits") or {"": metadata.get("summary", {})}
    rows = {
        (name, split): row for split, figures in by_split.items() for name, row in figures.get("ranges", {}).items()
    }
    names = list(dict.fromkeys(name for name, _ in rows))
    ordered = sorted(rows, key=lambda key: names.index(key[0]))  # stable: splits stay in their order
    return _table({" of ".join(filter(None, key)): rows[key] for key in ordered}, _time)


def total_figures(metadata: Metadata) -> dict[str, float]:
    """Return the statistics of the whole dataset, as of documents and chunks."""
    statistics = metadata.get("statistics", {}).items()
    return {readable(name): value for name, value in statistics if isinstance(value, (int, float))}


def passed_checks(metadata: Metadata) -> list[str]:
    """Return the names of the checks that were made and passed."""
    failed = {problem.check for problem in problems(metadata)}
    return [title for name, title in CHECKS.items() if name in metadata.get("checks", {}) and name not in failed]


def problems(metadata: Metadata) -> list[Problem]:
    """Return the failed checks, in their order."""
    checks = metadata.get("checks", {})
    failed = [_problem(name, "", checks[name]) for name in ("duplicates", "conflicts") if name in checks]
    failed += [_problem("split_leaks", pair, leak) for pair, leak in checks.get("split_leaks", {}).items()]
    failed += [Problem("missing", column, int(number)) for column, number in checks.get("missing", {}).items()]
    return [problem for problem in failed if problem.samples]


def _problem(name: str, subject: str, fields: Metadata) -> Problem:
    return Problem(name, subject, int(fields["samples"]), tuple(map(_text, fields.get("ids", ()))))


def warnings(metadata: Metadata) -> list[str]:
    """Return the warnings of stats."""
    return [_text(warning) for warning in metadata.get("checks", {}).get("warnings", ())]


def retrieval(metadata: Metadata) -> Retrieval | None:
    """Return the retrieval quality of a vector index, if it was evaluated."""
    evaluation = metadata.get("evaluation")
    if not evaluation:
        return None
    scores: dict[str, dict[str, dict[str, float]]] = {}
    for kind in MEASURES:
        for method, results in evaluation.items():
            if isinstance(results, dict) and kind in results:
                values = {measure: _number(value) for measure, value in results[kind].items()}
                scores.setdefault(kind, {})[method] = values
    return Retrieval(int(evaluation["questions"]["number"]), scores)


def origin(metadata: Metadata) -> Origin:
    """Return what it was made from."""
    provenance = metadata.get("provenance", {})
    source_list = provenance.get("source_list", {"files": 0, "bytes": 0})
    return Origin(
        tuple((_text(parent["dataset"]), _text(parent["version"])) for parent in provenance.get("parents", ())),
        int(source_list["files"]),
        int(source_list["bytes"]),
        tuple(
            (_text(source["name"]), _text(source["sha256"]), tuple(map(_text, source.get("urls", ()))))
            for source in provenance.get("sources", ())
        ),
        {_text(tool): _text(image) for tool, image in provenance.get("tools", {}).items()},
        dict(provenance.get("params", {})),
        bool(provenance.get("sample")),
    )


def training_split(splits: Iterable[str]) -> str:
    """Return the split to train on: ``train``, or else the first."""
    names = list(splits)
    return "train" if "train" in names else next(iter(names), "")


def readable(key: str) -> str:
    """Return a key as words."""
    return key.replace("_", " ")


def _column(name: str, fields: Metadata, is_target: bool) -> Column:
    classes = fields.get("classes", ())
    named = classes.items() if isinstance(classes, dict) else zip(classes, classes, strict=True)
    labels = {str(value): str(label) for value, label in named}
    shape = tuple(map(int, fields.get("shape", ())))
    description = str(fields.get("description", ""))
    return Column(
        name, _text(fields["dtype"]), description, shape, tuple(labels.values()), labels=labels, is_target=is_target
    )


def _table(rows: Mapping[str, Mapping[str, Any]], read: Callable[[Any], float | str] | None = None) -> Table | None:
    head = tuple(dict.fromkeys(kind for row in rows.values() for kind in row))
    values = {
        name: tuple(None if row.get(kind) is None else (read or _number)(row[kind]) for kind in head)
        for name, row in rows.items()
    }
    return Table(head, values) if rows else None


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"expected a number, got {value!r:.40}")
    return value


def _time(value: Any) -> str:
    """Return a time or decimal as text, a duration of ISO 8601 in days and hours."""
    text = _text(value)
    return duration(match[1], int(match[2]), match[3] or "") if (match := DURATION.fullmatch(text)) else text


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"expected a string, got {value!r:.40}")
    return value

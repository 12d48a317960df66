"""What ``metadata.json`` says, whatever the form of the dataset: samples, columns, distributions, figures, problems."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from stage.errors import CorruptFile

Metadata = Mapping[str, Any]
SUFFIX = "_distribution"


@dataclasses.dataclass(frozen=True)
class Column:
    """A column; ``classes`` are the names of its labels, in order."""

    name: str
    dtype: str
    description: str
    is_target: bool
    classes: tuple[str, ...]


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


def check(metadata: Metadata, where: str) -> None:
    """Raise CorruptFile unless ``metadata.json`` has the shape that stats gives it: earlier tools gave it others."""
    try:
        for read in (splits, columns, distributions, column_figures, split_figures, whole_figures, problems):
            read(metadata)
        if not isinstance(metadata["logical_hash"], str):
            raise TypeError("logical_hash is no text")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CorruptFile(where, f"is not as stats writes it ({error!r})", "build and release it again") from error


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
    classes = {each.name: each.classes for each in columns(metadata)}
    found: dict[str, dict[str, dict[str, int]]] = {}
    parts = metadata.get("splits") or {"": metadata.get("summary", {})}
    for split, part in parts.items():
        for key, counts in part.items():
            if not key.endswith(SUFFIX) or not isinstance(counts, dict):
                continue
            kind = key.removesuffix(SUFFIX)
            name = "label" if kind in {"class", "label"} else kind
            names = classes.get(name, ())
            named = {names[int(at)] if at.isdecimal() and int(at) < len(names) else at: n for at, n in counts.items()}
            found.setdefault(name, {})[split] = named
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


def problems(metadata: Metadata) -> list[Problem]:
    """Return what the checks have found: repeats, conflicts, leaks between splits, missing values."""
    checks = metadata.get("checks", {})
    found = [
        Problem("repeats", checks.get("duplicates", {}).get("samples", 0)),
        Problem("conflicts", checks.get("conflicts", {}).get("samples", 0)),
        *(
            Problem(pair, each["samples"], tuple(each.get("ids", ())))
            for pair, each in checks.get("split_leaks", {}).items()
        ),
        *(Problem(f"no {column}", number) for column, number in checks.get("missing", {}).items()),
    ]
    return [each for each in found if each.samples]


def readable(name: str) -> str:
    """Return a key as words."""
    return name.replace("_", " ")


def _column(name: str, each: Metadata, is_target: bool) -> Column:
    classes = each.get("classes", ())
    names = classes.values() if isinstance(classes, dict) else classes
    shape = "".join(f"[{length}]" for length in each.get("shape", ()))
    return Column(name, f"{each['dtype']}{shape}", each.get("description", ""), is_target, tuple(map(str, names)))


def _table(rows: Mapping[str, Mapping[str, float | None]]) -> Table | None:
    head = tuple(dict.fromkeys(kind for each in rows.values() for kind in each))
    return Table(head, {name: tuple(each.get(kind) for kind in head) for name, each in rows.items()}) if rows else None

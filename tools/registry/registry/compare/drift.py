"""What differs between two descriptions of a dataset: its schema, and what was measured of its samples."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from data_registry.samples import Manifest
from data_registry.training.arrow_types import same_type

Metadata = Mapping[str, Any]

MEASURED = ("splits", "summary", "statistics", "metrics")  # sections of metadata.json that describe the samples
SHAPING = ("classes", "shape")  # what a schema promises beside columns and types


@dataclasses.dataclass(frozen=True)
class Change:
    """A value that is another, None where there is none."""

    what: str
    before: Any
    after: Any


def schema_changes(old: Manifest, new: Manifest, metadata_old: Metadata, metadata_new: Metadata) -> Iterator[Change]:
    """Yield what of the schema differs: columns, their types and order, the key, classes and shapes."""
    columns_old, columns_new = (dict(each.columns) for each in (old, new))
    for name in dict.fromkeys([*columns_old, *columns_new]):
        before, after = columns_old.get(name), columns_new.get(name)
        if before is None or after is None or not same_type(before, after):
            yield Change(f"column {name}", before, after)
    if columns_old.keys() == columns_new.keys() and list(columns_old) != list(columns_new):
        yield Change("order of columns", list(columns_old), list(columns_new))
    if old.key != new.key:
        yield Change("key", old.key, new.key)
    for change in drift(metadata_old, metadata_new, ("schema",), whole=SHAPING):
        if change.what.rpartition(".")[2] in SHAPING and None not in (change.before, change.after):
            yield change


def drift(
    old: Metadata, new: Metadata, sections: tuple[str, ...] = MEASURED, whole: tuple[str, ...] = ()
) -> Iterator[Change]:
    """Yield the values of sections that differ, by their path; those called as in ``whole`` are taken whole."""
    for section in sections:
        before, after = (dict(_leaves(section, each.get(section, {}), whole)) for each in (old, new))
        for path in dict.fromkeys([*before, *after]):
            if json.dumps(before.get(path)) != json.dumps(after.get(path)):  # 1 is not 1.0, nor True
                yield Change(_with_class(path, new, old), before.get(path), after.get(path))


def _with_class(path: str, *known: Metadata) -> str:
    """Return a path with the name of the class that it ends in the number of: ``class_distribution.0 (coat)``."""
    distribution, _, number = path.rpartition(".")
    if distribution.endswith(".class_distribution"):
        for metadata in known:
            for feature in metadata.get("schema", {}).get("features", {}).values():
                if isinstance(classes := feature.get("classes"), dict) and number in classes:
                    return f"{path} ({classes[number]})"
    return path


def _leaves(path: str, value: Any, whole: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and path.rpartition(".")[2] not in whole:
        for name, item in value.items():
            yield from _leaves(f"{path}.{name}", item, whole)
    else:
        yield path, value

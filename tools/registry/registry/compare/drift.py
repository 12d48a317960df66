"""Compare two ``metadata.json``: the schema, and the statistics of the samples."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from data_registry.samples import Manifest, parse_type, same_type, type_text
from data_registry.samples.arrow_types import media_field, media_of
from data_registry.samples.huggingface import has_media

from registry.datasets import features_of

Metadata = Mapping[str, Any]

MEASURED = ("splits", "summary", "statistics", "metrics")  # sections of metadata.json about the samples
SHAPING = ("classes", "shape")  # keys of a schema beside columns and types; a change of them is major


@dataclasses.dataclass(frozen=True)
class Change:
    """A value that differs; None where one side has none."""

    what: str
    before: Any
    after: Any


def schema_changes(old: Manifest, new: Manifest, metadata_old: Metadata, metadata_new: Metadata) -> Iterator[Change]:
    """Yield the changes of the schema: columns, their types and order, the key, classes and shapes."""
    columns_old, columns_new = dict(old.columns), dict(new.columns)
    for name in dict.fromkeys([*columns_old, *columns_new]):
        media = [_media_type(name, metadata) for metadata in (metadata_old, metadata_new)]
        before = columns_old.get(name) and (media[0] or columns_old[name])
        after = columns_new.get(name) and (media[1] or columns_new[name])
        if before is None or after is None or not same_type(before, after) or (any(media) and before != after):
            yield Change(f"column {name}", before, after)
    if columns_old.keys() == columns_new.keys() and list(columns_old) != list(columns_new):
        yield Change("order of columns", list(columns_old), list(columns_new))
    if old.key != new.key:
        yield Change("key", old.key, new.key)
    for change in drift(metadata_old, metadata_new, ("schema",), leaves=SHAPING):
        if change.what.rpartition(".")[2] in SHAPING and None not in (change.before, change.after):
            yield change


def _media_type(name: str, metadata: Metadata) -> str:
    """Return the type of a column of images or audio, at any depth, which its Arrow type does not say; else nothing."""
    declared = features_of(metadata).get(name, {}).get("dtype", "")
    try:
        field = media_field(name, parse_type(declared), declared)
    except ValueError:  # jpeg
        return ""
    return (media_of(field) or type_text(field.type)) if has_media(field) else ""


def drift(
    old: Metadata, new: Metadata, sections: tuple[str, ...] = MEASURED, leaves: tuple[str, ...] = ()
) -> Iterator[Change]:
    """Yield the values of sections that differ, by path; keys named in ``leaves`` are compared as one value."""
    for section in sections:
        before, after = (dict(_leaves(section, metadata.get(section, {}), leaves)) for metadata in (old, new))
        for path in dict.fromkeys([*before, *after]):
            if json.dumps(before.get(path)) != json.dumps(after.get(path)):  # 1 is not 1.0, nor True
                yield Change(_with_class(path, new, old), before.get(path), after.get(path))


def _with_class(path: str, *versions: Metadata) -> str:
    """Return a path that ends in the number of a class with the name of the class: ``class_distribution.0 (coat)``."""
    distribution, _, number = path.rpartition(".")
    if not distribution.endswith("_distribution"):
        return path
    column = distribution.rpartition(".")[2].removesuffix("_distribution")
    for metadata in versions:
        for name, feature in features_of(metadata).items():
            classes = feature.get("classes")
            if column in {name, "class"} and isinstance(classes, dict) and number in classes:
                return f"{path} ({classes[number]})"
    return path


def _leaves(path: str, value: Any, leaves: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and path.rpartition(".")[2] not in leaves:
        for name, item in value.items():
            yield from _leaves(f"{path}.{name}", item, leaves)
    else:
        yield path, value

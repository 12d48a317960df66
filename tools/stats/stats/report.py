"""What every metadata.json has, whatever the data is: description, checks, files, provenance and identity."""

import dataclasses
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from samples import Duplicates, Manifest, find_duplicates, logical_hash
from stage.errors import CorruptFile

from stats.checked import CORRUPT
from stats.metadata import write_json
from stats.provenance import Derived, Provenance
from stats.settings import Column, Dataset

log = logging.getLogger(__name__)

DESCRIPTION = ("name", "title", "description", "source", "citation", "licence", "format")
LISTED = 1000  # ids of leaked samples that a person or a program could still want here; the manifest has all


@dataclasses.dataclass(frozen=True)
class Summary:
    """What was found."""

    output: str
    rows: int
    duplicates: int
    warnings: int
    logical_hash: str


def write_report(
    output: Path,
    dataset: Dataset,
    manifest: Manifest,
    figures: Mapping[str, Any],
    provenance: Provenance | Derived,
    *,
    missing: Mapping[str, int] | None = None,
    warnings: Sequence[str] = (),
) -> Summary:
    """Write ``output``: ``figures``, among what every data set has, with what is wrong with it in words too.

    Raises CorruptFile where the manifest cannot be read to its end.
    """
    try:
        duplicates, identity = find_duplicates(manifest.path), logical_hash(manifest.path)
    except CORRUPT as error:
        raise CorruptFile(manifest.path, str(error), "run the parquetizer again") from error
    told = [*_repetitions(duplicates, manifest), *warnings]
    for warning in told:
        log.warning("%s: %s", dataset.name, warning)
    write_json(
        output,
        {
            "dataset": {key: value for key in DESCRIPTION if (value := getattr(dataset, key)) or key != "format"},
            **figures,
            "checks": {
                "schema": "as declared",
                "duplicates": _counted(duplicates.samples, duplicates.groups, duplicates.equal_ids),
                "conflicts": _counted(duplicates.conflicting, duplicates.conflicts, duplicates.conflicting_ids),
                "split_leaks": {
                    label: {"samples": len(ids), "ids": ids[:LISTED]} for label, ids in duplicates.leaks.items()
                },
                "missing": dict(missing or {}),
                "warnings": told,
            },
            "files": {
                name: {"sha256": digest, "bytes": Path(name).stat().st_size} for name, digest in manifest.files.items()
            },
            "provenance": dataclasses.asdict(provenance),
            "logical_hash": identity,
        },
    )
    return Summary(output.as_posix(), manifest.rows, duplicates.samples, len(told), identity)


def _counted(samples: int, groups: int, ids: list[str]) -> dict[str, Any]:
    return {"samples": samples, "groups": groups, **({"ids": ids} if ids else {})}


def described(column: Column) -> dict[str, Any]:
    """Return what the schema in metadata.json says of a column, with the names of its values where it has some."""
    names: list[str] | dict[str, str] = list(column.classes)
    if column.type != "string":
        names = {str(number): name for number, name in enumerate(column.classes)}
    return {"dtype": column.type, "description": column.description, **({"classes": names} if names else {})}


def _repetitions(found: Duplicates, manifest: Manifest) -> Iterator[str]:
    key = ", ".join(manifest.key)
    if found.samples:
        yield f"{found.samples} of {manifest.rows} samples repeat an earlier one"
    if found.conflicting:
        yield f"{found.conflicting} of {manifest.rows} samples have the same {key} as another that differs"
    for label, ids in found.leaks.items():
        leaked, _, other = label.partition(" in ")
        yield f"samples of {leaked} that are in {other} too{f', by their {key}' if key else ''}: {len(ids)}"

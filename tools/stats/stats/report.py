"""Write metadata.json: figures, and what every dataset has (description, checks, files, provenance, logical hash)."""

import dataclasses
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from samples import Column, Duplicates, Leak, Manifest, find_duplicates, logical_hash
from stage.errors import CorruptFile
from stage.output import replacing

from stats.manifests import CORRUPT, RERUN
from stats.provenance import Derived, Provenance
from stats.settings import Dataset

log = logging.getLogger(__name__)

DESCRIPTION = ("name", "title", "description", "source", "citation", "licence", "format")
DIGITS = 12  # significant digits, in which all CPUs agree


@dataclasses.dataclass(frozen=True)
class Summary:
    """The output, and the numbers of rows, duplicates and warnings."""

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
    leaks: Mapping[str, Leak] | None = None,
    warnings: Sequence[str] = (),
) -> Summary:
    """Write ``figures`` and what every dataset has to ``output``; what is wrong with the data is logged, too.

    ``leaks`` are those beside the key's, which are found in the manifest; ``warnings`` say what they are.

    The same arguments give the same bytes. Raises CorruptFile if the manifest cannot be read.
    """
    try:
        duplicates, identity = find_duplicates(manifest.path), logical_hash(manifest.path)
    except CORRUPT as error:
        raise CorruptFile(manifest.path, str(error), RERUN) from error
    all_warnings = [*_duplicate_warnings(duplicates, manifest), *warnings]
    for warning in all_warnings:
        log.warning("%s: %s", dataset.name, warning)
    document = {
        "dataset": {key: value for key in DESCRIPTION if (value := getattr(dataset, key)) or key != "format"},
        **figures,
        "checks": {
            "schema": "as declared",
            "duplicates": _counts(duplicates.samples, duplicates.groups, duplicates.equal_ids),
            "conflicts": _counts(duplicates.conflicting, duplicates.conflicts, duplicates.conflicting_ids),
            "split_leaks": {
                **{splits: {"samples": leak.samples, "ids": leak.ids} for splits, leak in duplicates.leaks.items()},
                **{splits: _counts(leak.samples, leak.groups, leak.ids) for splits, leak in (leaks or {}).items()},
            },
            "missing": dict(missing or {}),
            "warnings": all_warnings,
        },
        "files": {
            name: {"sha256": digest, "bytes": Path(name).stat().st_size} for name, digest in manifest.files.items()
        },
        "provenance": dataclasses.asdict(provenance),
        "logical_hash": identity,
    }
    with replacing(output) as (temporary,):
        content = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        temporary.write_text(content, encoding="utf-8")
    return Summary(output.as_posix(), manifest.rows, duplicates.samples, len(all_warnings), identity)


def rounded(value: float | None) -> float | None:
    """Round to 12 significant digits, -0.0 to 0.0; NaN and infinity, which JSON does not have, become None."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}") + 0.0


def _counts(samples: int, groups: int, ids: list[str]) -> dict[str, Any]:
    return {"samples": samples, "groups": groups, **({"ids": ids} if ids else {})}


def column_schema(column: Column) -> dict[str, Any]:
    """Return the schema of a column in metadata.json, with its classes if it has some."""
    names: list[str] | dict[str, str] = list(column.classes)
    if column.type != "string":
        names = {str(number): name for number, name in enumerate(column.classes)}
    return {"dtype": column.type, "description": column.description, **({"classes": names} if names else {})}


def _duplicate_warnings(duplicates: Duplicates, manifest: Manifest) -> Iterator[str]:
    key = ", ".join(manifest.key)
    if duplicates.samples:
        yield f"{duplicates.samples} of {manifest.rows} samples repeat an earlier one"
    if duplicates.conflicting:
        yield f"{duplicates.conflicting} of {manifest.rows} samples have the same {key} as another that differs"
    for splits, leak in duplicates.leaks.items():
        leaked, _, other = splits.partition(" in ")
        yield f"samples of {leaked} that are in {other} too{f', by their {key}' if key else ''}: {leak.samples}"

"""The documents of a dataset that others may have written: dvc.lock, dvc.yaml, params.yaml, metadata.json."""

import dataclasses
import re
from typing import Any

from data_registry.stage.errors import StageError
from data_registry.stage.foreign import read_json, read_yaml

Kind = type[StageError]
MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?")
SHA256 = re.compile(r"[0-9a-f]{64}")
COUNT = range(1 << 63)
LOCK = {"stages?": {str: {"outs?": [{"path": str, "md5": MD5, "size": COUNT, "nfiles?": COUNT}]}}}
COLUMN = {
    "dtype": str,
    "shape?": [COUNT],
    "classes?": ([(str, int)], {str: (str, int)}),
    "description?": (str, None),
}
REPEATED = {"samples": COUNT, "ids?": [str], "groups?": COUNT}
FIGURES = {str: (float, None)}
METADATA = {
    "logical_hash": SHA256,
    "dataset?": dict.fromkeys(("name?", "title?", "description?", "source?", "citation?", "licence?"), str),
    "prompt?": {"prompt_name": str, "prompt_version": (int, str), "prompt_text": str, "prompt_uri?": str},
    "schema?": {"features?": {str: COLUMN}, "target?": {"name": str, **COLUMN}},
    "splits?": {str: {"num_samples": COUNT}},
    "summary?": {"num_samples": COUNT, "num_features?": COUNT},
    "statistics?": {"features?": {str: FIGURES}, "target?": FIGURES},
    "metrics?": {str: FIGURES},
    "checks?": {
        "duplicates?": REPEATED,
        "conflicts?": REPEATED,
        "split_leaks?": {str: REPEATED},
        "missing?": {str: COUNT},
        "warnings": [str],
    },
    "files?": {str: {"sha256": str, "bytes": COUNT}},
    "evaluation?": dict,
    "provenance?": {
        "sample?": bool,
        "sources?": [{"name": str, "sha256": str, "bytes": COUNT, "urls?": [str]}],
        "source_list?": {"files": COUNT, "bytes": COUNT},
        "parents?": [{"dataset": str, "version": str}],
        "tools?": {str: str},
        "params?": dict,
    },
}


@dataclasses.dataclass(frozen=True)
class Locked:
    """What a stage made, by dvc.lock: a path below the dataset's folder, its object, and its size in bytes.

    ``files`` is how many a folder has, zero where dvc.lock does not say.
    """

    path: str
    md5: str
    size: int
    files: int = 0


def read_metadata(content: bytes, where: str, error: Kind, fix: str) -> dict[str, Any]:
    """Return metadata.json, in which what is read of it has the right types. Raises ``error`` for anything else."""
    metadata: dict[str, Any] = read_json(content, where, METADATA, error, fix)
    return metadata


def read_lock(content: bytes, where: str, error: Kind, fix: str) -> dict[str, list[Locked]]:
    """Return what each stage made, by dvc.lock. Raises ``error`` for what is not one."""
    stages = read_yaml(content, where, LOCK, error, fix).get("stages", {})
    return {
        name: [Locked(out["path"], out["md5"], out["size"], out.get("nfiles", 0)) for out in stage.get("outs", ())]
        for name, stage in stages.items()
    }


def read_stages(content: bytes, where: str, error: Kind, fix: str) -> list[str]:
    """Return the names of the stages in dvc.yaml. Raises ``error`` for what is not one."""
    return list(read_yaml(content, where, {"stages": {str: dict}}, error, fix)["stages"])

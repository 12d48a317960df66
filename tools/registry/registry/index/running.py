"""Run chunk-embed and pgloader through ``tools/run``, and read their output."""

import json
import subprocess
from pathlib import Path
from typing import Any

from data_registry.stage.errors import ChildFailed, UsageError

from registry.datasets import Dataset, find_datasets

PARAMS = ("--params", "params.yaml")


def find_index(root: Path, name: str = "") -> Dataset:
    """Return the named dataset, or the first one with a pgloader stage. Raises UsageError where it has none."""
    datasets = find_datasets(root, name, all_of_them=False) if name else find_datasets(root, "all")
    for dataset in datasets:
        if "pgloader" in dataset.stages():
            return dataset
    fix = "choose a vector index, as opencloudhub-readmes-embeddings"
    raise UsageError("DS", f"{name:.70} has no pgloader stage" if name else "no dataset has a pgloader stage", fix)


def run_tool(root: Path, folder: Path, tool: str, *arguments: str, given: object = None) -> Any:
    """Run a tool in a folder, with ``given`` as JSON on its stdin, and return the JSON that it prints.

    Its stderr is passed on. Raises ChildFailed.
    """
    process = subprocess.run(
        [str(root / "tools" / "run"), tool, *arguments],
        cwd=folder,
        input=json.dumps(given) if given is not None else None,
        stdin=subprocess.DEVNULL if given is None else None,
        stdout=subprocess.PIPE,
        text=True,
    )
    if process.returncode:
        raise ChildFailed(folder.name, f"{tool} {arguments[0]}", process.returncode)
    return json.loads(process.stdout)

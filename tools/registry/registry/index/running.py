"""Run chunk-embed and pgloader, in the runtime that ``tools/run`` chooses, and read what they answer."""

import json
import subprocess
from pathlib import Path
from typing import Any

from data_registry.stage.errors import StageError, UsageError

from registry.datasets import Dataset, find_datasets

PARAMS = ("--params", "params.yaml")


class ToolFailed(StageError):
    """A tool ended with an exit code of its own, which is passed on."""

    def __init__(self, tool: str, command: str, code: int) -> None:
        self.code = code
        super().__init__(f"{tool} {command}", f"failed with exit {code}", "see its error line above")


def find_index(root: Path, name: str = "") -> Dataset:
    """Return the dataset of that name, which must have a pgloader stage; without a name, the first that has.

    Raises UsageError where there is none.
    """
    datasets = find_datasets(root, name, all_of_them=False) if name else find_datasets(root, "all")
    for dataset in datasets:
        if "pgloader" in dataset.stages():
            return dataset
    raise UsageError("DS", f"{name or 'no dataset':.70} is no vector index", "name one that has a pgloader stage")


def run_tool(root: Path, folder: Path, tool: str, *arguments: str, given: object = None) -> Any:
    """Run a tool on a folder, with ``given`` as JSON on its stdin, and return the JSON that it prints.

    What it says goes to stderr, as it comes. Raises ToolFailed, with the tool's own exit code.
    """
    ran = subprocess.run(
        [str(root / "tools" / "run"), tool, *arguments],
        cwd=folder,
        input=json.dumps(given) if given is not None else None,
        stdin=subprocess.DEVNULL if given is None else None,
        stdout=subprocess.PIPE,
        text=True,
    )
    if ran.returncode:
        raise ToolFailed(tool, arguments[0], ran.returncode if ran.returncode > 0 else 128 - ran.returncode)
    return json.loads(ran.stdout)

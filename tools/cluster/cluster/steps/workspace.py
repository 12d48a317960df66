"""The volume that the steps of one workflow share: the clone, and the plan beside it."""

import dataclasses
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from data_registry.git import Git
from data_registry.stage.errors import CorruptFile, InputMissing, PolicyViolation
from data_registry.stage.foreign import read_bytes, read_json
from registry.build.local_files import STORAGE
from registry.datasets import Dataset, find_datasets

SPECIAL = "expected a regular file or folder"


@dataclasses.dataclass(frozen=True)
class Plan:
    """The stages that a workflow runs, and whether it publishes."""

    dataset: str
    base: str  # the commit that was cloned
    params_sha256: str  # of params.yaml, into which the plan may have written another data version
    outputs: dict[str, list[str]]  # of every stage: paths from the dataset's folder
    in_git: list[str]  # the outputs that git tracks, not DVC
    run: list[str]  # names of stages, in order
    publish: bool


SHAPE: dict[str, object] = {
    "dataset": str,
    "base": str,
    "params_sha256": str,
    "outputs": {str: [str]},
    "in_git": [str],
    "run": [str],
    "publish": bool,
}


@dataclasses.dataclass(frozen=True)
class Workspace:
    """The volume of one workflow."""

    folder: Path

    @property
    def clone(self) -> Path:
        return self.folder / "repo"

    @property
    def _plan(self) -> Path:
        return self.folder / "plan.json"

    def write(self, plan: Plan) -> None:
        """Write the plan for the steps after this one."""
        self._plan.write_text(json.dumps(dataclasses.asdict(plan), indent=2) + "\n", encoding="utf-8")

    def read(self) -> Plan:
        """Return the plan. Raises InputMissing where there is none."""
        if not self._plan.is_file():
            raise InputMissing(self._plan, "not found", "run the step plan first")
        plan = read_json(read_bytes(self._plan), self._plan, SHAPE, CorruptFile, "run the step plan again")
        return Plan(**{name: plan[name] for name in SHAPE})

    def dataset(self, plan: Plan) -> Dataset:
        """Return the dataset in the clone."""
        return find_datasets(self.clone, plan.dataset, all_of_them=False)[0]


def clean(workspace: Workspace, stage: str = "") -> list[str]:
    """Remove all files of the dataset's folder but git's and the outputs of other stages; return their paths.

    DVC removes the outputs of a ``stage`` before it runs; a failed attempt may have left any file.
    Raises PolicyViolation where a stage has changed files that are not its outputs.
    """
    plan = workspace.read()
    git, folder = Git(workspace.clone), f"data/{plan.dataset}"
    others = [path for name, paths in plan.outputs.items() if name != stage for path in paths]
    for parent in sorted({parent for path in others for parent in Path(path).parents}):
        if (workspace.clone / folder / parent).is_symlink():  # git would remove it, and the outputs with it
            raise _refusal(f"{folder}/{parent}", SPECIAL)
    outputs = [*others, STORAGE] if stage else others  # which the step plan has filled for the stages
    excluded = [word for path in outputs for word in ("-e", f"/{folder}/{path}")]
    removed = git("clean", "-xdff", *excluded, "--", folder).splitlines()
    for path in set(plan.outputs.get(stage, ())) & set(plan.in_git):
        (workspace.clone / folder / path).unlink(missing_ok=True)
    _check(workspace, plan)
    return [line.removeprefix("Removing ") for line in removed]


def _check(workspace: Workspace, plan: Plan) -> None:
    """Raise PolicyViolation for changes of files that are not outputs, and for anything but files and folders.

    Stages can write to the whole of the dataset's folder, and a link could lead to another mount.
    """
    folder = f"data/{plan.dataset}/"
    for entry in _entries(workspace.clone / folder):
        if not stat.S_ISREG(mode := entry.lstat().st_mode) and not stat.S_ISDIR(mode):
            raise _refusal(entry.relative_to(workspace.clone), SPECIAL)
    allowed = {f"{folder}{path}" for path in (*plan.in_git, "dvc.lock")}
    if hashlib.sha256((workspace.clone / folder / "params.yaml").read_bytes()).hexdigest() == plan.params_sha256:
        allowed.add(f"{folder}params.yaml")
    status = ("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames", "--", folder)
    for path in (line[3:] for line in Git(workspace.clone)(*status).split("\0") if line):
        if path not in allowed:
            raise _refusal(path, "was changed by a stage, but is not one of its outputs")


def _entries(folder: Path) -> Iterator[Path]:
    """Yield the paths below a folder, without following links."""
    for name, folders, files in os.walk(folder):
        yield from (Path(name) / entry for entry in (*folders, *files))


def _refusal(path: object, what: str) -> PolicyViolation:
    return PolicyViolation(path, what, "correct the tool of the stage, then submit the workflow again")

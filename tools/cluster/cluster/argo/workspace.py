"""What the steps of one workflow share: a volume with the clone, and the plan beside it."""

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
from registry.datasets import Dataset, find_datasets


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a workflow is to do: run some stages, and publish what is not released."""

    dataset: str
    base: str  # the commit that it starts from
    params_sha256: str  # of params.yaml, in which the plan may have put another data version
    outputs: dict[str, list[str]]  # of every stage, paths from the dataset's folder
    in_git: list[str]  # those of all stages that git has, not DVC
    run: list[str]  # names of stages, in order
    publish: bool


SHAPE: dict[str, object] = {
    "dataset": str,
    "base": str,
    "params_sha256": str,
    "outputs": {str: [str]},
    "in_git": [str],
    "run": [str],
}
SHAPE |= {"publish": bool}


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
        """Leave the plan for the steps after this one."""
        self._plan.write_text(json.dumps(dataclasses.asdict(plan), indent=2) + "\n", encoding="utf-8")

    def read(self) -> Plan:
        """Return the plan. Raises InputMissing where none was made."""
        if not self._plan.is_file():
            raise InputMissing(self._plan, "no plan was made", "run the step plan first")
        found = read_json(read_bytes(self._plan), self._plan, SHAPE, CorruptFile, "run the step plan again")
        return Plan(**{name: found[name] for name in SHAPE})

    def dataset(self, plan: Plan) -> Dataset:
        """Return the dataset in the clone."""
        return find_datasets(self.clone, plan.dataset, all_of_them=False)[0]


def clean(workspace: Workspace, stage: str = "") -> list[str]:
    """Remove from the dataset's folder what neither git nor another stage has put there, and return what it was.

    DVC does that with the outputs of a ``stage`` before it runs; an attempt that failed may have left anything.
    Raises PolicyViolation for what the stages until here should not have done.
    """
    plan = workspace.read()
    git, folder = Git(workspace.clone), f"data/{plan.dataset}"
    kept = [path for name, paths in plan.outputs.items() if name != stage for path in paths]
    for above in sorted({parent for path in kept for parent in Path(path).parents}):
        if (workspace.clone / folder / above).is_symlink():  # git would remove it, and the outputs with it
            raise _refusal(f"{folder}/{above}", "is no regular file or folder")
    excluded = [word for path in kept for word in ("-e", f"/{folder}/{path}")]
    removed = git("clean", "-xdff", *excluded, "--", folder).splitlines()
    for path in set(plan.outputs.get(stage, ())) & set(plan.in_git):
        (workspace.clone / folder / path).unlink(missing_ok=True)
    _check(workspace, plan)
    return [line.removeprefix("Removing ") for line in removed]


def _check(workspace: Workspace, plan: Plan) -> None:
    """Raise PolicyViolation where stages have changed what is not their output, or left other than files and folders.

    They could reach the whole of the dataset's folder, and a link would lead to what is mounted elsewhere.
    """
    folder = f"data/{plan.dataset}/"
    place = workspace.clone / folder
    for entry in _entries(place):
        if not stat.S_ISREG(mode := entry.lstat().st_mode) and not stat.S_ISDIR(mode):
            raise _refusal(entry.relative_to(workspace.clone), "is no regular file or folder")
    allowed = {f"{folder}{path}" for path in (*plan.in_git, "dvc.lock")}
    if hashlib.sha256((place / "params.yaml").read_bytes()).hexdigest() == plan.params_sha256:
        allowed.add(f"{folder}params.yaml")
    listed = ("status", "--porcelain=v1", "-z", "--untracked-files=no", "--no-renames", "--", folder)
    for path in (line[3:] for line in Git(workspace.clone)(*listed).split("\0") if line):
        if path not in allowed:
            raise _refusal(path, "was changed by a stage whose output it is not")


def _entries(folder: Path) -> Iterator[Path]:
    """Yield all that is below a folder, without following links."""
    for name, folders, files in os.walk(folder):
        yield from (Path(name) / each for each in (*folders, *files))


def _refusal(path: object, what: str) -> PolicyViolation:
    return PolicyViolation(path, what, "look at the stages' tools, then submit the workflow again")

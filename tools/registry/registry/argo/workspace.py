"""What the steps of one workflow share: a volume with the clone, and the plan beside it."""

import dataclasses
import hashlib
import json
from pathlib import Path

from stage.errors import InputMissing, PolicyViolation

from registry.datasets import Dataset, find_datasets
from registry.git import Git


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
        return Plan(**json.loads(self._plan.read_text(encoding="utf-8")))

    def dataset(self, plan: Plan) -> Dataset:
        """Return the dataset in the clone."""
        return find_datasets(self.clone, plan.dataset, all_of_them=False)[0]


def clean(workspace: Workspace, stage: str) -> list[str]:
    """Make the dataset's folder as it is before a stage runs, and return what was removed.

    DVC does that with the outputs; an attempt that failed may have left anything.
    """
    plan = workspace.read()
    git, folder = Git(workspace.clone), f"data/{plan.dataset}"
    kept = [path for name, paths in plan.outputs.items() if name != stage for path in paths]
    excluded = [word for path in kept for word in ("-e", f"/{folder}/{path}")]
    for path in set(plan.outputs[stage]) & set(plan.in_git):
        (workspace.clone / folder / path).unlink(missing_ok=True)
    removed = git("clean", "-xdff", *excluded, "--", folder)
    return [line.removeprefix("Removing ") for line in removed.splitlines()]


def check_untouched(workspace: Workspace, plan: Plan) -> None:
    """Raise PolicyViolation where a stage has changed what is not its output: it could reach the dataset's folder."""
    git, folder = Git(workspace.clone), f"data/{plan.dataset}/"
    allowed = {f"{folder}{path}" for name in plan.run for path in plan.outputs[name]} & {
        f"{folder}{path}" for path in plan.in_git
    }
    params = workspace.clone / folder / "params.yaml"
    if hashlib.sha256(params.read_bytes()).hexdigest() == plan.params_sha256:
        allowed.add(f"{folder}params.yaml")
    for line in git("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames").split("\0"):
        if line and line[3:] not in allowed:
            what = "was changed, or made, by a stage whose output it is not"
            raise PolicyViolation(line[3:], what, "look at that stage's tool, then submit the workflow again")

"""Release what the stages of a workflow have made, by the same steps as ``make release``."""

import contextlib
import logging
from pathlib import Path

from stage.errors import InputMissing, NetworkFailed

from registry.argo.plan import is_released
from registry.argo.workspace import Plan, Workspace, check_untouched
from registry.building.pipeline import dvc_repository
from registry.datasets import Dataset
from registry.git import Git, GitFailed
from registry.releasing.release import Released, release
from registry.releasing.versions import released

log = logging.getLogger(__name__)


def publish(workspace: Workspace, remote: str, bump: str, push_url: str = "", notes: tuple[str, ...] = ()) -> Released:
    """Write what the stages have made into ``dvc.lock`` and release it; ``notes`` are lines for the tag.

    What is released already, by an earlier attempt or because a forced run made the same bytes, stays as it is.
    Raises PolicyViolation where a stage has changed what is not its output, and what a release does.
    """
    plan, root = workspace.read(), workspace.clone
    dataset, git = workspace.dataset(plan), Git(root)
    _forget(git, plan)
    check_untouched(workspace, plan)
    _commit(dataset, root, plan.run)
    if push_url:
        git("config", "remote.origin.pushurl", push_url)
    try:
        git("fetch", "-q", "--tags", "origin")
    except GitFailed as error:
        raise NetworkFailed("git remote origin", error.what, "check the network, then run again") from error
    if is_released(git, dataset):
        log.info("%s: nothing has changed", dataset.name)
        return release(dataset, root, remote, str(released(git, dataset.name)[dataset.name][-1]))
    return release(dataset, root, remote, bump=bump, notes=notes)


def _forget(git: Git, plan: Plan) -> None:
    """Take back what an attempt before this one has done in the clone; the files of the stages stay."""
    git("reset", "-q", plan.base)
    lock = f"data/{plan.dataset}/dvc.lock"
    if git.show(plan.base, lock) is None:
        (git.folder / lock).unlink(missing_ok=True)
    else:
        git("checkout", "-q", plan.base, "--", lock)


def _commit(dataset: Dataset, root: Path, stages: list[str]) -> None:
    """Take the outputs of the stages into DVC's cache and lock. Raises InputMissing where one is not there."""
    with contextlib.chdir(root), dvc_repository(root) as repo:  # DVC reads a target from where it is
        from dvc.exceptions import DvcException

        for name in stages:
            try:
                repo.commit(f"{dataset.pipeline}:{name}", force=True)
            except DvcException as error:
                fix = "see what its pod says, then submit the workflow again"
                raise InputMissing(f"{dataset.name} stage {name}", str(error), fix) from error

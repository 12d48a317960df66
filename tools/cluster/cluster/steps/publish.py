"""Release the outputs of a workflow's stages, by the same steps as ``make release``."""

import contextlib
import logging
from pathlib import Path

from data_registry.git import Git, GitFailed
from data_registry.releases.versions import released, tag_of
from data_registry.stage.errors import InputMissing, NetworkFailed
from registry.build.pipeline import dvc_repository
from registry.datasets import Dataset
from registry.release.release import Released, release

from cluster.steps.plan import is_released
from cluster.steps.workspace import Plan, Workspace, clean

log = logging.getLogger(__name__)


def publish(workspace: Workspace, remote: str, bump: str, push_url: str = "", notes: tuple[str, ...] = ()) -> Released:
    """Write the outputs of the stages into ``dvc.lock`` and release them; ``notes`` are lines for the tag.

    Nothing is released twice, by a second attempt or where a forced run made the same bytes.
    Raises PolicyViolation where a stage has changed a file that is not its output, and the errors of a release.
    """
    plan, root = workspace.read(), workspace.clone
    dataset, git = workspace.dataset(plan), Git(root)
    if push_url:
        git("config", "remote.origin.pushurl", push_url)
    try:
        git("fetch", "-q", "--tags", "origin")
    except GitFailed as error:
        fix = error.cure or "check the network, then run again"
        raise NetworkFailed("git remote origin", error.what, fix) from error
    clean(workspace)
    _restore_lock(git, plan)
    _commit(dataset, root, plan.run)
    if is_released(git, dataset):
        log.info("%s: nothing has changed", dataset.name)
        return release(dataset, root, remote, str(released(git, dataset.name)[dataset.name][-1]))
    if is_released(git, dataset, ("metadata.json",)):
        tag = tag_of(dataset.name, released(git, dataset.name)[dataset.name][-1])
        log.warning("%s: only dvc.lock differs from %s; commit it, or every run repeats this", dataset.name, tag)
        return Released(tag, "already released", 0, 0, remote)
    return release(dataset, root, remote, bump=bump, notes=notes)


def _restore_lock(git: Git, plan: Plan) -> None:
    """Undo the changes of an earlier attempt to dvc.lock; the outputs of the stages stay."""
    lock = f"data/{plan.dataset}/dvc.lock"
    if git.show(plan.base, lock) is None:
        (git.folder / lock).unlink(missing_ok=True)
    else:
        git("checkout", "-q", plan.base, "--", lock)


def _commit(dataset: Dataset, root: Path, stages: list[str]) -> None:
    """Commit the outputs of the stages to DVC's cache and lock. Raises InputMissing where one is missing."""
    with contextlib.chdir(root), dvc_repository(root) as repo:  # DVC reads a target from the current folder
        from dvc.exceptions import DvcException

        for name in stages:
            try:
                repo.commit(f"{dataset.pipeline}:{name}", force=True)
            except DvcException as error:
                fix = "see the log of its pod, then submit the workflow again"
                raise InputMissing(f"{dataset.name} stage {name}", str(error), fix) from error

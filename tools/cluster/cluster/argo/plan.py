"""Say what a workflow has to do: clone, see which stages are stale, and fetch what the others have made."""

import contextlib
import dataclasses
import hashlib
import logging
import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from data_registry.git import Git, GitFailed
from data_registry.releases.release import Release
from data_registry.releases.versions import choose, released, tag_of
from data_registry.stage.errors import InputMissing, NetworkFailed, ReleaseRefused, UsageError
from data_registry.store.opening import open_store
from data_registry.store.protocol import Absent, Store
from registry.build.dvc_errors import StageFailed
from registry.build.pipeline import dvc_repository
from registry.datasets import WORKSPACE, Dataset, find_datasets
from registry.index.parent import read_settings
from registry.release.numbering import FIRST
from registry.transfer import remotes

from cluster.argo.stages import REGISTRY, Stage, digest, stages_in, with_dependents
from cluster.argo.workspace import Plan, Workspace, clean

log = logging.getLogger(__name__)

AUTHOR = ("-c", "user.name=data-registry", "-c", "user.email=data-registry@localhost")


@dataclasses.dataclass(frozen=True)
class Request:
    """What a workflow was asked for; ``digest`` is that of the stages in its template."""

    dataset: str
    digest: str
    revision: str = "main"
    force: bool = False
    data_version: str = ""


def make_plan(request: Request, workspace: Workspace, url: str, remote: str) -> Plan:
    """Clone the repository into the workspace, fetch what the stages to run need, and return the plan.

    A stage runs where DVC finds it stale, where it was asked for, where its outputs are not on the remote, and after
    any that runs; the stage ``registry``, which needs git, runs here. Run again, it begins anew.
    Raises NetworkFailed where git does not get it, ReleaseRefused for a stale template or a revision that is not on the
    branch of releases, UsageError for what the dataset does not know.
    """
    git = _clone(workspace, url, request.revision)
    root = workspace.clone
    (dataset,) = find_datasets(root, request.dataset, all_of_them=False)
    if request.data_version:
        _set_parent(dataset, git, request.data_version)
    _point(root, remote)
    with dvc_repository(root) as repo:
        stages = stages_in(repo, dataset, root)
        if digest(stages) != request.digest:
            what = f"this template has other stages ({request.digest}) than {request.revision} ({digest(stages)})"
            raise ReleaseRefused(f"data-{dataset.name}", what, f"kubectl apply -f data/{dataset.name}/workflow.yaml")
        run = {stage.name for stage in stages} if request.force else _stale(repo, dataset)
    publish = bool(run) or not is_released(git, dataset)
    if publish:
        store = open_store(git, "HEAD", remote)
        run = with_dependents(
            stages, run | _lost(git, dataset, store, (each for each in stages if each.name not in run))
        )
        run = with_dependents(stages, _fetched(dataset, root, remote, stages, run))
    plan = Plan(
        dataset.name,
        git("rev-parse", "HEAD"),
        hashlib.sha256((dataset.folder / "params.yaml").read_bytes()).hexdigest(),
        {stage.name: list(stage.outputs) for stage in stages},
        [path for stage in stages for path in stage.in_git],
        [stage.name for stage in stages if stage.name in run],
        publish,
    )
    workspace.write(plan)
    for stage in stages:
        if stage.name == REGISTRY and REGISTRY in run:
            clean(workspace, REGISTRY)
            _run_here(stage, dataset, root)
    return plan


def is_released(git: Git, dataset: Dataset, files: Iterable[str] = ("dvc.lock", "metadata.json")) -> bool:
    """Say whether the last release of a dataset has the files that its folder has."""
    versions = released(git, dataset.name).get(dataset.name, [])
    if not versions:
        return False
    last = Release(git, dataset.name, versions[-1])
    paths = {name: dataset.folder / name for name in files}
    return all(path.is_file() and path.read_bytes() == last.read(name) for name, path in paths.items())


def _clone(workspace: Workspace, url: str, revision: str) -> Git:
    """Clone the branch of releases, at a commit of it."""
    shutil.rmtree(workspace.clone, ignore_errors=True)
    workspace.clone.mkdir(parents=True)
    git = Git(workspace.clone)
    try:
        git("clone", "-q", *AUTHOR, "--", url, ".")
    except GitFailed as error:
        fix = error.cure or "check the address, the network and your access"
        raise NetworkFailed("REPO_URL", error.what, fix) from error
    found = git.resolve(f"refs/remotes/origin/{revision}") or git.resolve(f"{revision}^{{commit}}")
    if not found or not git.is_ancestor(found, "HEAD"):
        what = f"{revision!r:.80} is no commit of the branch that releases go to"
        raise ReleaseRefused("revision", what, "merge it first, or submit with another revision")
    git("reset", "-q", "--hard", found)
    return git


def _set_parent(dataset: Dataset, git: Git, wanted: str) -> None:
    """Write the tag of the release that a dataset is to be made from into its params.yaml."""
    if not dataset.parent:
        raise UsageError("data_version", f"{dataset.name} is made from no other dataset", "leave it empty")
    path = dataset.folder / "params.yaml"
    parent = read_settings(path)
    known = released(git, parent.dataset).get(parent.dataset, [])
    version = choose(known, parent.dataset, wanted.removeprefix(f"{parent.dataset}-v"))
    tag = tag_of(parent.dataset, version)
    text = path.read_text(encoding="utf-8")
    before = f"version: {parent.version}"
    if text.count(before) != 1:
        raise UsageError(path, f"has {before!r} {text.count(before)} times", "write it once, in the section registry")
    path.write_text(text.replace(before, f"version: {tag}"), encoding="utf-8")


def _point(root: Path, remote: str) -> None:
    """Let the clone find the remote where AWS_ENDPOINT_URL says it is from here, as each machine may."""
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        config = f"['remote \"{remote}\"']\n    endpointurl = {endpoint}\n"
        (root / ".dvc" / "config.local").write_text(config, encoding="utf-8")


def _stale(repo: Any, dataset: Dataset) -> set[str]:
    """Return the stages that DVC finds stale, but for data that is not here."""
    entries = repo.status(targets=[str(dataset.pipeline)])
    return {address.rpartition(":")[2] for address, entry in entries.items() if any(map(_is_change, entry))}


def _is_change(entry: Any) -> bool:
    """Say whether a line of DVC's status is more than a file that was not fetched; of params, every line is."""
    if isinstance(entry, str):
        return True
    states = [state for told in entry.values() for state in told.values()]
    return any(isinstance(state, dict) or state in {"new", "modified"} for state in states)


def _lost(git: Git, dataset: Dataset, store: Store, stages: Iterable[Stage]) -> set[str]:
    """Return the stages with an output that the remote does not have. A folder's list is sent after its files."""
    found, here = set(), Release(git, dataset.name, FIRST, "HEAD")
    for stage in stages:
        outputs = {out.path: out for out in here.outputs if not out.in_git}
        for path in stage.outputs:
            try:
                if path in outputs:
                    store.size(outputs[path].md5)
            except Absent:
                log.info("%s: %s is not on %s", stage.name, path, store.remote)
                found.add(stage.name)
    return found


def _fetched(dataset: Dataset, root: Path, remote: str, stages: list[Stage], run: set[str]) -> set[str]:
    """Fetch the outputs of the stages that do not run, and return those that do, now that DVC sees the data."""
    if kept := {stage.name for stage in stages} - run:
        with contextlib.chdir(root):  # DVC reads a target from where it is
            remotes.pull(dataset, root, remote, kept)
        with dvc_repository(root) as repo:
            return run | _stale(repo, dataset)
    return run


def _run_here(stage: Stage, dataset: Dataset, root: Path) -> None:
    """Run a stage of the registry itself."""
    if dataset.parent == WORKSPACE:
        fix = "give data_version, or name a release in params.yaml"
        raise InputMissing(dataset.name, "is made from a working copy, and there is none here", fix)
    ran = subprocess.run(["registry", *stage.arguments], cwd=dataset.folder, stdout=subprocess.DEVNULL)
    if ran.returncode:
        raise StageFailed(dataset, ran.returncode if ran.returncode > 0 else 128 - ran.returncode)

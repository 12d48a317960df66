"""Plan a workflow: clone, find the stale stages, and fetch the outputs of the others."""

import contextlib
import hashlib
import logging
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from data_registry.git import Git, GitFailed
from data_registry.releases.lookup import find_release
from data_registry.releases.release import Release
from data_registry.releases.versions import released
from data_registry.stage.errors import InputMissing, NetworkFailed, ReleaseRefused, UsageError
from data_registry.store.protocol import Absent, Store
from data_registry.store.remote import open_store
from registry.build.copies import FETCHER, check_local_files, store_copies
from registry.build.pipeline import dvc_repository
from registry.build.source_list import SOURCES, read_rows
from registry.datasets import WORKSPACE, Dataset, find_datasets
from registry.index.parent import get_parent, read_settings
from registry.release.numbering import FIRST
from registry.transfer import remotes

from cluster.steps.workspace import Plan, Workspace, clean
from cluster.templates.stages import LAUNCHER, REGISTRY, Stage, digest, stages_in, with_dependents

log = logging.getLogger(__name__)

AUTHOR = ("-c", "user.name=data-registry", "-c", "user.email=data-registry@localhost")


def make_plan(
    workspace: Workspace,
    url: str,
    remote: str,
    name: str,
    template: str,
    revision: str = "main",
    force: bool = False,
    data_version: str = "",
) -> Plan:
    """Clone the repository into the workspace, fetch the inputs of the stages to run, and return the plan.

    ``name`` is the dataset, ``template`` the digest of the stages in its template. A stage runs where DVC finds it
    stale, with ``force``, where the remote lacks an output of it, and after any stage that runs. The stage ``registry``
    runs here, as it needs git. Where ``fetcher`` runs, the raw files that the remote has are stored for it.
    A second run starts over.
    Raises NetworkFailed where git cannot fetch, ReleaseRefused for a stale template or a revision that is not on the
    branch of releases, UsageError for parameters that do not fit the dataset.
    """
    git = _clone(workspace, url, revision)
    root = workspace.clone
    (dataset,) = find_datasets(root, name, all_of_them=False)
    if data_version:
        _set_parent(dataset, git, data_version)
    _set_endpoint(root, remote)
    with dvc_repository(root) as repo:
        stages = stages_in(repo, dataset, root)
        if (current := digest(stages)) != template:
            what = f"the template is of other stages ({template}) than {revision} ({current})"
            raise ReleaseRefused(f"data-{dataset.name}", what, f"kubectl apply -f data/{dataset.name}/workflow.yaml")
        run = {stage.name for stage in stages} if force else _stale(repo, dataset)
    publish = bool(run) or not is_released(git, dataset)
    if publish:
        store = open_store(git, "HEAD", remote)
        unchanged = (stage for stage in stages if stage.name not in run)
        run = with_dependents(stages, run | _without_objects(git, dataset, store, unchanged))
        run = with_dependents(stages, _fetch_others(dataset, root, remote, stages, run))
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
            _get_parent(stage, dataset, root, remote)
    if FETCHER in run:
        _store_sources(dataset, root, remote)
    return plan


def is_released(git: Git, dataset: Dataset, files: Iterable[str] = ("dvc.lock", "metadata.json")) -> bool:
    """Return whether the last release of a dataset has the same files as its folder."""
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
    commit = git.resolve(f"refs/remotes/origin/{revision}") or git.resolve(f"{revision}^{{commit}}")
    if not commit or not git.is_ancestor(commit, "HEAD"):
        what = f"{revision!r:.80} is not a commit of the branch that releases are pushed to"
        raise ReleaseRefused("revision", what, "merge it first, or submit with another revision")
    git("reset", "-q", "--hard", commit)
    return git


def _set_parent(dataset: Dataset, git: Git, requested: str) -> None:
    """Write the tag of the release that a dataset is to be made from into its params.yaml."""
    if not dataset.parent:
        raise UsageError("data_version", f"{dataset.name} is not made from another dataset", "leave it empty")
    path = dataset.folder / "params.yaml"
    parent = read_settings(path)
    tag = find_release(git, parent.dataset, requested).tag
    text = path.read_text(encoding="utf-8")
    before = f"version: {parent.version}"
    if text.count(before) != 1:
        what = f"expected {before!r} once, got it {text.count(before)} times"
        raise UsageError(path, what, "write it once, in the section registry")
    path.write_text(text.replace(before, f"version: {tag}"), encoding="utf-8")


def _set_endpoint(root: Path, remote: str) -> None:
    """Write AWS_ENDPOINT_URL, the remote's address in the cluster, into the clone's own DVC configuration."""
    if endpoint := os.environ.get("AWS_ENDPOINT_URL"):
        config = f"['remote \"{remote}\"']\n    endpointurl = {endpoint}\n"
        (root / ".dvc" / "config.local").write_text(config, encoding="utf-8")


def _stale(repo: Any, dataset: Dataset) -> set[str]:
    """Return the stages that DVC finds stale, apart from data that was not fetched."""
    entries = repo.status(targets=[str(dataset.pipeline)])
    return {address.rpartition(":")[2] for address, entry in entries.items() if any(map(_is_change, entry))}


def _is_change(entry: Any) -> bool:
    """Return whether an entry of DVC's status is more than a file that was not fetched; one of params always is."""
    if isinstance(entry, str):
        return True
    states = [state for by_path in entry.values() for state in by_path.values()]
    return any(isinstance(state, dict) or state in {"new", "modified"} for state in states)


def _without_objects(git: Git, dataset: Dataset, store: Store, stages: Iterable[Stage]) -> set[str]:
    """Return the stages with an output that the remote lacks. A folder's list is sent after its files."""
    names, head = set(), Release(git, dataset.name, FIRST, "HEAD")
    for stage in stages:
        outputs = {out.path: out for out in head.outputs if not out.in_git}
        for path in stage.outputs:
            try:
                if path in outputs:
                    store.size(outputs[path].md5)
            except Absent:
                log.info("%s: %s not found on %s", stage.name, path, store.remote)
                names.add(stage.name)
    return names


def _fetch_others(dataset: Dataset, root: Path, remote: str, stages: list[Stage], run: set[str]) -> set[str]:
    """Fetch the outputs of the stages that do not run; return those that do, now that DVC sees the data."""
    others = {stage.name for stage in stages} - run
    if not others:
        return run
    with contextlib.chdir(root):  # DVC reads a target from the current folder
        remotes.pull(dataset, root, remote, others)
    with dvc_repository(root) as repo:
        return run | _stale(repo, dataset)


def _store_sources(dataset: Dataset, root: Path, remote: str) -> None:
    """Store the raw files that the remote has for the pod of ``fetcher``, which may not read the remote itself.

    Raises InputMissing for a file without a public address that is not there, NetworkFailed where the remote fails.
    """
    sources = dataset.folder / SOURCES
    copied = store_copies(dataset, root, remote, read_rows(sources.read_bytes()) if sources.is_file() else [])
    check_local_files(dataset, remote, copied)
    if copied.failure:
        log.warning("%s: %s", copied.failure.where, copied.failure.what)
    if copied.rows:
        log.info("%s: %s", FETCHER, copied)


def _get_parent(stage: Stage, dataset: Dataset, root: Path, remote: str) -> None:
    """Run the stage ``registry``, which gets the release that the dataset is made from."""
    command = ("parent", "--params", "params.yaml", *stage.outputs)
    if stage.arguments != command:
        fix = f"use {LAUNCHER} {REGISTRY} {' '.join(command)}"
        raise UsageError(f"{dataset.name} stage {REGISTRY}", "unsupported command in a workflow", fix)
    if dataset.parent == WORKSPACE:
        fix = "pass data_version, or name a release in params.yaml"
        raise InputMissing(dataset.name, "is made from a working copy, which a workflow does not have", fix)
    get_parent(dataset.folder / "params.yaml", root, remote, dataset.folder / stage.outputs[0])

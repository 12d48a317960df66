"""Test a cluster end to end: run the pipeline of the smallest dataset, and verify its release."""

import dataclasses
import json
from pathlib import Path

from data_registry.git import Git
from data_registry.releases.lookup import release_at
from data_registry.stage.errors import InputMissing, VerificationFailed
from data_registry.store.remote import open_store
from data_registry.store.verify import verify

from cluster.github.request import read_request
from cluster.github.submit import check, follow, submit
from cluster.kubectl import Kubectl

DATASET = "wine-quality"
SETTINGS = "registry-settings"


@dataclasses.dataclass(frozen=True)
class Smoked:
    """The workflow that ran, the last release, and whether the workflow made it."""

    workflow: str
    tag: str
    is_new: bool


def smoke(root: Path, context: str, remote: str, force: bool, timeout: float, interval: float) -> Smoked:
    """Run the pipeline in the cluster of a context, and verify the release that it made, or else the last one.

    Times are in seconds. Raises InputMissing where nothing is installed, WorkflowFailed where the pipeline failed,
    VerificationFailed for a damaged object, and UsageError where the cluster's repository has no release.
    """
    kubectl = Kubectl(context=context)
    settings = kubectl.find("configmap", SETTINGS)
    if not settings:
        raise InputMissing(context, f"ConfigMap {SETTINGS} not found", "make minikube-apply")
    request = read_request(root, "data", json.dumps({"pipelines": DATASET, "force": force}))
    submitted, error = submit(kubectl, request)
    outcomes = follow(kubectl, submitted, timeout, interval)
    check(outcomes, error)
    outcome = outcomes[DATASET]
    version = outcome.tag.removeprefix(f"{DATASET}-v") or "latest"
    with release_at(settings["data"]["REPO_URL"], DATASET, version) as release:
        for problem in verify(release, open_store(Git(root), "HEAD", remote)):
            raise VerificationFailed(problem.where, problem.what, problem.fix)
        return Smoked(outcome.workflow, release.tag, outcome.is_new)

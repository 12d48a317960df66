"""See whether a cluster does all of it: run the pipeline of the smallest dataset there, and read its release back."""

import dataclasses
import json
from pathlib import Path

from data_registry.git import Git
from data_registry.releases.origin import release_at
from data_registry.stage.errors import InputMissing, VerificationFailed
from data_registry.store.opening import open_store
from data_registry.store.verify import verify

from cluster.kubernetes.context import NAMESPACE
from cluster.kubernetes.inputs import read_request
from cluster.kubernetes.kubectl import Kubectl
from cluster.kubernetes.outcome import Outcome
from cluster.kubernetes.submit import check, follow, manifest, submit

DATASET = "wine-quality"
SETTINGS = "registry-settings"


@dataclasses.dataclass(frozen=True)
class Smoked:
    """The workflow that ran, the release that is there now, and whether that is new."""

    workflow: str
    tag: str
    is_new: bool


def smoke(root: Path, context: str, remote: str, force: bool, patience: float, pause: float) -> Smoked:
    """Run the pipeline in the cluster of a context, and read back what it released, or the last release if nothing.

    Times are in seconds. Raises InputMissing where nothing is installed, WorkflowFailed where the pipeline failed,
    VerificationFailed where a byte is wrong, and UsageError where the cluster's repository has no release.
    """
    kubectl = Kubectl(NAMESPACE, context=context)
    settings = kubectl.find("configmap", SETTINGS)
    if not settings:
        raise InputMissing(context, f"has no ConfigMap {SETTINGS}", "make minikube-apply")
    outcome = _run(root, kubectl, force, patience, pause)
    version = outcome.tag.removeprefix(f"{DATASET}-v") or "latest"
    with release_at(settings["data"]["REPO_URL"], DATASET, version) as release:
        for problem in verify(release, open_store(Git(root), "HEAD", remote)):
            raise VerificationFailed(problem.where, problem.what, problem.fix)
        return Smoked(outcome.workflow, release.tag, outcome.is_new)


def _run(root: Path, kubectl: Kubectl, force: bool, patience: float, pause: float) -> Outcome:
    request = read_request(root, "data", json.dumps({"pipelines": DATASET, "force": force}))
    submitted, error = submit(kubectl, {DATASET: manifest(DATASET, request)})
    ended = follow(kubectl, submitted, patience, pause)
    check(ended, error)
    return ended[DATASET]

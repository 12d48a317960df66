"""Submit a Workflow for each dataset, and wait until all of them have ended."""

import dataclasses
import logging
import time
from typing import Any

from data_registry.stage.errors import (
    DatabaseUnreachable,
    LockHeld,
    NetworkFailed,
    PushFailed,
    SourceRefused,
    StageError,
)

from cluster.kubernetes.context import NAMESPACE
from cluster.kubernetes.inputs import Request
from cluster.kubernetes.kubectl import Kubectl
from cluster.kubernetes.outcome import Outcome, read_outcome

log = logging.getLogger(__name__)

RETRYABLE = {each.code for each in (NetworkFailed, DatabaseUnreachable, LockHeld, PushFailed)}
SILENCE = 300  # seconds without an answer of the cluster, after which it is given up


class WorkflowFailed(StageError):
    """A workflow that failed, whose code is passed on, or that has not ended in time."""

    def __init__(self, outcome: Outcome) -> None:
        self.code = outcome.code
        where = f"{outcome.dataset} {outcome.step}".rstrip()
        look = f"kubectl --namespace={NAMESPACE} get workflow {outcome.workflow} --output=yaml"
        super().__init__(where, f"{outcome.phase}: {outcome.message}", look)


def manifest(dataset: str, request: Request) -> dict[str, Any]:
    """Return the Workflow of a dataset."""
    labels = {"app.kubernetes.io/part-of": "data-registry", "data-registry/dataset": dataset}
    metadata: dict[str, Any] = {"generateName": f"data-{dataset}-", "labels": labels}
    if request.run_url:
        labels["data-registry/github-run"] = request.run_id
        metadata["annotations"] = {"data-registry/github-run-url": request.run_url}
    parameters = [{"name": name, "value": value} for name, value in request.parameters.items()]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": metadata,
        "spec": {"workflowTemplateRef": {"name": f"data-{dataset}"}, "arguments": {"parameters": parameters}},
    }


def submit(kubectl: Kubectl, manifests: dict[str, dict[str, Any]]) -> tuple[dict[str, Outcome], StageError | None]:
    """Create the workflows until one cannot be; return what became of each dataset, and the error where one was not."""
    found: dict[str, Outcome] = {}
    for dataset, each in manifests.items():
        try:
            found[dataset] = read_outcome(dataset, kubectl.create(each))
        except StageError as error:
            what = f"{error.where}: {error.what}"
            left = {name: Outcome(name, phase="not submitted", message=what, code=error.code) for name in manifests}
            return {**left, **found}, error
        log.info("%s: submitted as %s", dataset, found[dataset].workflow)
    return found, None


def follow(kubectl: Kubectl, submitted: dict[str, Outcome], patience: float, pause: float) -> dict[str, Outcome]:
    """Ask for the workflows every ``pause`` seconds until all have ended, or for ``patience`` seconds at most."""
    found, started = dict(submitted), time.monotonic()
    heard = started
    while open_ones := [each for each in found.values() if _is_open(each)]:
        for each in open_ones:
            try:
                found[each.dataset] = _asked(kubectl, each)
                heard = time.monotonic()
            except NetworkFailed as error:
                log.warning("%s: %s", each.dataset, error.what)
        now = time.monotonic()
        if now - heard > SILENCE:
            return _given_up(found, f"the cluster has not answered for {SILENCE // 60} minutes", NetworkFailed.code)
        if now - started > patience:
            return _given_up(found, f"has not ended after {patience / 60:g} minutes, and goes on", LockHeld.code)
        time.sleep(pause)
    return found


def _is_open(outcome: Outcome) -> bool:
    return bool(outcome.workflow) and not outcome.is_finished


def _asked(kubectl: Kubectl, before: Outcome) -> Outcome:
    """Return what the cluster says of a workflow now. Raises NetworkFailed."""
    try:
        now = read_outcome(before.dataset, kubectl.get("workflow", before.workflow))
    except SourceRefused as error:  # it is gone, or may not be seen
        return dataclasses.replace(before, phase="Error", message=error.what, code=error.code)
    if (now.phase, now.message) != (before.phase, before.message):
        log.info("%s: %s", now.dataset, "; ".join(filter(None, (now.phase, now.release or now.message))))
    return now


def _given_up(found: dict[str, Outcome], message: str, code: int) -> dict[str, Outcome]:
    return {
        name: dataclasses.replace(each, message=message, code=code) if _is_open(each) else each
        for name, each in found.items()
    }


def check(outcomes: dict[str, Outcome], error: StageError | None = None) -> None:
    """Raise the error, or WorkflowFailed where one failed: by what a person must mend rather than by what may pass."""
    if error:
        raise error
    failed = sorted(filter(lambda each: each.code, outcomes.values()), key=lambda each: each.code in RETRYABLE)
    if failed:
        raise WorkflowFailed(failed[0])

"""Submit a Workflow for each dataset, and follow them until all have ended."""

import dataclasses
import logging
import time
from typing import Any

from data_registry.stage.errors import LockHeld, NetworkFailed, SourceRefused, StageError

from cluster.github.outcome import Outcome, read_outcome
from cluster.github.request import Request
from cluster.kubectl import NAMESPACE, Kubectl
from cluster.templates.pods import TRANSIENT

log = logging.getLogger(__name__)

SILENCE = 300  # seconds without an answer of the cluster, after which nothing is waited for


class WorkflowFailed(StageError):
    """A workflow failed, and its exit code is passed on, or it has not ended in time."""

    def __init__(self, outcome: Outcome) -> None:
        self.code = outcome.code
        where = f"{outcome.dataset} {outcome.step}".rstrip()
        fix = f"kubectl --namespace={NAMESPACE} get workflow {outcome.workflow} --output=yaml"
        super().__init__(where, f"{outcome.phase}: {outcome.message}", fix)


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


def submit(kubectl: Kubectl, request: Request) -> tuple[dict[str, Outcome], StageError | None]:
    """Create the workflows up to the first failure; return the state of each dataset, and the error if there is one."""
    outcomes: dict[str, Outcome] = {}
    for dataset in request.datasets:
        try:
            outcomes[dataset] = read_outcome(dataset, kubectl.create(manifest(dataset, request)))
        except StageError as error:
            message = f"{error.where}: {error.what}"
            for name in request.datasets[len(outcomes) :]:
                outcomes[name] = Outcome(name, phase="not submitted", message=message, code=error.code)
            return outcomes, error
        log.info("%s: submitted as %s", dataset, outcomes[dataset].workflow)
    return outcomes, None


def follow(kubectl: Kubectl, submitted: dict[str, Outcome], timeout: float, interval: float) -> dict[str, Outcome]:
    """Poll the workflows every ``interval`` seconds until all have ended, for ``timeout`` seconds at most."""
    outcomes, started = dict(submitted), time.monotonic()
    answered = started
    while running := [outcome for outcome in outcomes.values() if _is_running(outcome)]:
        for outcome in running:
            try:
                outcomes[outcome.dataset] = _poll(kubectl, outcome)
                answered = time.monotonic()
            except NetworkFailed as error:
                log.warning("%s: %s", outcome.dataset, error.what)
        now = time.monotonic()
        if now - answered > SILENCE:
            return _given_up(outcomes, f"no answer of the cluster for {SILENCE // 60} minutes", NetworkFailed.code)
        if now - started > timeout:
            return _given_up(outcomes, f"still running after {timeout / 60:g} minutes", LockHeld.code)
        time.sleep(interval)
    return outcomes


def _is_running(outcome: Outcome) -> bool:
    return bool(outcome.workflow) and not outcome.is_finished


def _poll(kubectl: Kubectl, before: Outcome) -> Outcome:
    """Return the state of a workflow now. Raises NetworkFailed."""
    try:
        now = read_outcome(before.dataset, kubectl.get("workflow", before.workflow))
    except SourceRefused as error:  # deleted, or not readable
        return dataclasses.replace(before, phase="Error", message=error.what, code=error.code)
    if (now.phase, now.message) != (before.phase, before.message):
        log.info("%s: %s", now.dataset, "; ".join(filter(None, (now.phase, now.release or now.message))))
    return now


def _given_up(outcomes: dict[str, Outcome], message: str, code: int) -> dict[str, Outcome]:
    return {
        name: dataclasses.replace(outcome, message=message, code=code) if _is_running(outcome) else outcome
        for name, outcome in outcomes.items()
    }


def check(outcomes: dict[str, Outcome], error: StageError | None = None) -> None:
    """Raise the error, or WorkflowFailed if one has failed: one that a person must fix before one that may pass."""
    if error:
        raise error
    transient = {kind.code for kind in TRANSIENT}
    failed = [outcome for outcome in outcomes.values() if outcome.code]
    if failed:
        raise WorkflowFailed(min(failed, key=lambda outcome: outcome.code in transient))

"""How a workflow ended, read from the cluster's Workflow object; also as a summary in Markdown."""

import dataclasses
import html
import re
from collections.abc import Iterable, Mapping
from typing import Any

from data_registry.stage.errors import ReleaseRefused
from registry.terminal import printable

from cluster.github.request import Request

FINISHED = ("Succeeded", "Failed", "Error")
FAILED = ("Failed", "Error")
NEW = ("released", "completed")  # outcomes of the step publish
LONG = 300  # characters of a message in the summary


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The state of a dataset's workflow.

    ``tag`` is the release that the step publish has made, if ``is_new``, or that was the last one; ``code`` is the exit
    code of the step that failed, 0 while none has.
    """

    dataset: str
    workflow: str = ""
    phase: str = "Pending"
    tag: str = ""
    is_new: bool = False
    step: str = ""
    message: str = ""
    code: int = 0

    @property
    def is_finished(self) -> bool:
        return self.phase in FINISHED

    @property
    def release(self) -> str:
        """What publish did, in words; empty before it has run."""
        if not self.tag:
            return ""
        return f"released {self.tag}" if self.is_new else f"no changes; {self.tag} is the last release"


def read_outcome(dataset: str, workflow: Mapping[str, Any]) -> Outcome:
    """Return the state in a Workflow object: phase, release, and the failed step if there is one."""
    status = workflow.get("status") or {}
    nodes: dict[str, dict[str, Any]] = status.get("nodes") or {}
    published = _published(nodes)
    outcome = Outcome(
        dataset,
        workflow["metadata"]["name"],
        phase=status.get("phase") or "Pending",
        tag=published.get("tag", ""),
        is_new=published.get("outcome") in NEW,
    )
    if outcome.phase not in FAILED:
        return dataclasses.replace(outcome, message=status.get("message", ""))
    pod = _failed_pod(nodes)
    return dataclasses.replace(
        outcome,
        step=pod.get("templateName", ""),
        message=pod.get("message") or status.get("message") or "failed without a message",
        code=_exit_code(pod) or ReleaseRefused.code,
    )


def _published(nodes: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Return the output parameters of the step publish, or nothing while it has none."""
    for node in nodes.values():
        outputs = (node.get("outputs") or {}).get("parameters") or []
        parameters = {str(output.get("name")): str(output.get("value") or "") for output in outputs}
        if node.get("templateName") == "publish" and parameters.get("tag"):
            return parameters
    return {}


def _failed_pod(nodes: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the pod that made the workflow fail: the last attempt of the first step that failed for good."""
    retried = {
        child
        for node in nodes.values()
        if node.get("type") == "Retry" and node.get("phase") not in FAILED
        for child in node.get("children") or []
    }
    pods = [
        node
        for key, node in nodes.items()
        if node.get("type") == "Pod" and node.get("phase") in FAILED and key not in retried
    ]
    if not pods:
        return {}
    first = min(pods, key=lambda node: str(node.get("finishedAt")))
    attempts = [node for node in pods if node.get("templateName") == first.get("templateName")]
    return max(attempts, key=lambda node: str(node.get("finishedAt")))


def _exit_code(node: Mapping[str, Any]) -> int:
    """Return the exit code of a pod's main container, 0 if it was killed before it could exit."""
    code = str((node.get("outputs") or {}).get("exitCode", ""))
    return int(code) if code.isascii() and code.isdigit() and 0 < int(code) < 256 else 0


def as_markdown(pipeline: str, request: Request, outcomes: Iterable[Outcome]) -> str:
    """Return a heading, a row for each dataset, and the parameters, for the summary page of a run."""
    rows = [f"| {' | '.join(_cells(outcome))} |" for outcome in outcomes]
    table = ["| dataset | phase | release | failed step | message |", "|---|---|---|---|---|", *rows]
    title = f"[{pipeline} pipelines]({request.run_url})" if request.run_url else f"{pipeline} pipelines"
    parameters = ", ".join(f"{name}: {value}" for name, value in request.parameters.items())
    return "\n".join([f"### {title}", "", *(table if rows else ["No dataset to run has changed."]), "", parameters, ""])


def _cells(outcome: Outcome) -> list[str]:
    message = outcome.message if len(outcome.message) <= LONG else f"{outcome.message[:LONG]}..."
    cells = (outcome.dataset, outcome.phase, outcome.release or "-", outcome.step or "-", message or "-")
    return [_escaped(cell) for cell in cells]


def _escaped(text: str) -> str:
    """Return a text that Markdown shows literally: a message may hold anything that a source sent."""
    return re.sub(r"[\\`*_\[\]|~@#!]", lambda match: f"&#{ord(match[0])};", html.escape(printable(text), quote=False))

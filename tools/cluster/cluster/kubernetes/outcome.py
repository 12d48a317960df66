"""How a workflow ended, by the Workflow object that the cluster has."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from data_registry.stage.errors import ReleaseRefused

FINISHED = ("Succeeded", "Failed", "Error")
WENT_WRONG = ("Failed", "Error")
NEW = ("released", "completed")  # as the step publish says what it did


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a dataset's workflow.

    ``tag`` is the release that the step publish has made, where ``is_new``, or found; ``code`` is the exit code of the
    step that failed, 0 while none has.
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
        """Say what publish did; nothing where it has not, or not yet."""
        if not self.tag:
            return ""
        return f"released {self.tag}" if self.is_new else f"nothing new; {self.tag} is the last release"


def read_outcome(dataset: str, workflow: Mapping[str, Any]) -> Outcome:
    """Return what a Workflow object says of its dataset: phase, release, and the step that failed, if one did."""
    status = workflow.get("status") or {}
    nodes: dict[str, dict[str, Any]] = status.get("nodes") or {}
    told = _published(nodes)
    found = Outcome(
        dataset,
        workflow["metadata"]["name"],
        phase=status.get("phase") or "Pending",
        tag=told.get("tag", ""),
        is_new=told.get("outcome") in NEW,
    )
    if found.phase not in WENT_WRONG:
        return dataclasses.replace(found, message=status.get("message", ""))
    failed = _failed(nodes)
    message = failed.get("message") or status.get("message") or "ended without a word"
    return dataclasses.replace(
        found, step=failed.get("templateName", ""), message=message, code=_exit_code(failed) or ReleaseRefused.code
    )


def _published(nodes: Mapping[str, dict[str, Any]]) -> dict[str, str]:
    """Return the output parameters of the step publish, or nothing while it has none."""
    for node in nodes.values():
        parameters = (node.get("outputs") or {}).get("parameters") or []
        told = {str(each.get("name")): str(each.get("value") or "") for each in parameters}
        if node.get("templateName") == "publish" and told.get("tag"):
            return told
    return {}


def _failed(nodes: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the pod that made the workflow fail: the last attempt of the first step that failed for good."""
    mended = {
        child
        for node in nodes.values()
        if node.get("type") == "Retry" and node.get("phase") not in WENT_WRONG
        for child in node.get("children") or []
    }
    failed = [
        node
        for key, node in nodes.items()
        if node.get("type") == "Pod" and node.get("phase") in WENT_WRONG and key not in mended
    ]
    if not failed:
        return {}
    first = min(failed, key=lambda node: str(node.get("finishedAt")))
    attempts = [node for node in failed if node.get("templateName") == first.get("templateName")]
    return max(attempts, key=lambda node: str(node.get("finishedAt")))


def _exit_code(node: Mapping[str, Any]) -> int:
    """Return the exit code of a pod's main container, 0 where it never ended by itself."""
    code = str((node.get("outputs") or {}).get("exitCode", ""))
    return int(code) if code.isascii() and code.isdigit() and 0 < int(code) < 256 else 0

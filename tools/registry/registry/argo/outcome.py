"""How a workflow ended, by the Workflow object that the cluster has."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from stage.errors import ReleaseRefused

FINISHED = ("Succeeded", "Failed", "Error")
WENT_WRONG = ("Failed", "Error")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a dataset's workflow; ``code`` is the exit code of the step that failed, 0 while none has."""

    dataset: str
    workflow: str = ""
    phase: str = "Pending"
    tag: str = ""
    step: str = ""
    message: str = ""
    code: int = 0

    @property
    def is_finished(self) -> bool:
        return self.phase in FINISHED


def read_outcome(dataset: str, workflow: Mapping[str, Any]) -> Outcome:
    """Return what a Workflow object says of its dataset: phase, released tag, and the step that failed, if one did."""
    status = workflow.get("status") or {}
    nodes: dict[str, dict[str, Any]] = status.get("nodes") or {}
    found = Outcome(dataset, workflow["metadata"]["name"], phase=status.get("phase") or "Pending", tag=_tag(nodes))
    if found.phase not in WENT_WRONG:
        return dataclasses.replace(found, message=status.get("message", ""))
    failed = _failed(nodes)
    message = failed.get("message") or status.get("message") or "ended without a word"
    return dataclasses.replace(
        found, step=failed.get("templateName", ""), message=message, code=_exit_code(failed) or ReleaseRefused.code
    )


def _tag(nodes: Mapping[str, dict[str, Any]]) -> str:
    """Return the tag that the step publish has released, or nothing."""
    for node in nodes.values():
        if node.get("templateName") == "publish":
            for each in (node.get("outputs") or {}).get("parameters") or []:
                if each.get("name") == "tag" and each.get("value"):
                    return str(each["value"])
    return ""


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

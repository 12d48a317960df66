"""Say how a workflow ended, in lines that help: for the log of its last step."""

import dataclasses
import json
import re
from typing import Any

from stage import errors

CODES = {kind.code: kind.__name__ for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}

CURES = {"switch": "; the release is made: make switch, for another run finds nothing to do"}


@dataclasses.dataclass(frozen=True)
class Report:
    """How a workflow ended, and each step that failed with what Argo says of it."""

    dataset: str
    workflow: str
    status: str
    failures: tuple[str, ...]


def make_report(dataset: str, workflow: str, status: str, failures: str) -> Report:
    """Read what Argo hands to an exit handler; ``failures`` is its list in JSON, quoted once more or empty."""
    return Report(dataset, workflow, status, tuple(_line(each) for each in _failures(failures)))


def _failures(text: str) -> list[dict[str, Any]]:
    """Return the failed steps. Argo quotes its JSON, for templates that paste it into JSON."""
    try:
        found = json.loads(text or "[]")
        found = json.loads(found) if isinstance(found, str) else found
    except ValueError:
        return []
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _line(failure: dict[str, Any]) -> str:
    message = str(failure.get("message", "")).strip() or "no message"
    code = re.search(r"exit code (\d+)", message)  # as in: main: Error (exit code 12)
    kind = f" ({CODES[int(code[1])]})" if code and int(code[1]) in CODES else ""
    step = str(failure.get("templateName") or failure.get("displayName"))
    return f"{step}: {message}{kind}{CURES.get(step, '')}"

"""Say how a workflow ended, in lines that help: for the log of its last step."""

import dataclasses
import re
from typing import Any

from data_registry.stage import errors
from data_registry.stage.errors import CorruptFile
from data_registry.stage.foreign import read_json

CODES = {kind.code: kind.__name__ for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}

EXIT = re.compile(r"exit code (\d+)")  # as in: main: Error (exit code 12)
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
    # Argo names the graph too, every attempt, and that there are no more: of a step, the last that ended with a code.
    last: dict[str, dict[str, Any]] = {}
    for each in _failures(failures):
        if _step(each) != "main" and (_step(each) not in last or EXIT.search(str(each.get("message")))):
            last[_step(each)] = each
    return Report(dataset, workflow, status, tuple(map(_line, last.values())))


def _failures(text: str) -> list[dict[str, Any]]:
    """Return the failed steps. Argo quotes its JSON, for templates that paste it into JSON."""
    try:
        found = read_json(text or "[]", "failures", (str, list))
        found = read_json(found, "failures", list) if isinstance(found, str) else found
    except CorruptFile:  # the report of a failure does not fail
        return []
    return [each for each in found if isinstance(each, dict)]


def _line(failure: dict[str, Any]) -> str:
    message = str(failure.get("message", "")).strip() or "no message"
    code = EXIT.search(message)
    kind = f" ({CODES[int(code[1])]})" if code and int(code[1]) in CODES else ""
    step = _step(failure)
    return f"{step}: {message}{kind}{CURES.get(step, '')}"


def _step(failure: dict[str, Any]) -> str:
    return str(failure.get("templateName") or failure.get("displayName"))

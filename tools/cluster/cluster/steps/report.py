"""Say how a workflow ended, for the log of its last step."""

import re
from typing import Any

from data_registry.stage import errors
from data_registry.stage.errors import CorruptFile
from data_registry.stage.foreign import read_json

CODES = {kind.code: kind.__name__ for kind in vars(errors).values() if isinstance(kind, type) and hasattr(kind, "code")}

EXIT = re.compile(r"exit code (\d+)")  # as in: main: Error (exit code 12)
CURES = {"switch": "; the release exists, so another run would find nothing to do; fix: make switch"}


def failed_steps(text: str) -> list[str]:
    """Return a line for each failed step; ``text`` is Argo's ``workflow.failures``: JSON, quoted again, or empty."""
    # Argo lists the graph too, and every attempt, and that retries are used up: a step's last exit code counts.
    last: dict[str, dict[str, Any]] = {}
    for failure in read_failures(text):
        step = _step(failure)
        if step != "main" and (step not in last or EXIT.search(str(failure.get("message")))):
            last[step] = failure
    return list(map(_line, last.values()))


def read_failures(text: str) -> list[dict[str, Any]]:
    """Return Argo's entries. It quotes its JSON, for templates that paste it into JSON."""
    try:
        failures = read_json(text or "[]", "failures", (str, list))
        failures = read_json(failures, "failures", list) if isinstance(failures, str) else failures
    except CorruptFile:  # the report of a failure does not fail
        return []
    return [failure for failure in failures if isinstance(failure, dict)]


def _line(failure: dict[str, Any]) -> str:
    message = str(failure.get("message", "")).strip() or "no message"
    code = EXIT.search(message)
    kind = f" ({CODES[int(code[1])]})" if code and int(code[1]) in CODES else ""
    step = _step(failure)
    return f"{step}: {message}{kind}{CURES.get(step, '')}"


def _step(failure: dict[str, Any]) -> str:
    return str(failure.get("templateName") or failure.get("displayName"))

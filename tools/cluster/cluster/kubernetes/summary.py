"""What became of submitted workflows, for the summary page of a run of GitHub Actions."""

import html
import re
from collections.abc import Iterable

from registry.terminal import printable

from cluster.kubernetes.inputs import Request
from cluster.kubernetes.outcome import Outcome

LONG = 300  # characters of a message


def as_markdown(pipeline: str, request: Request, outcomes: Iterable[Outcome]) -> str:
    """Return a heading, a row for each dataset, and what they were submitted with."""
    rows = [f"| {' | '.join(_cells(each))} |" for each in outcomes]
    table = ["| dataset | phase | release | failed step | message |", "|---|---|---|---|---|", *rows]
    title = f"[{pipeline} pipelines]({request.run_url})" if request.run_url else f"{pipeline} pipelines"
    given = ", ".join(f"{name}: {value}" for name, value in request.parameters.items())
    return "\n".join(
        [f"### {title}", "", *(table if rows else ["Nothing has changed that is to be run."]), "", given, ""]
    )


def _cells(outcome: Outcome) -> list[str]:
    message = outcome.message if len(outcome.message) <= LONG else f"{outcome.message[:LONG]}..."
    cells = (outcome.dataset, outcome.phase, outcome.release or "-", outcome.step or "-", message or "-")
    return [_escaped(cell) for cell in cells]


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is: a message may hold anything that a source sent."""
    return re.sub(r"[\\`*_\[\]|~@#!]", lambda found: f"&#{ord(found[0])};", html.escape(printable(text), quote=False))

"""The last step of a workflow: what it says of how that ended."""

import json

import pytest
from click.testing import CliRunner
from cluster.cli import cli
from cluster.steps.report import failed_steps


def failures(*nodes: tuple[str, str]) -> str:
    """What Argo puts for {{workflow.failures}}: a list in JSON, as a string in JSON."""
    entries = [
        {"displayName": f"{name}(0)", "message": message, "templateName": name, "phase": "Failed", "finishedAt": None}
        for name, message in nodes
    ]
    return json.dumps(json.dumps(entries))


@pytest.mark.parametrize(
    "given", ["", "[]", json.dumps("null"), json.dumps("[]"), "{{workflow.failures}}", "5", '["x"]']
)
def test_a_report_without_failures(given: str) -> None:
    assert failed_steps(given) == []


def test_of_a_step_the_last_attempt_counts_and_the_graph_does_not() -> None:
    given = failures(
        ("stats", "Error (exit code 12)"), ("stats", "Error (exit code 22)"), ("stats", "No more retries"), ("main", "")
    )
    assert failed_steps(given) == ["stats: Error (exit code 22) (SchemaMismatch)"]


@pytest.mark.parametrize(
    ("step", "message", "line"),
    [
        ("plan", "Error (exit code 40)", "plan: Error (exit code 40) (ReleaseRefused)"),
        ("fetcher", "main: Error (exit code 12): <&>", "fetcher: main: Error (exit code 12): <&> (NetworkFailed)"),
        ("stats", "OOMKilled (exit code 137)", "stats: OOMKilled (exit code 137)"),
        ("stats", "", "stats: no message"),
        ("switch", "x", "switch: x; the release exists, so another run would find nothing to do; fix: make switch"),
    ],
)
def test_a_report_names_what_failed_and_why(step: str, message: str, line: str) -> None:
    environ = {"DS": "letters", "ARGO_WORKFLOW_NAME": "data-letters-x", "ARGO_WORKFLOW_STATUS": "Failed"}
    done = CliRunner().invoke(
        cli, ["argo", "report"], env={**environ, "ARGO_WORKFLOW_FAILURES": failures((step, message))}
    )
    assert done.stdout == f"data-letters-x: letters Failed\n{line}\n", done.output

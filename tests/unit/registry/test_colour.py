"""Escape codes appear on terminals that take them, and nowhere else."""

import os
import pty
import subprocess
import sys

import pytest

PROGRAM = """
import click
from registry.cli import cli
cli.add_command(click.Command("styled", callback=lambda: click.secho("seen", bold=True)))
cli(["styled"])
"""


@pytest.mark.parametrize(
    ("terminal", "variables", "is_styled"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "NO_COLOR": ""}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {"TERM": "xterm"}, False),
    ],
)
def test_colours_only_where_they_are_welcome(terminal: bool, variables: dict[str, str], is_styled: bool) -> None:
    inherited = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "TERM"}}
    known = {**inherited, **variables, "PYTHONPATH": os.pathsep.join(sys.path)}
    ours, theirs = pty.openpty() if terminal else os.pipe()
    subprocess.run([sys.executable, "-c", PROGRAM], env=known, stdout=theirs, check=True)
    os.close(theirs)
    shown = os.read(ours, 1000).decode()
    os.close(ours)
    assert "seen" in shown and ("\x1b[" in shown) == is_styled

"""Style and types of the whole tree."""

import subprocess

import pytest
from data_registry.clone import repository


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(["ruff", "check", ".", "tools/run"], id="style"),
        pytest.param(["ruff", "format", "--check", ".", "tools/run"], id="style of the layout"),
        pytest.param(["mypy"], id="types", marks=pytest.mark.extended),
    ],
)
def test_style_and_types(command: list[str]) -> None:
    checked = subprocess.run(command, cwd=repository(), text=True, capture_output=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr

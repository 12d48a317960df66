"""Style and types of the whole tree."""

import subprocess

import pytest
from data_registry.clone import repository

CHECKS = {
    "style": ["ruff", "check", ".", "tools/run"],
    "style of the layout": ["ruff", "format", "--check", ".", "tools/run"],
    "types": ["mypy"],
}


@pytest.mark.parametrize("command", CHECKS.values(), ids=CHECKS.keys())
def test_style_and_types(command: list[str]) -> None:
    checked = subprocess.run(command, cwd=repository(), text=True, capture_output=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr

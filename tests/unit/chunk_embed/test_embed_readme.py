"""The README shows the current help. The tool is not installed beside the tests, for its libraries are of gigabytes."""

import os
import re
from pathlib import Path

import pytest
from chunk_embed.cli import cli
from chunk_embed.settings import EmbedSettings
from click.testing import CliRunner

HELP = re.compile(r"```text\n\$ tools/run (?P<command>chunk-embed [a-z]+ --help)\n(?P<text>.*?)```", re.DOTALL)


def help_text(command: str) -> str:
    shown = CliRunner().invoke(cli, command.split()[1:], prog_name="chunk-embed", terminal_width=80)
    return shown.output


@pytest.fixture
def readme(root: Path) -> Path:
    return root / "tools/chunk-embed/README.md"


def test_it_shows_the_current_help(readme: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    shown = HELP.sub(lambda found: f"```text\n$ tools/run {found[1]}\n{help_text(found[1])}```", text)
    if os.environ.get("UPDATE_READMES"):
        readme.write_text(shown, encoding="utf-8")
    assert text == shown or os.environ.get("UPDATE_READMES")
    assert {found[1].split()[1] for found in HELP.finditer(text)} == set(cli.commands)


def test_it_names_every_setting_and_variable(readme: Path, root: Path) -> None:
    text = readme.read_text(encoding="utf-8")
    for name in EmbedSettings.__dataclass_fields__:
        assert f"`{name.replace('_', '-')}`" in text
    declared = re.search(r"env = \[(.*?)\]", (root / "tools/chunk-embed/pyproject.toml").read_text(), re.DOTALL)
    assert declared
    for name in re.findall(r'"([A-Z_]+)"', declared[1]):
        assert f"`{name}`" in text

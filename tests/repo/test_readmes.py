"""The READMEs say what is: help texts are current, links lead somewhere, commands exist."""

import importlib
import os
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from data_registry.clone import repository

ROOT = repository()
LISTED = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"],
    cwd=ROOT,
    text=True,
    capture_output=True,
    check=True,
).stdout.splitlines()
READMES = sorted(ROOT / name for name in LISTED if "/sample/" not in name or name.endswith("/sample/README.md"))
HELP = re.compile(r"```text\n\$ (?P<command>[a-z -]+ --help)\n(?P<text>.*?)```", re.DOTALL)


def help_text(command: str) -> str:
    tool, *arguments = command.split()
    cli = importlib.import_module(f"{tool}.cli").cli
    shown = CliRunner().invoke(cli, arguments, prog_name=tool, terminal_width=78)  # what click takes of 80 columns
    assert shown.exit_code == 0, shown.output
    return shown.stdout


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_readme_shows_the_current_help(readme: Path) -> None:
    """With UPDATE_READMES=1 the texts are written instead of compared."""
    text = readme.read_text(encoding="utf-8")
    current = HELP.sub(lambda found: f"```text\n$ {found['command']}\n{help_text(found['command'])}```", text)
    if os.environ.get("UPDATE_READMES"):
        readme.write_text(current, encoding="utf-8")
    assert text == current or os.environ.get("UPDATE_READMES")


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(readme: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#\s]*)(?:#[^)]*)?\)", readme.read_text(encoding="utf-8")):
        assert not target or (readme.parent / target).exists(), target


@pytest.mark.parametrize("tool", ["fetcher", "parquetizer", "stats", "pgloader", "registry", "catalog", "cluster"])
def test_every_command_of_a_tool_is_in_its_readme(tool: str) -> None:
    commands = re.findall(r"^  ([a-z-]+)  ", help_text(f"{tool} --help").partition("Commands:")[2], re.MULTILINE)
    assert commands
    text = (ROOT / "tools" / tool / "README.md").read_text(encoding="utf-8")
    for command in commands:
        assert f"{tool} {command}" in text or f"make {command}" in text


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_targets_exist(readme: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for target in re.findall(
        r"(?:^ {4}|`)(?:[A-Z_]+=\S+ )*make ([a-z-]+)", readme.read_text(encoding="utf-8"), re.MULTILINE
    ):
        assert target in targets

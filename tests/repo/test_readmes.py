"""The READMEs are right: help texts are current, links lead somewhere, commands are accepted as they stand."""

import importlib
import os
import re
import shlex
import subprocess
from pathlib import Path

import click
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


RECIPES = dict(re.findall(r"^([a-z-]+):.*\n\t@(.*)", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
MAKE = re.compile(r"(?:^ {4}|`)((?:[A-Z_]+=\S+ )*make (?:[^`\n# ]| (?! ))+)", re.MULTILINE)
EVERYWHERE = {"ENV", "RUNTIME", "SOURCE", "FETCH_MIRROR", "FETCH_TRUST", "KUBE_CONTEXT", "DVC_REMOTE"}
IMAGES = {"PIP_CONF", "CA_BUNDLE", "WHEELHOUSE"}


@pytest.mark.parametrize("readme", READMES, ids=lambda path: str(path.relative_to(ROOT)))
def test_make_commands_are_accepted_as_they_stand(readme: Path) -> None:
    """The target exists, its command has these variables, and takes these values."""
    for line in MAKE.findall(readme.read_text(encoding="utf-8")):
        if "…" in line or "=..." in line or "[" in line:  # says where values go
            line = re.sub(r"[ \[]*[A-Z_]+=.*", "", line)
        words = shlex.split(line.replace("\n", " "))
        variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
        targets = [word for word in words[words.index("make") + 1 :] if re.fullmatch(r"[a-z-]+", word)]
        for target in targets:
            assert target in RECIPES, line
            if (command := command_of(RECIPES[target])) is None:
                continue
            known = {name for parameter in command.params for name in names_of(parameter)}
            paths = {name for one in command.params if isinstance(one.type, click.Path) for name in names_of(one)}
            variables = {
                name: value for name, value in variables.items() if not name.startswith(("MINIKUBE_", "PIP_", "UV_"))
            }
            assert variables.keys() <= known | EVERYWHERE | (IMAGES if target == "images" else set()), line
            with pytest.MonkeyPatch.context() as environment:
                for name in known:
                    environment.delenv(name, raising=False)
                for name in variables.keys() - paths:  # which need not exist here
                    environment.setenv(name, variables[name])
                command.make_context(target, [])


def command_of(recipe: str) -> click.Command | None:
    """Return the command that a recipe runs, or None where it is not one of ours."""
    words = shlex.split(recipe)
    if words[0] != "tools/run" or words[1] not in {"registry", "catalog", "cluster"}:
        return None
    command: click.Command = importlib.import_module(f"{words[1]}.cli").cli
    for word in words[2:]:
        if isinstance(command, click.Group):
            command = command.commands[word]
    return command


def names_of(parameter: click.Parameter) -> list[str]:
    """Return the variables of a parameter."""
    return [parameter.envvar] if isinstance(parameter.envvar, str) else list(parameter.envvar or ())

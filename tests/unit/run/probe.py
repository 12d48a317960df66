"""A repository with one tool, ``probe``, that tells what it was given; its environment needs nothing."""

import functools
import os
import shutil
import subprocess
from pathlib import Path
from unittest import mock

from conftest import environ
from launcher.images import refresh_images
from launcher.pythons import Python, choose_python
from launcher.toolbox import installer, read_tool
from launcher.virtualenvs import environment_name, environments, virtualenv

PROJECT = '[project]\nrequires-python = ">=3.11,<3.15"\n\n'
PROBE = """\
import json, os, sys
def cli(): print(json.dumps({"env": dict(os.environ), "argv": sys.argv, "cwd": os.getcwd()}))
"""


def make_tree(root: Path, tree: Path) -> Path:
    """Make the repository."""
    for name in ("run", "launcher", "client"):
        copy = shutil.copy if name == "run" else functools.partial(shutil.copytree, symlinks=True)
        (tree / "tools").mkdir(parents=True, exist_ok=True)
        copy(root / "tools" / name, tree / "tools" / name)
    for folder, env in (("tools/probe", '["PROBE_PATH", "PROBE_SECRET"]'), ("tests", '["*"]')):
        (tree / folder / "probe").mkdir(parents=True)
        (tree / folder / "requirements.lock").write_text("")
        (tree / folder / "pyproject.toml").write_text(
            f'{PROJECT}[tool.data-registry]\nshared = []\nnetwork = false\nenv = {env}\npaths = ["PROBE_PATH"]\n'
        )
    (tree / "tools/probe/probe/__init__.py").touch()
    (tree / "tools/probe/probe/cli.py").write_text(PROBE)
    (tree / "tools/probe/Dockerfile").write_text("FROM scratch\n")
    (tree / "data").mkdir()
    refresh_images(tree)
    uv = virtualenv(installer(root), root)
    (tree / ".venvs").mkdir()
    (tree / ".venvs" / uv.name).symlink_to(uv)
    return tree


def python(tree: Path) -> Python:
    """Return the Python that an environment is made of."""
    return choose_python(read_tool(tree / "tools/probe"))


def environment(tree: Path, folder: Path | None = None) -> Path:
    """Return where the tool's environment is, or will be, in the folder of environments."""
    with mock.patch.dict(os.environ, {"REGISTRY_ENVS": str(folder or tree / ".venvs")}):
        return environments(tree) / environment_name(read_tool(tree / "tools/probe"), tree, python(tree))


def stamped(tree: Path) -> Path:
    """Make the tool's environment, which needs no pip."""
    made = environment(tree)
    subprocess.run([python(tree).path, "-m", "venv", "--without-pip", made], check=True)
    (made / ".made").touch()
    return tree


def run(tree: Path, *arguments: str, cwd: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    known = {**environ(tree, RUNTIME="host"), "REGISTRY_ENVS": str(tree / ".venvs"), **variables}
    command = [str(tree / "tools/run"), *arguments]
    return subprocess.run(command, cwd=cwd or tree, env=known, text=True, capture_output=True)

"""The Pythons of this machine that environments are made of. Standard library only."""

import dataclasses
import functools
import os
import platform
import subprocess
import sys
from pathlib import Path

from launcher.failure import CannotRun
from launcher.toolbox import Tool
from launcher.variables import without_python

# The minor version, whether venv is whole (half of it is in a package of its own on Debian), and the program itself,
# for a link to it may lead to another one tomorrow.
PROBE = """\
import importlib.util, os, sys
complete = all(map(importlib.util.find_spec, ("venv", "ensurepip")))
if sys.implementation.name == "cpython" and "t" not in sys.abiflags:
    print(sys.version_info[1], int(complete), os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable))
"""


class NotAtHand(CannotRun):
    """What a tool needs is not on this machine or in its package indexes, and the rest works without the tool."""

    def __init__(self, tool: Tool, what: str, fix: str) -> None:
        super().__init__(10, tool.name, what, fix)


@dataclasses.dataclass(frozen=True)
class Python:
    """An interpreter of version 3.``minor``."""

    minor: int
    path: Path


def choose_python(tool: Tool) -> Python:
    """Return the newest Python that runs, has venv and suits the tool.

    Raises CannotRun where there is none, NotAtHand where the tool is for another machine or for one Python alone.
    """
    here = f"{platform.system()} {platform.machine()}"
    if tool.platform not in {"", here}:
        raise NotAtHand(tool, f"needs {tool.platform}, this is {here}", "start Docker, to run it in its container")
    complete, incomplete = ([python for python in some if python.minor in tool.minors] for some in _pythons())
    if complete:
        return complete[0]
    if incomplete:
        version = f"python3.{incomplete[0].minor}"
        fix = f"apt install {version}-venv, or install a complete Python"
        raise CannotRun(10, incomplete[0].path, "has no venv module", fix)
    fix = f"install python3.{tool.minors[-1]} (with its venv module)"
    if len(tool.minors) == 1:
        raise NotAtHand(tool, f"Python 3.{tool.minors[0]} not found", f"{fix}, or start Docker")
    raise CannotRun(10, "tools/run", f"Python 3.{tool.minors[0]} to 3.{tool.minors[-1]} not found", fix)


@functools.cache
def _pythons() -> tuple[list[Python], list[Python]]:
    """Return the Pythons on the PATH and the one that runs this, the newest first: with venv, and without."""
    folders = filter(None, os.environ.get("PATH", os.defpath).split(os.pathsep))
    names = ("python3", "python", *(f"python3.{minor}" for minor in range(11, 20)))
    pythons: dict[Python, bool] = {}
    for path in [Path(sys.executable), *(Path(folder, name) for folder in folders for name in names)]:
        if os.access(path, os.X_OK) and (fields := _probe(path)):
            pythons.setdefault(Python(int(fields[0]), Path(fields[2])), fields[1] == "1")
    newest = sorted(pythons, key=lambda python: -python.minor)
    return [python for python in newest if pythons[python]], [python for python in newest if not pythons[python]]


def _probe(path: Path) -> list[str]:
    """Return what a Python says of itself; nothing where the name is a stub that fails, as pyenv has them."""
    environ = without_python(os.environ)
    try:
        done = subprocess.run([path, "-I", "-c", PROBE], env=environ, capture_output=True, text=True, timeout=20)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return []
    fields = done.stdout.rstrip("\n").split(" ", 2)
    return fields if done.returncode == 0 and len(fields) == 3 else []

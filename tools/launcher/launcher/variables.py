"""Which of the user's variables reach a tool that runs on the host. Standard library only."""

import os
from collections.abc import Mapping
from pathlib import Path

from data_registry.clone import GIT_LOCATIONS

from launcher.toolbox import Tool

ALWAYS = ("PATH", "HOME", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "TERM", "NO_COLOR")

OTHER_PYTHON = {"VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT", "__PYVENV_LAUNCHER__"}
HARMLESS = {"PYTHONHASHSEED", "PYTHONUNBUFFERED"}

# UTF-8 whatever the locale is; and DVC starts stages in $SHELL, which may be any program.
SAME_FOR_ALL = {"PYTHONUTF8": "1", "SHELL": "/bin/sh"}


def without_python(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables without those that change what a Python of another environment does."""
    return {
        name: value
        for name, value in environ.items()
        if name in HARMLESS or not (name.startswith("PYTHON") or name in OTHER_PYTHON)
    }


def declared(tool: Tool, root: Path) -> dict[str, str]:
    """Return the variables that a tool declares; a relative path among them starts at the repository's root."""
    environ: dict[str, str] = {}
    for name in tool.env:
        value = os.environ.get(name)
        if value is not None:
            is_path = name in tool.paths and value and "://" not in value
            environ[name] = str((root / value).resolve()) if is_path else value
    return environ


def on_host(tool: Tool, root: Path, programs: Path) -> dict[str, str]:
    """Return the environment of a tool on the host, whose environment has ``programs``."""
    if tool.env == ("*",):
        known = {name: value for name, value in without_python(os.environ).items() if name not in GIT_LOCATIONS}
        home = Path(known.get("HOME", "/"))
        if home.exists() and not home.is_dir():
            del known["HOME"]  # /dev/null, where DVC and dulwich end at "not a directory"; a missing folder is fine
        path = os.pathsep.join(filter(None, (str(programs), os.environ.get("PATH", os.defpath))))
        return {**known, **SAME_FOR_ALL, "REGISTRY_ROOT": str(root), "PATH": path}
    always = {name: os.environ[name] for name in ALWAYS if name in os.environ}
    return {**declared(tool, root), **always, **SAME_FOR_ALL}

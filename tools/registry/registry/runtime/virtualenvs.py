"""The virtual environment of a tool, made on first use from its lock. Standard library only."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

from registry.runtime.installing import install_lock
from registry.runtime.toolbox import Tool

LOCAL = re.compile(r"^([A-Za-z0-9._-]+==[^\s;]+\+[^\\\n]+?) *\\?$", re.MULTILINE)  # with its marker, for pip to judge
INDEX = "https://download.pytorch.org/whl/cpu"


class NotAtHand(Exception):
    """No package index that pip knows has a build that the lock pins by a local version, as ``torch==2.13.0+cpu``."""


def virtualenv(tool: Tool, root: Path) -> Path:
    """Return the tool's virtual environment, made anew where its lock has changed.

    Two processes that need it at once make it once. Raises CalledProcessError where pip fails, and NotAtHand before
    anything is fetched.
    """
    folder = Path(os.environ.get("REGISTRY_ENVS", root / ".venvs")) / tool.name
    wanted = _stamp(tool)
    if _made(folder) == wanted:
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _made(folder) != wanted:
            print(f"{tool.name}: making its environment (once)", file=sys.stderr, flush=True)
            started = time.monotonic()
            shutil.rmtree(folder, ignore_errors=True)
            venv.create(folder, with_pip=True)
            _install(folder, tool)
            (folder / ".stamp").write_text(wanted)
            print(f"{tool.name}: its environment took {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return folder


def _install(folder: Path, tool: Tool) -> None:
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    quiet = [*pip, "install", "-qq"]
    lock = tool.folder / "requirements.lock"
    for pin in LOCAL.findall(lock.read_text()):
        # The general index has other builds of these alone, with gigabytes for graphics cards.
        look = [*quiet, "--dry-run", "--no-deps", pin]
        if subprocess.run(look, capture_output=True).returncode:
            raise NotAtHand(f"no package index at hand has {pin.partition(' ')[0]}")
    install_lock(pip, lock, folder, tool.name)
    if tool.name == "tests":  # type checkers and doctests look for installed packages
        editable = [argument for package in tool.packages[:-1] for argument in ("-e", str(package))]
        # The build backend is in the lock, so nothing unpinned is fetched to install our own packages.
        subprocess.run([*quiet, "--no-deps", "--no-build-isolation", *editable], check=True, stdout=sys.stderr)


def _stamp(tool: Tool) -> str:
    """Return what the environment depends on. The tools' own code is not in it: it is run from where it is."""
    digest = hashlib.sha256(sys.version.encode() + (tool.folder / "requirements.lock").read_bytes())
    for package in tool.packages if tool.name == "tests" else ():
        digest.update(f"{package}\0".encode() + (package / "pyproject.toml").read_bytes())
    return digest.hexdigest()


def _made(folder: Path) -> str:
    try:
        return (folder / ".stamp").read_text()
    except FileNotFoundError:
        return ""

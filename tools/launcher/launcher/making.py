"""How a virtual environment is made from a lock. Standard library only."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from launcher.failure import CannotRun
from launcher.installing import PipFailed, install_lock, pip_environment
from launcher.toolbox import Tool
from launcher.variables import without_python

LOCAL = re.compile(r"^([A-Za-z0-9._-]+==[^\s;]+\+[^\\\n]+?) *\\?$", re.MULTILINE)  # with its marker, for pip to judge
INDEX = "https://download.pytorch.org/whl/cpu"
MADE = ".made"  # in an environment that is complete
ELSEWHERE = "set REGISTRY_ENVS to a folder where you may write, on a disk with room that may hold programs"
LEAST = 20_000_000  # bytes that are free on a disk that is not full


class NotAtHand(CannotRun):
    """No package index that pip knows has a build that the lock pins by a local version, as ``torch==2.13.0+cpu``."""

    def __init__(self, tool: Tool, pin: str) -> None:
        fix = f"PIP_EXTRA_INDEX_URL={INDEX}, or PIP_FIND_LINKS=a folder that has the wheel"
        super().__init__(10, tool.name, f"no package index at hand has {pin.partition(' ')[0]}", fix)


def make(folder: Path, tool: Tool, lock: int) -> None:
    """Make an environment; what is there of it is what somebody began who holds the lock no more."""
    if os.pathsep in str(folder):
        raise CannotRun(2, folder, "an environment's path may not have a colon", ELSEWHERE)
    say(f"{tool.name}: making its environment (once)")
    started = time.monotonic()
    if folder.exists():
        shutil.rmtree(folder)
    command = [_python(), "-I", "-m", "venv", str(folder)]
    known = without_python(os.environ)
    made = subprocess.run(command, env=known, pass_fds=(lock,), text=True, errors="replace", capture_output=True)
    if made.returncode:
        raise _no_venv(made.stdout + made.stderr, folder)
    _install(folder, tool, pip_environment(folder / "bin" / "python"), lock)
    (folder / MADE).touch()
    _link(folder.with_name(tool.name), folder)
    say(f"{tool.name}: its environment took {time.monotonic() - started:.0f} s")


def _link(link: Path, folder: Path) -> None:
    """Let the tool's plain name lead to the environment made last: for editors and people, no tool goes by it."""
    if not link.exists() or link.is_symlink():
        temporary = link.with_name(f".{link.name}.tmp-{os.getpid()}")
        temporary.symlink_to(folder.name)
        temporary.replace(link)


def _install(folder: Path, tool: Tool, environ: dict[str, str], lock: int) -> None:
    # pip has the lock's descriptor, so that nobody else begins while it lives, even where this process is killed.
    pip = [str(folder / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check"]
    quiet = [*pip, "install", "-qq"]
    pins = tool.folder / "requirements.lock"
    for pin in LOCAL.findall(pins.read_text(encoding="utf-8")):
        # The general index has other builds of these alone, with gigabytes for graphics cards.
        look = [*quiet, "--dry-run", "--no-deps", pin]
        if subprocess.run(look, env=environ, pass_fds=(lock,), capture_output=True).returncode:
            raise NotAtHand(tool, pin)
    try:
        install_lock(pip, pins, folder, tool.name, environ=environ, lock=lock)
    except PipFailed as error:
        if error.is_disk_full:
            raise disk_full(folder) from error
        what = f"{' '.join(error.command[:3])} ... failed with exit {error.code}"
        raise CannotRun(1, tool.name, what, "see the lines above") from error
    if tool.name == "tests":  # type checkers and doctests look for installed packages
        editable = [argument for package in tool.packages[:-1] for argument in ("-e", str(package))]
        # The build backend is in the lock, so nothing unpinned is fetched to install our own packages.
        command = [*quiet, "--no-deps", "--no-build-isolation", *editable]
        subprocess.run(command, env=environ, pass_fds=(lock,), check=True, stdout=sys.stderr)


def _no_venv(text: str, folder: Path) -> CannotRun:
    """Say why ``python -m venv`` has failed: on Debian, half of it is in a package of its own."""
    if shutil.disk_usage(folder.parent).free < LEAST:  # it does not say so itself
        return disk_full(folder)
    if "ensurepip" in text or "No module named" in text:
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        return CannotRun(10, _python(), "has no venv module", f"apt install {version}, or install a complete Python")
    lines = [line for line in text.splitlines() if line.strip()]
    return CannotRun(1, folder, lines[-1].removeprefix("Error: ") if lines else "python -m venv failed", ELSEWHERE)


def _python() -> str:
    """Return the Python that environments are made of: itself, for a link to it may lead to another one tomorrow."""
    given = getattr(sys, "_base_executable", "")
    named = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    return os.path.realpath(given if Path(given).is_file() else Path(sys.base_prefix, "bin", named))


def disk_full(where: object) -> CannotRun:
    """Return the error of a full disk."""
    return CannotRun(50, where, "no space left on the disk", f"free some space (df -h), or {ELSEWHERE}")


def say(text: str) -> None:
    """Print a line on stderr, where the talk is."""
    print(text, file=sys.stderr, flush=True)

"""How a virtual environment is made from a lock. Standard library only."""

import os
import re
import shutil
import subprocess
import time
from pathlib import Path

from launcher.failure import CannotRun
from launcher.installing import (
    ELSEWHERE,
    disk_full,
    follow,
    pip_environment,
    pip_settings,
    say,
    uv_environment,
    uv_flags,
)
from launcher.pythons import NotAtHand, Python
from launcher.toolbox import Tool
from launcher.variables import without_python

LOCAL = re.compile(r"^([A-Za-z0-9._-]+==[^\s;]+\+[^\\\n]+?) *\\?$", re.MULTILINE)  # with its marker, for uv to judge
INDEX = "https://download.pytorch.org/whl/cpu"
MADE = ".made"  # in an environment that is complete
LEAST = 20_000_000  # bytes that are free on a disk that is not full


def make(folder: Path, tool: Tool, python: Python, uv: Path | None, lock: int) -> None:
    """Make an environment with uv, or that of uv itself with pip.

    What is there of it is what somebody began who holds the lock no more. Programs that make it have the lock's
    descriptor, so that nobody else begins while one lives, even where this process is killed.
    """
    if os.pathsep in str(folder):
        raise CannotRun(2, folder, "an environment's path may not have a colon", ELSEWHERE)
    size = f", up to {tool.download} MB of packages" if tool.download else ""
    say(f"{tool.name}: making its environment (once) with Python 3.{python.minor} ({python.path}){size}")
    started = time.monotonic()
    if folder.exists():
        shutil.rmtree(folder)
    if uv:
        _make_with_uv(folder, tool, python, uv, lock)
    else:
        _make_with_pip(folder, tool, python, lock)
    (folder / MADE).touch()
    _link(folder.with_name(tool.name), folder)
    say(f"{tool.name}: its environment took {time.monotonic() - started:.0f} s")


def _link(link: Path, folder: Path) -> None:
    """Let the tool's plain name lead to the environment made last: for editors and people, no tool goes by it."""
    if not link.exists() or link.is_symlink():
        temporary = link.with_name(f".{link.name}.tmp-{os.getpid()}")
        temporary.symlink_to(folder.name)
        temporary.replace(link)


def _make_with_uv(folder: Path, tool: Tool, python: Python, uv: Path, lock: int) -> None:
    settings = pip_settings(uv.with_name("python"))
    environ = uv_environment(settings, cache_folder(folder.parent))
    follow([str(uv), "venv", "--no-project", "--python", str(python.path), str(folder)], tool.name, environ, lock)
    install = [str(uv), "pip", "install", *uv_flags(settings), "--python", str(folder)]
    pins = tool.folder / "requirements.lock"
    for pin in LOCAL.findall(pins.read_text(encoding="utf-8")):
        # The general index has other builds of these alone, with gigabytes for graphics cards.
        look = [*install, "--dry-run", "--no-deps", pin]
        if subprocess.run(look, env=environ, pass_fds=(lock,), capture_output=True).returncode:
            what = f"no package index at hand has {pin.partition(' ')[0]}"
            raise NotAtHand(tool, what, f"PIP_EXTRA_INDEX_URL={INDEX}, or PIP_FIND_LINKS=a folder that has the wheel")
    follow([*install, "--require-hashes", "-r", str(pins)], tool.name, environ, lock)
    if tool.name == "tests":  # type checkers and doctests look for installed packages
        editable = [argument for package in tool.packages[:-1] for argument in ("-e", str(package))]
        # The build backend is in the lock, so nothing unpinned is fetched to install our own packages.
        follow([*install, "--no-deps", "--no-build-isolation", *editable], tool.name, environ, lock)


def cache_folder(environments: Path) -> Path:
    """Return uv's cache: the user's, or one beside the environments where files of that cannot be linked there."""
    if given := os.environ.get("UV_CACHE_DIR"):
        return Path(given).absolute()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "uv")
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError:
        return environments / ".cache"
    is_linkable = cache.stat().st_dev == environments.stat().st_dev and os.access(cache, os.W_OK)
    return cache if is_linkable else environments / ".cache"


def _make_with_pip(folder: Path, tool: Tool, python: Python, lock: int) -> None:
    command = [str(python.path), "-I", "-m", "venv", str(folder)]
    known = without_python(os.environ)
    made = subprocess.run(command, env=known, pass_fds=(lock,), text=True, errors="replace", capture_output=True)
    if made.returncode:
        lines = [line for line in (made.stdout + made.stderr).splitlines() if line.strip()]
        if shutil.disk_usage(folder.parent).free < LEAST:  # it does not say so itself
            raise disk_full(folder)
        what = lines[-1].removeprefix("Error: ") if lines else "python -m venv failed"
        raise CannotRun(1, folder, what, ELSEWHERE)
    inside = folder / "bin" / "python"
    # Bytecode is made where a module is first imported: few of them ever are, and pip takes half of its time for it.
    pip = [str(inside), "-I", "-m", "pip", "--disable-pip-version-check", "install", "--no-compile"]
    pins = ["--require-hashes", "-r", str(tool.folder / "requirements.lock")]
    follow([*pip, *pins], tool.name, pip_environment(pip_settings(inside)), lock)

"""The virtual environments of the tools, each made on first use from its lock. Standard library only.

The name of an environment's folder says what it was made of, so that another Python, lock or place has another one, and
none is changed or deleted while it may be in use. Old ones stay until somebody removes them, as ``make doctor`` says.
An environment that is there is taken, whichever Python it is of; a new one is made of the newest.
"""

import errno
import fcntl
import hashlib
import os
import re
import shlex
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from launcher.failure import CannotRun
from launcher.installing import ELSEWHERE, disk_full, say
from launcher.making import MADE, make
from launcher.pythons import Python, choose_python
from launcher.toolbox import Tool, installer

NAMED = re.compile(r"[a-z][a-z-]*(-3\.(?P<minor>[0-9]+))?-[0-9a-f]{12}")


def environments(root: Path) -> Path:
    """Return the folder of the environments: REGISTRY_ENVS, which may start at the repository's root, or .venvs."""
    return (root / (os.environ.get("REGISTRY_ENVS") or ".venvs")).resolve()


def virtualenv(tool: Tool, root: Path) -> Path:
    """Return the tool's virtual environment, created if there is none for this lock yet.

    Two processes that need it at once make it once. Raises CannotRun where it cannot be made or used, and NotAtHand
    before anything is fetched.
    """
    folder = existing(tool, root)
    try:
        if folder is None:
            python = choose_python(tool)
            folder = environments(root) / environment_name(tool, root, python)
            folder.parent.mkdir(parents=True, exist_ok=True)
            uv = None if tool.folder == installer(root).folder else virtualenv(installer(root), root) / "bin" / "uv"
            with _alone(folder, tool) as lock:
                if not _is_made(folder):
                    make(folder, tool, python, uv, lock)
        _refuse_noexec(folder)
    except OSError as error:
        raise _cannot_write(error, folder or environments(root)) from error
    return folder


def existing(tool: Tool, root: Path) -> Path | None:
    """Return the environment that the tool has, of the newest Python if of several."""
    folders = {}
    for folder in environments(root).glob(f"{tool.name}-3.*-*"):
        if (match := NAMED.fullmatch(folder.name)) and _is_made(folder):
            python = Python(int(match["minor"]), Path(os.path.realpath(folder / "bin" / "python")))
            if folder.name == environment_name(tool, root, python) and python.minor in tool.minors:
                folders[python.minor] = folder
    return folders[max(folders)] if folders else None


def environment_name(tool: Tool, root: Path, python: Python) -> str:
    """Return the name of the folder that the tool's environment has with a Python.

    It hangs on what the environment is made of, and on where it is, for programs in it name their Python. The tools'
    own code is not in it: that is run from where it is.
    """
    digest = hashlib.sha256((tool.folder / "requirements.lock").read_bytes())
    program = python.path.stat()  # another one at the same path, of another version or machine, has other numbers
    parts = [python.path, program.st_size, program.st_mtime_ns, *(tool.packages if tool.name == "tests" else ())]
    if tool.folder != installer(root).folder:
        parts.append(environments(root))
    for part in parts:
        digest.update(f"\0{part}".encode(errors="surrogateescape"))
    for package in tool.packages if tool.name == "tests" else ():  # type checkers look for installed packages
        digest.update((package / "pyproject.toml").read_bytes())
    return f"{tool.name}-3.{python.minor}-{digest.hexdigest()[:12]}"


def hold(folder: Path) -> None:
    """Mark an environment as in use by this process and the program that it becomes, until that ends."""
    with suppress(OSError):  # on a disk without locks, nothing is ever said to be unused
        descriptor = os.open(folder, os.O_RDONLY)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        os.set_inheritable(descriptor, True)


def unused(root: Path, tools: Iterable[Tool]) -> Iterator[Path]:
    """Yield the environments in the clone that its tools do not take, as they are now, and that no tool uses.

    Those elsewhere may be another clone's.
    """
    there, by_name = environments(root), {tool.name: tool for tool in (*tools, installer(root))}
    if there.parent != root.resolve() or not there.is_dir():
        return
    needed = {existing(tool, root) for tool in by_name.values()}
    for folder in sorted(there.iterdir()):
        named = NAMED.fullmatch(folder.name) or folder.name in by_name  # as they were named once
        if named and folder not in needed and folder.is_dir() and not folder.is_symlink() and _is_idle(folder):
            yield folder


def _is_idle(folder: Path) -> bool:
    """Say whether no tool runs in an environment, and none makes it."""
    for path in (folder, _lock(folder)):
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except FileNotFoundError:
            continue
        except OSError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        finally:
            os.close(descriptor)
    return True


def _is_made(folder: Path) -> bool:
    return (folder / MADE).is_file() and (folder / "bin" / "python").exists()  # a link to a Python that may be gone


def _lock(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")


@contextmanager
def _alone(folder: Path, tool: Tool) -> Iterator[int]:
    """Hold the lock of an environment, and yield its descriptor."""
    with _lock(folder).open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{tool.name}: waiting for another process that makes its environment")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()


def _refuse_noexec(folder: Path) -> None:
    if os.statvfs(folder).f_flag & getattr(os, "ST_NOEXEC", 0):
        raise CannotRun(2, folder, "is on a disk that may not hold programs (noexec)", ELSEWHERE)


def _cannot_write(error: OSError, folder: Path) -> CannotRun:
    """Say what stands in the way of an environment, as the file system says."""
    where = error.filename or folder
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return disk_full(where)
    what = (error.strerror or str(error)).lower()
    if error.errno in {errno.EACCES, errno.EPERM}:
        cure = f"change its owner (sudo chown -R {os.getuid()} {shlex.quote(str(folder.parent))}), or {ELSEWHERE}"
        return CannotRun(2, where, what, cure)
    return CannotRun(2, where, what, ELSEWHERE)

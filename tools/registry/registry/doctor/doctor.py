"""Look at what the registry needs on this machine, and say how to mend what is wrong."""

import dataclasses
import fcntl
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

from data_registry.git import OLDEST, Git
from data_registry.stage.errors import StageError
from data_registry.store.opening import open_store
from launcher.containers import engine_answers
from launcher.toolbox import with_tests
from launcher.virtualenvs import environments, unused

from registry.build.temporary import SCRATCH
from registry.services.health import database, mlflow

COLUMNS = 80  # of a terminal
ROOM = 5  # GB that a build of the larger datasets takes
LEFT = re.compile(r"\..*\.tmp-\w+|\..*\.partial|\.[0-9a-f]{32}\.part")
SKIPPED = {".git", ".venvs", ".local", ".demo", "node_modules", "__pycache__"}


class Broken(StageError):
    """Something is wrong; where, what and how to mend it."""


@dataclasses.dataclass(frozen=True)
class Check:
    """What was looked at, and what was found; ``fix`` is empty where all is well."""

    name: str
    found: str
    fix: str = ""
    needed: bool = True  # by what ENV names

    @property
    def is_ok(self) -> bool:
        return not self.fix


def examine(root: Path, remote: str) -> list[Check]:
    """Look at everything, for the ENV that is chosen."""
    env = os.environ.get("ENV") or "local"
    in_containers = env == "docker" or os.environ.get("RUNTIME") == "container"
    git = Git(root)
    return [
        Check("ENV", env),
        _checked("python", lambda: _python(root)),
        _checked("git", lambda: _git(git)),
        _checked("clone", lambda: _clone(git), needed=False),
        _checked("docker", _docker, needed=in_containers),
        _checked(f"remote {remote}", lambda: open_store(git, "HEAD", remote).probe()),
        _checked("mlflow", lambda: mlflow(env)),
        _checked("database", lambda: database(env)),
        _checked("disk", lambda: _disk(root)),
        *_database_files(root, env),
        _checked("leftovers", lambda: _leftovers(root), needed=False),
        _checked("environments", lambda: _environments(root), needed=False),
    ]


def _database_files(root: Path, env: str) -> list[Check]:
    """Look into the database for files that no table has, where there is one."""
    if env == "local" and not (root / ".local" / "postgres" / "data").exists():
        return []
    from registry.doctor.doctor.orphans import orphans

    return [_checked("database files", lambda: orphans(root, env), needed=False)]


def as_table(checks: list[Check]) -> str:
    """Return the findings for a terminal, each with what mends it."""
    width = max(len(check.name) for check in checks) + 2
    lines: list[str] = []
    for check in checks:
        state = "ok" if check.is_ok else "problem" if check.needed else "warning"
        head = f"{check.name:<{width}}{state:<9}"
        lines += _wrapped(check.found, head)
        lines += _wrapped(f"fix: {check.fix}", " " * len(head)) if check.fix else []
    return "\n".join(lines)


def _wrapped(text: str, head: str) -> list[str]:
    indent = " " * len(head)
    return textwrap.wrap(
        text, COLUMNS, initial_indent=head, subsequent_indent=indent, break_on_hyphens=False, break_long_words=False
    )


def _checked(name: str, look: Callable[[], str], needed: bool = True) -> Check:
    try:
        return Check(name, look(), needed=needed)
    except StageError as error:
        return Check(name, f"{error.where}: {error.what}" if error.where != name else error.what, error.fix, needed)


def _python(root: Path) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    made = environments(root)
    if not os.access(made if made.exists() else made.parent, os.W_OK):
        raise Broken("python", f"{made} cannot be written", "change its owner, or set REGISTRY_ENVS to another folder")
    return f"{version}, environments in {made}"


def _git(git: Git) -> str:
    version = git("--version").removeprefix("git version ")
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        raise Broken("git", f"is {version}", f"install git {OLDEST[0]}.{OLDEST[1]} or later")
    return version


def _clone(git: Git) -> str:
    """Look at what a release would stumble over."""
    if git("rev-parse", "--is-shallow-repository") == "true":
        raise Broken("clone", "is shallow, so it cannot release", "git fetch --unshallow --tags")
    branch = git.run("symbolic-ref", "-q", "--short", "HEAD").stdout.decode().strip()
    if not branch:
        raise Broken("clone", "HEAD is detached", "git switch main")
    if git.run("var", "GIT_COMMITTER_IDENT").returncode:  # wherever git has it from
        keys = [key for key in ("user.name", "user.email") if not git.run("config", key).stdout.strip()]
        key = keys[0] if keys else "user.email"
        raise Broken("clone", f"{key} is not set", f"git config {key} '...'")
    if not git("for-each-ref", "--format=%(upstream)", f"refs/heads/{branch}"):
        raise Broken("clone", f"branch {branch} has no upstream", f"git push -u origin {branch}")
    return f"branch {branch}"


def _docker() -> str:
    if not engine_answers():
        raise Broken("docker", "no engine answers", "start Docker; without it RUNTIME=host builds the same")
    done = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True)
    if done.returncode:
        raise Broken("docker", "the engine answers, Compose is missing", "install the Docker Compose plugin")
    return f"the engine answers, Compose {done.stdout.strip()}"


def _disk(root: Path) -> str:
    free = shutil.disk_usage(root).free / 1e9
    if free < ROOM:
        raise Broken("disk", f"{free:.1f} GB are free, builds may need {ROOM}", "free some space (df -h)")
    return f"{free:.0f} GB free"


def _leftovers(root: Path) -> str:
    """Look for what killed runs have left; what a run still holds is none."""
    found = [path for path in _hidden(root) if not _is_held(path)]
    found += [path for path in (root / SCRATCH).glob("*") if not _is_held(path)]
    found += (root / ".dvc" / "cache" / "files").rglob("*.tmp")
    if not found:
        return "none"
    size = sum(each.stat().st_size for path in found for each in (path, *path.rglob("*")) if each.is_file())
    shown = " ".join(str(path.relative_to(root)) for path in found[:3])
    more = f"; {len(found) - 3} more with them" if len(found) > 3 else ""
    raise Broken("leftovers", f"{len(found)} of killed runs, {size / 1e6:.1f} MB", f"rm -rf {shown}{more}")


def _environments(root: Path) -> str:
    """Look for environments that no tool of this clone needs with this Python; another Python may."""
    found = list(unused(root, with_tests(root).values()))
    if not found:
        return "none unused"
    size = sum(path.lstat().st_size for folder in found for path in folder.rglob("*"))
    version = ".".join(map(str, sys.version_info[:3]))
    shown = " ".join(shlex.quote(str(path.relative_to(root.resolve()))) for path in found)
    what = f"{len(found)} of other Pythons than {version}, or of earlier locks, {size / 1e6:.0f} MB"
    raise Broken("environments", what, f"if nobody else needs them: rm -rf {shown}")


def _hidden(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        for name in [*names, *files]:
            if LEFT.fullmatch(name):
                yield Path(folder) / name
        names[:] = [name for name in names if name not in SKIPPED and not LEFT.fullmatch(name)]


def _is_held(path: Path) -> bool:
    """Say whether a run holds its lock."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return True  # gone, or not ours
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False

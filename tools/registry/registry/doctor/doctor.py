"""Check what the registry needs on this machine, each finding with its fix."""

import dataclasses
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from data_registry.git import OLDEST, Git
from data_registry.stage.errors import NetworkFailed, StageError
from data_registry.stage.locks import opened, try_lock
from data_registry.stage.redaction import safe_url
from data_registry.store.remote import open_store
from launcher.containers import engine_answers
from launcher.toolbox import with_tests
from launcher.virtualenvs import environments, unused

from registry.build.scratch import SCRATCH
from registry.doctor.database import TIMEOUT, check_database, check_orphans
from registry.terminal import wrapped

NEEDED_SPACE = 5  # GB, for a build of the larger datasets
LEFTOVER = re.compile(r"\..*\.tmp-\w+|\..*\.partial|\.[0-9a-f]{32}\.part")
SKIPPED = {".git", ".venvs", ".local", ".demo", "node_modules", "__pycache__"}


@dataclasses.dataclass(frozen=True)
class Check:
    """A check and its result; ``fix`` is empty where it passed."""

    name: str
    result: str
    fix: str = ""
    needed: bool = True  # with this ENV; else it is a warning

    @property
    def is_ok(self) -> bool:
        return not self.fix


def examine(root: Path, remote: str) -> list[Check]:
    """Run every check, for the current ENV."""
    env = os.environ.get("ENV") or "local"
    in_containers = env == "docker" or os.environ.get("RUNTIME") == "container"
    git = Git(root)
    checks = [
        Check("ENV", env),
        _checked("python", lambda: _python(root)),
        _checked("git", lambda: _git(git)),
        _checked("clone", lambda: _clone(git), needed=False),
        _checked("docker", _docker, needed=in_containers),
        _checked(f"remote {remote}", lambda: open_store(git, "HEAD", remote).probe()),
        _checked("mlflow", lambda: _mlflow(env)),
        _checked("database", lambda: check_database(env)),
        _checked("disk", lambda: _disk(root)),
    ]
    if env != "local" or (root / ".local" / "postgres" / "data").exists():
        checks.append(_checked("database files", lambda: check_orphans(root, env), needed=False))
    return [
        *checks,
        _checked("leftovers", lambda: _leftovers(root), needed=False),
        _checked("environments", lambda: _environments(root), needed=False),
    ]


def as_table(checks: list[Check]) -> str:
    """Return the results for a terminal, each with its fix."""
    width = max(len(check.name) for check in checks) + 2
    lines: list[str] = []
    for check in checks:
        state = "ok" if check.is_ok else "problem" if check.needed else "warning"
        head = f"{check.name:<{width}}{state:<9}"
        lines += wrapped(head, check.result, break_long_words=False)
        lines += wrapped(" " * len(head), f"fix: {check.fix}", break_long_words=False) if check.fix else []
    return "\n".join(lines)


def _checked(name: str, check: Callable[[], str], needed: bool = True) -> Check:
    try:
        return Check(name, check(), needed=needed)
    except StageError as error:
        return Check(name, f"{error.where}: {error.what}" if error.where != name else error.what, error.fix, needed)


def _python(root: Path) -> str:
    version = ".".join(map(str, sys.version_info[:3]))
    folder = environments(root)
    if not os.access(folder if folder.exists() else folder.parent, os.W_OK):
        fix = "change its owner, or set REGISTRY_ENVS to another folder"
        raise StageError("python", f"{folder} is not writable", fix)
    return f"{version}, environments in {folder}"


def _git(git: Git) -> str:
    version = git("--version").removeprefix("git version ")
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < OLDEST:
        raise StageError("git", f"version {version} is too old", f"install git {OLDEST[0]}.{OLDEST[1]} or later")
    return version


def _clone(git: Git) -> str:
    """Check what a release needs of the clone."""
    if git("rev-parse", "--is-shallow-repository") == "true":
        raise StageError("clone", "is shallow, so it cannot release", "git fetch --unshallow --tags")
    branch = git.run("symbolic-ref", "-q", "--short", "HEAD").stdout.decode().strip()
    if not branch:
        raise StageError("clone", "HEAD is detached", "git switch main")
    if git.run("var", "GIT_COMMITTER_IDENT").returncode:  # wherever git has it from
        keys = [key for key in ("user.name", "user.email") if not git.run("config", key).stdout.strip()]
        key = keys[0] if keys else "user.email"
        raise StageError("clone", f"{key} is not set", f"git config {key} '...'")
    if not git("for-each-ref", "--format=%(upstream)", f"refs/heads/{branch}"):
        raise StageError("clone", f"branch {branch} has no upstream", f"git push -u origin {branch}")
    return f"branch {branch}"


def _docker() -> str:
    if not engine_answers():
        raise StageError("docker", "no Docker engine is running", "start Docker, or use RUNTIME=host (same outputs)")
    done = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True)
    if done.returncode:
        what = "the engine is running, Docker Compose is not installed"
        raise StageError("docker", what, "install the Docker Compose plugin")
    return f"the engine is running, Compose {done.stdout.strip()}"


def _mlflow(env: str) -> str:
    """Return the address of MLflow. Raises NetworkFailed where its server does not answer."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri.startswith(("http://", "https://")):
        return "a SQLite file in .local/, created on first use" if env == "local" and not uri else safe_url(uri)
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=TIMEOUT):  # noqa: S310 (checked above)
            return safe_url(uri)
    except (urllib.error.URLError, OSError) as error:
        what = f"no answer from {safe_url(uri)} ({getattr(error, 'reason', error)})"
        raise NetworkFailed("mlflow", what, "docker compose up infra, or correct MLFLOW_TRACKING_URI") from error


def _disk(root: Path) -> str:
    free = shutil.disk_usage(root).free / 1e9
    if free < NEEDED_SPACE:
        raise StageError("disk", f"{free:.1f} GB free, builds may need {NEEDED_SPACE} GB", "free some space (df -h)")
    return f"{free:.0f} GB free"


def _leftovers(root: Path) -> str:
    """Look for temporary files of killed runs; what a run still holds a lock on is in use."""
    paths = [path for path in _hidden(root) if not _is_locked(path)]
    paths += [path for path in (root / SCRATCH).glob("*") if not _is_locked(path)]
    paths += (root / ".dvc" / "cache" / "files").rglob("*.tmp")
    if not paths:
        return "none"
    size = sum(file.stat().st_size for path in paths for file in (path, *path.rglob("*")) if file.is_file())
    listed = " ".join(str(path.relative_to(root)) for path in paths[:3])
    more = f" (and {len(paths) - 3} more)" if len(paths) > 3 else ""
    raise StageError("leftovers", f"{len(paths)} of killed runs, {size / 1e6:.1f} MB", f"rm -rf {listed}{more}")


def _environments(root: Path) -> str:
    """Look for environments that no tool of this clone takes."""
    folders = list(unused(root, with_tests(root).values()))
    if not folders:
        return "none unused"
    size = sum(path.lstat().st_size for folder in folders for path in folder.rglob("*"))
    listed = " ".join(shlex.quote(str(path.relative_to(root.resolve()))) for path in folders)
    what = f"{len(folders)} unused, of earlier locks or other Pythons, {size / 1e6:.0f} MB"
    raise StageError("environments", what, f"rm -rf {listed}")


def _hidden(root: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(root):
        for name in [*names, *files]:
            if LEFTOVER.fullmatch(name):
                yield Path(folder) / name
        names[:] = [name for name in names if name not in SKIPPED and not LEFTOVER.fullmatch(name)]


def _is_locked(path: Path) -> bool:
    """Say whether a running process holds the lock of a file or folder."""
    try:
        with opened(path) as descriptor:
            return not try_lock(descriptor)
    except OSError:
        return True  # gone, or not ours

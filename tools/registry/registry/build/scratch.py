"""Scratch copies of the repository in ``.demo/``, for sample data and the demo; and folders for one command."""

import contextlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from configobj import ConfigObj
from data_registry.git import Git
from data_registry.git_settings import elsewhere
from data_registry.stage.locks import locked
from launcher.virtualenvs import environments

from registry.datasets import find_datasets

WORLD = Path(".demo")  # of the demo
SAMPLE = WORLD / "sample"  # of samples that are built without the demo
SCRATCH = Path(".local") / "scratch"  # of folders for one command

# Variables that would lead a command in the scratch copy out of it.
LEADS_OUT = re.compile(
    "(FETCH_MIRROR|REGISTRY_ROOT|DS|VERSION|BUMP|REPO|DVC_REPO|DVC_REPO_URL|DVC_REMOTE|DVC_DATA_VERSION)$"
    "|(MAKEFLAGS|MAKELEVEL|MFLAGS|GNUMAKEFLAGS)$|PGVECTOR_|MLFLOW_|AWS_"
)
IDENTITY = {"user.name": "demo", "user.email": "demo@localhost", "commit.gpgsign": "false"}


def make_scratch(root: Path, world: Path) -> Path:
    """Create the folder ``world`` anew: a bare origin, a folder remote and a clone, ``repo``, which is returned.

    The clone is a copy of the working tree whose datasets have the bundled samples as their sources.
    """
    shutil.rmtree(world, ignore_errors=True)
    clone = world / "repo"
    copy_working_tree(root, clone)
    for dataset in find_datasets(clone, "all"):
        if dataset.sample_sources.exists():
            shutil.copy2(dataset.sample_sources, dataset.folder / "sources.csv")
            for built in ("dvc.lock", "metadata.json", "processed/process_stats.json"):
                (dataset.folder / built).unlink(missing_ok=True)
    # The remote `local` is the default, at an absolute path, so that clones of the clone find it too.
    config = ConfigObj(str(clone / ".dvc" / "config"), encoding="utf-8")  # quotes in the way that DVC reads
    config["core"]["remote"] = "local"
    config['remote "local"']["url"] = str(world / "remote")
    config.write()
    (clone / ".venvs").symlink_to(environments(root))  # the tools' locks are the same
    Git(world)("init", "-q", "--bare", "-b", "main", "origin.git")
    git = Git(clone)
    git("init", "-q", "-b", "main")
    for key, value in IDENTITY.items():
        git("config", key, value)
    git("remote", "add", "origin", str(world / "origin.git"))
    commit(clone, "Scratch copy with sample data")
    return clone


def is_scratch(root: Path) -> bool:
    """Say whether a repository is a scratch copy: only there may sample data be released."""
    return WORLD.name in {folder.name for folder in root.parents[:2]}


def copy_working_tree(root: Path, target: Path) -> None:
    """Copy the files that git tracks or would track, as they are now; links to folders stay links."""
    for name in Git(root)("ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        path = root / name
        if name and (path.is_file() or (path.is_symlink() and path.is_dir())):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target / name, follow_symlinks=path.is_file())


def commit(clone: Path, message: str) -> None:
    """Commit everything in the scratch clone, and push it to the scratch origin."""
    git = Git(clone)
    git("add", "-A")
    git("commit", "-q", "--allow-empty", "-m", message)
    git("push", "-q", "-u", "origin", "main")


def run_in(folder: Path, *command: str, **variables: str) -> None:
    """Run a command in a scratch copy, without the variables that name services, mirrors or another registry.

    Raises CalledProcessError where it fails.
    """
    environ = {name: value for name, value in elsewhere(os.environ).items() if not LEADS_OUT.match(name)}
    environ |= {"ENV": "local", "SOURCE": "upstream", **variables}
    subprocess.run(command, cwd=folder, env=environ, check=True)


@contextlib.contextmanager
def scratch_folder(root: Path, name: str) -> Iterator[Path]:
    """Yield a folder in the repository, which containers can see, and remove it at the end.

    It is locked, so that ``registry doctor`` can tell the leftovers of killed runs from folders in use.
    """
    (root / SCRATCH).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root / SCRATCH))
    try:
        with locked(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

"""What tests of several kinds share: the repository, the mirror, an engine, a clone to build in."""

import contextlib
import fcntl
import functools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_registry.clone import repository
from launcher.containers import build_images, engine_answers, has_image
from launcher.pythons import NotAtHand
from launcher.toolbox import find_tools
from launcher.virtualenvs import virtualenv
from registry.build.scratch import copy_working_tree

GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]


@functools.cache
def has_engine() -> bool:
    return engine_answers()


# Files whose tests take minutes begin first, so that the processes which share the work end at about the same time.
FIRST = (
    *("faults/test_push_pull.py", "e2e", "integration", "faults", "worlds", "repo", "contract"),
    *("unit/chunk_embed", "unit/registry", "unit"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    tests = Path(__file__).parent
    items.sort(key=lambda item: next(n for n, name in enumerate(FIRST) if item.path.is_relative_to(tests / name)))
    for item in items:
        if item.get_closest_marker("docker") and not has_engine():
            item.add_marker(pytest.mark.skip(reason="no Docker engine answers"))


@pytest.fixture(scope="session")
def root() -> Path:
    return repository()


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of real raw files, named by their SHA-256, that FETCH_MIRROR names."""
    given = os.environ.get("FETCH_MIRROR", "")
    if not given or not (repository() / given).is_dir():
        pytest.skip("FETCH_MIRROR names no folder of real raw files")
    return (repository() / given).resolve()


@pytest.fixture(scope="session")
def images(root: Path) -> dict[str, str]:
    """The tools' images, built from the sources as they are."""
    return built_images(root)


def built_images(root: Path, *names: str) -> dict[str, str]:
    """Return the images of these tools, or of all, and build those that are missing."""
    tools = find_tools(root)
    wanted = {name: tools[name].image() for name in names or tools if tools[name].in_container}
    with alone("images"):
        if missing := {name: image for name, image in wanted.items() if not has_image(image)}:
            build_images(root, missing)
    return wanted


@contextlib.contextmanager
def alone(what: str) -> Iterator[Path]:
    """Do something in one test process of this machine at a time; yield the file of its lock, to leave a note in."""
    path = Path(tempfile.gettempdir()) / f"data-registry-tests-{os.getuid()}-{what}.lock"
    with path.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path


@pytest.fixture(scope="session")
def chunk_embed(root: Path) -> Path:
    """The virtual environment of chunk-embed, which needs torch's CPU build."""
    try:
        return virtualenv(find_tools(root)["chunk-embed"], root)
    except NotAtHand as error:
        pytest.skip(f"{error}: set PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS")


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run([*GIT, *arguments], cwd=folder, check=True, text=True, capture_output=True).stdout


def make_clone(root: Path, folder: Path) -> Path:
    """Copy the working tree to a repository of its own, everything committed."""
    copy_working_tree(root, folder)
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "As it stands")
    return folder


def environ(root: Path, **changes: str) -> dict[str, str]:
    """The environment of a person at the keyboard, whose virtual environments are ready."""
    dropped = {"REGISTRY_ROOT", "FETCH_MIRROR", "RUNTIME", "SOURCE", "DS", "MAKEFLAGS", "MAKELEVEL"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "REGISTRY_ENVS": os.environ.get("REGISTRY_ENVS", str(root / ".venvs")), **changes}

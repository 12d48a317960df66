"""The registry that a program means: by its address, in its environment, or around it; and a release in it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from data_registry.clone import repository
from data_registry.git import Git
from data_registry.releases.origin import folder_of, release_at
from data_registry.releases.release import Release
from data_registry.releases.versions import chosen
from data_registry.stage.errors import UsageError

VARIABLES = ("DVC_REPO", "DVC_REPO_URL")  # consumers have one or the other


@contextlib.contextmanager
def opened(name: str, version: str, repo: str | None = None) -> Iterator[Release]:
    """Yield a release of the registry at a git URL or path: the one given, DVC_REPO, DVC_REPO_URL, or the clone around.

    ``version`` is a number, a whole tag, or ``latest``.
    Raises UsageError where no registry is named or it has no such release, NetworkFailed where git does not get it.
    """
    given = repo or next(filter(None, map(os.environ.get, VARIABLES)), "")
    folder = folder_of(given) if given else _around()
    if folder:
        yield find_release(Git(folder), name, version)
    else:
        with release_at(given, name, version.removeprefix(f"{name}-v")) as release:
            yield release


def find_release(git: Git, name: str, version: str) -> Release:
    """Return a release of a clone by its version, its whole tag, or ``latest``. Raises UsageError where it has none."""
    return Release(git, name, chosen(git, name, version.removeprefix(f"{name}-v")))


def user_cache() -> Path:
    """Return the folder for what can be fetched again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "data-registry"


def _around() -> Path:
    try:
        return repository()
    except FileNotFoundError as error:
        what = "names no registry, and this is not inside one"
        raise UsageError("DVC_REPO", what, "set it to the registry's git URL, or give repo=") from error

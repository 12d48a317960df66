"""Find a release: in the registry at a git URL, in the one that the environment names, or in the clone around."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from data_registry.clone import repository
from data_registry.git import Git, GitFailed
from data_registry.releases.release import Release
from data_registry.releases.versions import choose, chosen, released, tag_of, versions_of
from data_registry.stage.errors import NetworkFailed, UsageError
from data_registry.stage.redaction import safe_url

VARIABLES = ("DVC_REPO", "DVC_REPO_URL")  # consumers have one or the other
SHA1 = 40  # hex digits


def list_releases(repo: str | os.PathLike[str] | None = None) -> dict[str, list[str]]:
    """Return the versions of every dataset in a registry, oldest first.

    Args:
        repo: git URL or path of the registry; default: ``DVC_REPO``, ``DVC_REPO_URL``, or the clone around.

    Raises:
        UsageError: no registry is named, or the folder is not one.
        NetworkFailed: git cannot read the repository.

    Example:
        >>> list_releases()
        {'emotion': ['1.0.0', '1.1.0'], 'wine-quality': ['1.0.0']}

    """
    url, folder = _registry(repo)
    if folder:
        releases = released(Git(folder))
    else:
        with tempfile.TemporaryDirectory(prefix="registry-") as empty, _reaching(url):
            releases = versions_of(_tags(Git(Path(empty)), url))
    return {name: [str(version) for version in versions] for name, versions in releases.items()}


@contextlib.contextmanager
def open_release(name: str, version: str, repo: str | os.PathLike[str] | None = None) -> Iterator[Release]:
    """Yield a release of the registry at a git URL or path: the one given, DVC_REPO, DVC_REPO_URL, or the clone around.

    ``version`` is a number, a whole tag, or ``latest``. Raises UsageError for a dataset or version that the registry
    does not have, or where no registry is named; NetworkFailed where git cannot read the repository.
    """
    for argument, value, example in (("name", name, "emotion"), ("version", version, "1.0.0")):
        if not isinstance(value, str):
            raise UsageError(argument, f"expected a string, got {value!r:.40}", f'write it in quotes, as "{example}"')
    url, folder = _registry(repo)
    if folder:
        yield find_release(Git(folder), name, version)
    else:
        with release_at(url, name, version.removeprefix(f"{name}-v")) as release:
            yield release


def find_release(git: Git, name: str, version: str) -> Release:
    """Return a release of a clone by its version, its whole tag, or ``latest``. Raises UsageError where it has none."""
    return Release(git, name, chosen(git, name, version.removeprefix(f"{name}-v")))


@contextlib.contextmanager
def release_at(url: str, name: str, version: str) -> Iterator[Release]:
    """Yield a release of the repository at ``url``, its tag alone fetched into a temporary repository.

    ``version`` may be ``latest``. Raises UsageError for a dataset or version that is not there, NetworkFailed where
    git cannot read the repository.
    """
    local = folder_of(url)
    url = str(local) if local else url
    with tempfile.TemporaryDirectory(prefix="registry-get-") as folder:
        git = Git(Path(folder))
        with _reaching(url):
            tags = _tags(git, url)
            wanted = choose(versions_of(tags), name, version)
            ref = f"refs/tags/{tag_of(name, wanted)}"
            if len(tags[tag_of(name, wanted)]) > SHA1:  # objects of the other hash need a repository of their own kind
                git = Git(Path(folder) / "sha256")
                git.folder.mkdir()
                git("init", "-q", "--bare", "--object-format=sha256")
            git("fetch", "-q", "--no-tags", "--depth", "1", "--", url, f"{ref}:{ref}")
        yield Release(git, name, wanted, source=url)


def fetch_releases(release: Release) -> None:
    """Fetch the other releases of a dataset to where one of them was fetched. Raises GitFailed."""
    refs = f"refs/tags/{release.name}-v*"
    release.git("fetch", "-q", "--no-tags", "--depth", "1", "--", release.source, f"{refs}:{refs}")


def folder_of(url: str) -> Path | None:
    """Return the folder that a repository's address means, or None where it is elsewhere."""
    parts = urlsplit(url)
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(url)
    return path.resolve() if path.is_dir() else None


def _registry(repo: str | os.PathLike[str] | None) -> tuple[str, Path | None]:
    """Return the address of the registry, and its folder where it is on this machine."""
    url = os.fspath(repo) if repo else next(filter(None, map(os.environ.get, VARIABLES)), "")
    if url:
        return url, folder_of(url)
    try:
        return "", repository()
    except FileNotFoundError as error:
        what, fix = "not set, and not inside a registry clone", "set it to the registry's git URL, or pass repo="
        raise UsageError("DVC_REPO", what, fix) from error


def _tags(git: Git, url: str) -> dict[str, str]:
    """Return the release tags of a repository with the objects that they name; ``git`` is an empty folder."""
    git("init", "-q", "--bare")
    lines = git("ls-remote", "--tags", "--refs", "--", url, "refs/tags/*-v*").splitlines()
    pairs = (line.split("\trefs/tags/", 1) for line in lines)
    return {tag: target for target, tag in pairs}


@contextlib.contextmanager
def _reaching(url: str) -> Iterator[None]:
    try:
        yield
    except GitFailed as error:
        fix = error.cure or "check its address, the network and your access, then run again"
        raise NetworkFailed(safe_url(url), error.what, fix) from error

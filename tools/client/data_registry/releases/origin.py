"""A release in a git repository elsewhere: its tag alone, fetched into a folder that is thrown away."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

from data_registry.git import Git, GitFailed
from data_registry.releases.release import Release
from data_registry.releases.versions import NAME, TAG, Version, choose, tag_of
from data_registry.stage.errors import NetworkFailed, UsageError
from data_registry.stage.redaction import safe_url

SHA1 = 40  # hex digits


@contextlib.contextmanager
def release_at(url: str, name: str, version: str) -> Iterator[Release]:
    """Yield a release of the repository at ``url``; ``version`` may be ``latest``.

    Raises UsageError where it is not released there, NetworkFailed where git does not get it.
    """
    if not NAME.fullmatch(name):
        raise UsageError("DS", f"{name!r:.70} is no name of a dataset", "use small letters, digits and -")
    local = folder_of(url)
    url = str(local) if local else url
    with tempfile.TemporaryDirectory(prefix="registry-get-") as folder:
        git = Git(Path(folder))
        try:
            git("init", "-q", "--bare")
            lines = git("ls-remote", "--tags", "--refs", "--", url, f"refs/tags/{name}-v*").splitlines()
            found = [TAG.fullmatch(line.partition("refs/tags/")[2]) for line in lines]
            known = sorted(Version.parse(tag["version"]) for tag in found if tag and tag["name"] == name)
            wanted = choose(known, name, version)
            ref = f"refs/tags/{tag_of(name, wanted)}"
            if len(lines[0].split("\t")[0]) > SHA1:  # objects of the other hash need a repository of their own kind
                git = Git(Path(folder) / "sha256")
                git.folder.mkdir()
                git("init", "-q", "--bare", "--object-format=sha256")
            git("fetch", "-q", "--no-tags", "--depth", "1", "--", url, f"{ref}:{ref}")
        except GitFailed as error:
            fix = error.cure or "check its address, the network and your access, then run again"
            raise NetworkFailed(safe_url(url), error.what, fix) from error
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

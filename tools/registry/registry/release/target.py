"""The repository that releases are pushed to, and its tags; git may fetch from another one by the same name.

Pushed releases are looked up there: a mirror that git fetches from lags behind. A URL that git has rewritten once
(``url.*.insteadOf``) must not be rewritten again.
"""

import dataclasses
import os
from collections.abc import Sequence

from data_registry.git import Git, GitFailed
from data_registry.git_settings import config_variables
from data_registry.stage.errors import PushFailed, ReleaseRefused, TagExists
from data_registry.stage.redaction import redacted

ACCESS = "check the network and your access, then run again"
# A fetch of the named refs alone, whatever the user's configuration is.
FETCH = ("fetch", "--no-tags", "--no-prune", "--no-recurse-submodules", "--no-write-fetch-head")


@dataclasses.dataclass(frozen=True)
class Target:
    """A repository that a remote pushes to: the name of the remote, and the URL as git resolves it."""

    remote: str
    url: str
    is_fetched: bool  # whether fetch and push by the remote's name use this URL alone

    def __str__(self) -> str:
        return f"git remote {self.remote}" + ("" if self.is_fetched else f" ({redacted(self.url)})")

    @property
    def address(self) -> str:
        """The argument for git: the remote's name where that means this repository alone, else the URL."""
        return self.remote if self.is_fetched else self.url

    @property
    def environ(self) -> dict[str, str]:
        """The variables that keep git from rewriting the address: of url.*.insteadOf it takes the longest match."""
        if self.is_fetched:
            return {}
        pairs = [(f"url.{self.url}.{key}", self.url) for key in ("insteadOf", "pushInsteadOf")]
        return config_variables(pairs, int(os.environ.get("GIT_CONFIG_COUNT") or 0))


def targets_of(git: Git, remote: str) -> tuple[Target, ...]:
    """Return the repositories that a remote pushes to. Raises ReleaseRefused for an unknown remote."""
    try:
        urls = list(dict.fromkeys(git("remote", "get-url", "--push", "--all", remote).splitlines()))
        fetched = git("remote", "get-url", remote)
    except GitFailed as error:
        fix = f"git remote add {remote} URL, or git push -u origin main"
        raise ReleaseRefused(f"git remote {remote}", error.what, fix) from error
    return tuple(Target(remote, url, urls == [fetched]) for url in urls)


def ask(git: Git, target: Target, command: Sequence[str], *refs: str) -> str:
    """Run a git command on a target. Raises PushFailed where it fails."""
    try:
        return git(*command, target.address, *refs, **target.environ)
    except GitFailed as error:
        raise PushFailed(target, error.what, error.cure or ACCESS) from error


def tag_at(git: Git, target: Target, tag: str) -> str | None:
    """Return the object of a tag on a target, or None. Raises PushFailed where git cannot read it."""
    lines = ask(git, target, ["ls-remote"], f"refs/tags/{tag}").splitlines()
    return lines[0].split()[0] if lines else None


def fetch_tag(git: Git, target: Target, tag: str) -> bool:
    """Say whether a target has the tag of a release, and fetch it.

    Raises TagExists for a tag that exists in this clone alone, differs there, or is not annotated.
    """
    ref = f"refs/tags/{tag}"
    there, here = tag_at(git, target, tag), git.resolve(ref)
    if here and not there:
        raise TagExists(tag, f"exists in this clone, not on {target.remote}", f"git tag -d {tag}, then run again")
    if not there:
        return False
    if here and here != there:
        raise TagExists(tag, f"differs from the tag on {target.remote}", f"git tag -d {tag}, then run again")
    if not here:
        ask(git, target, [*FETCH, "-q"], f"{ref}:{ref}")
    if git("cat-file", "-t", ref) != "tag":
        raise TagExists(tag, "is a lightweight tag, not a release", "choose the next version")
    return True


def fetch_tags(git: Git, target: Target, name: str) -> None:
    """Fetch the tags of a dataset. Raises TagExists where one differs here: a tag never moves."""
    pattern = f"refs/tags/{name}-v*"
    try:
        git(*FETCH, target.address, f"{pattern}:{pattern}", **target.environ)
    except GitFailed as error:
        if "clobber" in error.stderr:
            fix = f"find it with git fetch {target.remote} --tags, git tag -d it, then run again"
            raise TagExists(f"{name}-v*", f"a tag differs from the one on {target.remote}", fix) from error
        raise PushFailed(target, error.what, error.cure or ACCESS) from error

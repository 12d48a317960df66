"""The tag of a release, here and on the git remote."""

import enum

from stage.errors import PushFailed, TagExists

from registry.git import Git, GitFailed


class Tagged(enum.Enum):
    """What a tag is: absent, or an annotated one that both have."""

    NO = enum.auto()
    YES = enum.auto()


def asked(git: Git, remote: str, *arguments: str) -> str:
    """Run git against a remote. Raises PushFailed where it does not answer."""
    try:
        return git(*arguments)
    except GitFailed as error:
        raise PushFailed(f"git remote {remote}", error.what, "check the network, then run again") from error


def look(git: Git, remote: str, tag: str) -> Tagged:
    """Say whether the release is tagged, and fetch a tag that only the remote has.

    Raises TagExists for a tag that is only here, is another here than there, or is no annotated one.
    """
    ref = f"refs/tags/{tag}"
    lines = asked(git, remote, "ls-remote", remote, ref).splitlines()
    there, here = (lines[0].split()[0] if lines else None), git.resolve(ref)
    if here and not there:
        raise TagExists(tag, f"is a tag here, and not on {remote}", f"git tag -d {tag}, then run again")
    if not there:
        return Tagged.NO
    if here and here != there:
        raise TagExists(tag, f"is another tag here than on {remote}", f"git tag -d {tag}, then run again")
    if not here:
        asked(git, remote, "fetch", "-q", "--no-tags", remote, f"{ref}:{ref}")
    if git("cat-file", "-t", ref) != "tag":
        raise TagExists(tag, "is a lightweight tag, and no release", "choose the next version")
    return Tagged.YES


def fetch_all(git: Git, remote: str, name: str) -> None:
    """Fetch the tags of a dataset. Raises TagExists where one is another here than there: a tag never moves."""
    pattern = f"refs/tags/{name}-v*"
    try:
        git("fetch", "--no-tags", remote, f"{pattern}:{pattern}")
    except GitFailed as error:
        if "clobber" in error.said:
            fix = f"git tag -d the one that 'git fetch {remote} --tags' names, then run again"
            raise TagExists(f"{name}-v*", f"a tag is another here than on {remote}", fix) from error
        raise PushFailed(f"git remote {remote}", error.what, "check the network, then run again") from error

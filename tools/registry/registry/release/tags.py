"""The tag of a release, here and where releases are pushed to."""

import enum
from collections.abc import Sequence

from data_registry.git import Git, GitFailed
from data_registry.stage.errors import PushFailed, TagExists

from registry.release.target import FETCH, Target

ACCESS = "check the network and your access, then run again"


class Tagged(enum.Enum):
    """What a tag is: absent, or an annotated one that both have."""

    NO = enum.auto()
    YES = enum.auto()


def asked(git: Git, target: Target, command: Sequence[str], *refs: str) -> str:
    """Run a git command against a target. Raises PushFailed where it does not answer."""
    try:
        return git(*command, target.address, *refs, **target.environ)
    except GitFailed as error:
        raise PushFailed(target, error.what, error.cure or ACCESS) from error


def tag_at(git: Git, target: Target, tag: str) -> str | None:
    """Return the object that a target's tag points to, or None. Raises PushFailed where it does not answer."""
    lines = asked(git, target, ["ls-remote"], f"refs/tags/{tag}").splitlines()
    return lines[0].split()[0] if lines else None


def look(git: Git, target: Target, tag: str) -> Tagged:
    """Say whether the release is tagged, and fetch a tag that only the target has.

    Raises TagExists for a tag that is only here, is another here than there, or is no annotated one.
    """
    ref = f"refs/tags/{tag}"
    there, here = tag_at(git, target, tag), git.resolve(ref)
    if here and not there:
        raise TagExists(tag, f"is a tag here, and not on {target.remote}", f"git tag -d {tag}, then run again")
    if not there:
        return Tagged.NO
    if here and here != there:
        raise TagExists(tag, f"is another tag here than on {target.remote}", f"git tag -d {tag}, then run again")
    if not here:
        asked(git, target, [*FETCH, "-q"], f"{ref}:{ref}")
    if git("cat-file", "-t", ref) != "tag":
        raise TagExists(tag, "is a lightweight tag, and no release", "choose the next version")
    return Tagged.YES


def fetch_all(git: Git, target: Target, name: str) -> None:
    """Fetch the tags of a dataset. Raises TagExists where one is another here than there: a tag never moves."""
    pattern = f"refs/tags/{name}-v*"
    try:
        git(*FETCH, target.address, f"{pattern}:{pattern}", **target.environ)
    except GitFailed as error:
        if "clobber" in error.said:
            fix = f"git tag -d the one that 'git fetch {target.remote} --tags' names, then run again"
            raise TagExists(f"{name}-v*", f"a tag is another here than on {target.remote}", fix) from error
        raise PushFailed(target, error.what, error.cure or ACCESS) from error

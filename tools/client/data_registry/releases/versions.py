"""Semantic versions (https://semver.org, without pre-releases), and the tags ``<dataset>-vX.Y.Z`` that carry them."""

import dataclasses
import re
from typing import Self

from data_registry.git import Git
from data_registry.stage.errors import UsageError

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")  # of a dataset
NUMBER = r"(?:0|[1-9][0-9]{0,8})"
VERSION = re.compile(rf"({NUMBER})\.({NUMBER})\.({NUMBER})")
TAG = re.compile(rf"(?P<name>{NAME.pattern})-v(?P<version>{NUMBER}\.{NUMBER}\.{NUMBER})")
PARTS = ("major", "minor", "patch")


@dataclasses.dataclass(frozen=True, order=True)
class Version:
    """A version of a dataset."""

    major: int
    minor: int
    patch: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``1.2.3``. Raises UsageError for anything else."""
        found = VERSION.fullmatch(text)
        if not found:
            raise UsageError("VERSION", f"{text!r:.60} is no version", "write three numbers, as 1.1.0")
        return cls(*map(int, found.groups()))

    def bumped(self, part: str) -> "Version":
        """Return the next version, by the part that goes up."""
        kept = PARTS.index(part)
        numbers = [*dataclasses.astuple(self)[:kept], dataclasses.astuple(self)[kept] + 1, 0, 0]
        return Version(*numbers[:3])

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"


def tag_of(name: str, version: Version) -> str:
    """Return the tag of a dataset's version."""
    return f"{name}-v{version}"


def list_tags(git: Git, *which: str) -> dict[str, str]:
    """Return the objects of the tags that the repository has; ``which``: patterns or options of git-for-each-ref(1)."""
    lines = git("for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", *(which or ("refs/tags",))).splitlines()
    pairs = (line.split(" ", 1) for line in lines)
    return {tag: target for target, tag in pairs}


def released(git: Git, name: str = "") -> dict[str, list[Version]]:
    """Return the versions of each dataset, or of one, by the tags that the repository has, in order."""
    found: dict[str, list[Version]] = {}
    for tag in list_tags(git, f"refs/tags/{name or '*'}-v*"):
        if (match := TAG.fullmatch(tag)) and name in {"", match["name"]}:
            found.setdefault(match["name"], []).append(Version.parse(match["version"]))
    return {each: sorted(versions) for each, versions in sorted(found.items())}


def chosen(git: Git, name: str, version: str) -> Version:
    """Return the version that a person means: a number, or ``latest``. Raises UsageError where it is not released."""
    known = released(git, name)
    if not name:
        raise UsageError("DS", "is missing", f"use one of: {', '.join(known)}" if known else "make release")
    return choose(known.get(name, []), name, version)


def choose(known: list[Version], name: str, version: str) -> Version:
    """Return the one of the versions that a person means: a number, or ``latest``. Raises UsageError if none is."""
    if not known:
        raise UsageError("DS", f"{name!r:.70} has no release here", "git fetch --tags, or make release")
    wanted = known[-1] if version == "latest" else Version.parse(version)
    if wanted not in known:
        raise UsageError(
            "VERSION", f"{name} {wanted} is not released", f"use one of: {', '.join(map(str, known))}, latest"
        )
    return wanted

"""Semantic versions (https://semver.org, without pre-releases), and the tags ``<dataset>-vX.Y.Z`` that carry them."""

import dataclasses
import re
from collections.abc import Iterable, Mapping
from typing import Self

from data_registry.git import Git
from data_registry.stage.errors import UsageError
from data_registry.stage.redaction import listed

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
            raise UsageError("VERSION", f"invalid version {text!r:.60}", "write three numbers, as 1.1.0")
        return cls(*map(int, found.groups()))

    def bumped(self, part: str) -> "Version":
        """Return the next version, by the part that goes up."""
        position = PARTS.index(part)
        numbers = [*dataclasses.astuple(self)[:position], dataclasses.astuple(self)[position] + 1, 0, 0]
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


def tag_dates(git: Git) -> dict[str, str]:
    """Return the date of each tag, ISO 8601; empty for a tag that cannot be read."""
    line = "--format=%(refname:lstrip=2) %(creatordate:short)"
    done = git.run("for-each-ref", line, "refs/tags")
    if done.returncode == 0:
        return dict(pair.split(" ") for pair in done.stdout.decode().splitlines())
    one_by_one = (git.run("for-each-ref", line, f"refs/tags/{tag}") for tag in list_tags(git))  # git stops at a bad one
    dates = dict(one.stdout.decode().strip().split(" ") for one in one_by_one if one.returncode == 0)
    return {tag: dates.get(tag, "") for tag in list_tags(git)}


def released(git: Git, name: str = "") -> dict[str, list[Version]]:
    """Return the versions of each dataset, or of one, by the tags that the repository has, in order."""
    releases = versions_of(list_tags(git, f"refs/tags/{name or '*'}-v*"))
    return {dataset: versions for dataset, versions in releases.items() if name in {"", dataset}}


def versions_of(tags: Iterable[str]) -> dict[str, list[Version]]:
    """Return the versions of each dataset by its release tags, in order; other tags are passed over."""
    releases: dict[str, list[Version]] = {}
    for match in filter(None, map(TAG.fullmatch, tags)):
        releases.setdefault(match["name"], []).append(Version.parse(match["version"]))
    return {name: sorted(versions) for name, versions in sorted(releases.items())}


def chosen(git: Git, name: str, version: str) -> Version:
    """Return the version that a person means: a number, or ``latest``. Raises UsageError where it is not released."""
    releases = (released(git, name) if name else {}) or released(git)
    if not name:
        raise UsageError("DS", "not set", f"use one of: {listed(list(releases))}" if releases else "make release")
    return choose(releases, name, version)


def choose(releases: Mapping[str, list[Version]], name: str, version: str) -> Version:
    """Return the version of a dataset that a person means: a number, or ``latest``.

    Raises UsageError, with the datasets or versions that there are, where ``releases`` does not have it.
    """
    if name not in releases:
        fix = f"use one of: {listed(list(releases))}" if releases else "git fetch --tags, or make release"
        raise UsageError("dataset", f"{name!r:.70} not found", fix)
    versions = releases[name]
    fix = f"use one of: {listed(versions)}, latest"
    if version == "latest":
        return versions[-1]
    if not VERSION.fullmatch(version):
        raise UsageError("version", f"invalid version {version!r:.60} of {name}", fix)
    if (wanted := Version.parse(version)) not in versions:
        raise UsageError("version", f"{name} {wanted} not found", fix)
    return wanted

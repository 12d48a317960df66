"""The repository that releases are pushed to; git may fetch from another one by the same name.

What was pushed is looked for there: a mirror that git fetches from lags behind, and a URL that git has rewritten once
(``url.*.insteadOf``) is not rewritten again.
"""

import dataclasses
import os
from collections.abc import Iterable

from data_registry.git import Git, GitFailed
from data_registry.stage.errors import ReleaseRefused
from data_registry.stage.redaction import redacted

# A fetch that touches no ref but the ones that it names, whatever the user's configuration says.
FETCH = ("fetch", "--no-tags", "--no-prune", "--no-recurse-submodules", "--no-write-fetch-head")


@dataclasses.dataclass(frozen=True)
class Target:
    """A repository that a remote's pushes go to: the name of the remote, and the URL as git resolves it."""

    remote: str
    url: str
    is_fetched: bool  # whether fetches by the remote's name come from the same URL, and pushes go nowhere else

    def __str__(self) -> str:
        return f"git remote {self.remote}" + ("" if self.is_fetched else f" ({redacted(self.url)})")

    @property
    def address(self) -> str:
        """What git is told: the remote's name where that means this repository and no other."""
        return self.remote if self.is_fetched else self.url

    @property
    def environ(self) -> dict[str, str]:
        """The variables that git needs to take the address as it is."""
        return {} if self.is_fetched else unrewritten(self.url)


def targets_of(git: Git, remote: str) -> tuple[Target, ...]:
    """Return the repositories that a remote's pushes go to. Raises ReleaseRefused where there is no such remote."""
    try:
        urls = list(dict.fromkeys(git("remote", "get-url", "--push", "--all", remote).splitlines()))
        fetched = git("remote", "get-url", remote)
    except GitFailed as error:
        fix = f"git remote add {remote} URL, or git push -u origin main"
        raise ReleaseRefused(f"git remote {remote}", error.what, fix) from error
    return tuple(Target(remote, url, urls == [fetched]) for url in urls)


def unrewritten(url: str) -> dict[str, str]:
    """Return variables with a rule that keeps ``url``: of the rules of url.*.insteadOf, git takes the longest."""
    return settings((f"url.{url}.{key}", url) for key in ("insteadOf", "pushInsteadOf"))


def settings(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return variables that add to git's configuration, beside those of the environment."""
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    environ: dict[str, str] = {}
    for number, (key, value) in enumerate(pairs, count):
        environ |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        count = number + 1
    return environ | {"GIT_CONFIG_COUNT": str(count)}

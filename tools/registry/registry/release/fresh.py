"""Check a release in a new clone of the repository that it was pushed to."""

import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from data_registry.git import Git, GitFailed
from data_registry.git_settings import config_variables
from data_registry.releases.release import Release
from data_registry.stage.errors import PushFailed, VerificationFailed

from registry.release.target import FETCH, Target

# The user's settings for reaching and trusting servers; not those that rewrite URLs: that is done already.
TRANSPORT = re.compile(r"(?:http|credential|ssh|protocol|safe)\..+|core\.(?:sshcommand|askpass|gitproxy)")


def check_new_clone(git: Git, target: Target, release: Release, tag: str) -> None:
    """Fetch a release into a new repository, and compare it with the pushed one; ``tag`` is the object of its tag.

    Raises VerificationFailed where they differ, PushFailed where the fetch fails.
    """
    ref = f"refs/tags/{release.tag}"
    with tempfile.TemporaryDirectory(prefix="registry-") as folder:
        clone = Git(Path(folder))
        clone("init", "-q", "--template=")
        # These settings and no others: one that is set twice would be two headers of a request.
        alone = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_PARAMETERS": ""}
        alone |= config_variables(_transport(git), 0)
        try:
            local = git.folder / target.url  # a relative path is relative to the clone
            url = str(local.resolve()) if "://" not in target.url and local.exists() else target.url
            clone(*FETCH, "-q", "--depth", "1", "--", url, f"{ref}:{ref}", **alone)
        except GitFailed as error:
            raise PushFailed(target, error.what, error.cure or "check the network and your access") from error
        fetched = Release(clone, release.name, release.version)
        if clone("rev-parse", ref) != tag or fetched.outputs != release.outputs or fetched.metadata != release.metadata:
            raise VerificationFailed(release.tag, "differs in a new clone", "check the git remote")


def _transport(git: Git) -> Iterator[tuple[str, str]]:
    """Yield the user's settings for servers, from all scopes."""
    for entry in git.output("config", "-z", "--list").decode(errors="surrogateescape").split("\0"):
        name, _, value = entry.partition("\n")
        if TRANSPORT.fullmatch(name):
            yield name, value if "\n" in entry else "true"  # a key without a value is true

"""Which datasets a push, or a branch, has changed."""

import re

from data_registry.git import Git
from data_registry.releases.versions import TAG, list_tags
from data_registry.stage.errors import UsageError

COMMIT = re.compile(r"[0-9a-f]{40}")
NOTHING = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # the tree without a file, which every repository knows


def pushed_datasets(git: Git, before: str, after: str) -> set[str]:
    """Return the datasets that a push has changed.

    ``before`` may be gone, as after a forced push, or all zeros, as for a new branch; then it is every dataset.
    Raises UsageError for what is no commit.
    """
    if not COMMIT.fullmatch(before):
        raise UsageError("BEFORE_SHA", f"{before!r:.60} is no commit", "pass github.event.before, 40 hex digits")
    return changed_datasets(git, before if git.resolve(f"{before}^{{tree}}") else NOTHING, after or "HEAD")


def changed_datasets(git: Git, base: str, after: str = "HEAD") -> set[str]:
    """Return the datasets in whose folders two commits differ, unless the last commit there is their release.

    Releasing pushes, too: what it changes is not to be run again. Raises UsageError for what is no commit.
    """
    first, last = git.resolve(f"{base}^{{tree}}"), git.resolve(f"{after}^{{commit}}")
    if not first or not last:
        raise UsageError("git", f"{(after if first else base)!r:.60} is no commit here", "fetch the whole history")
    paths = git("diff-tree", "-r", "--name-only", "-z", "--no-renames", first, last, "--", "data").split("\0")
    names = {path.split("/")[1] for path in paths if path.count("/") > 1}
    return {name for name in names if not _is_released(git, name, last)}


def _is_released(git: Git, name: str, revision: str) -> bool:
    commit = git("rev-list", "-1", revision, "--", f"data/{name}")
    tags = list_tags(git, f"--points-at={commit}", "refs/tags") if commit else {}
    return any(found["name"] == name for tag in tags if (found := TAG.fullmatch(tag)))

"""Make the commit and the tag of a release, and push both to the git remote atomically.

They are made without branch, index or working tree of the clone: a killed run leaves unreachable objects, and nothing
to clean up.
"""

import contextlib
import hashlib
import logging
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from data_registry.git import Git, GitFailed
from data_registry.releases.release import Release
from data_registry.stage.errors import PushFailed, ReleaseRefused, StageError
from data_registry.stage.output import replacing

from registry.release.clone import Branch
from registry.release.rejections import refused_by_hook, rejection_of
from registry.release.target import Target, tag_at

log = logging.getLogger(__name__)

# Both refs or none, and nothing else, whatever the push.* settings are.
PUSH = ("push", "-q", "--porcelain", "--atomic", "--no-follow-tags", "--recurse-submodules=no")
DEPENDENCIES = ("tools/", "data/images.yaml")  # of every dataset


def base_of(git: Git, branch: Branch, name: str) -> str:
    """Return the parent of a release's commit: HEAD, or its upstream where that does not touch the dataset.

    Raises ReleaseRefused where both have diverged, or the upstream changes the dataset or its tools.
    """
    head, upstream = git("rev-parse", "HEAD"), git("rev-parse", branch.tracking)
    if git.is_ancestor(upstream, head):
        return head
    if not git.is_ancestor(head, upstream):
        fix = "git pull --rebase, then make dataset and run again"
        raise ReleaseRefused(f"branch {branch.name}", f"has diverged from {branch.remote}", fix)
    for path in changed_paths(git, head, upstream):
        if path.startswith((f"data/{name}/", *DEPENDENCIES)):
            fix = f"git pull --rebase, then make dataset DS={name} and run again"
            raise ReleaseRefused(path, f"has changed on {branch.remote}", fix)
    return upstream


def make_commit(git: Git, base: str, name: str, title: str, written: Mapping[str, bytes]) -> str:
    """Return a commit on ``base`` with the dataset's files as they are here; ``base`` itself if it has them.

    ``written`` are files of the dataset's folder that the release adds or replaces.
    """
    with tempfile.TemporaryDirectory(prefix="registry-") as folder:
        index = str(Path(folder) / "index")
        git("read-tree", base, GIT_INDEX_FILE=index)
        git("add", "-A", "--", f"data/{name}", GIT_INDEX_FILE=index)
        for path, content in written.items():
            blob = git.output("hash-object", "-w", "--stdin", stdin=content).decode().strip()
            entry = f"100644,{blob},data/{name}/{path}"
            git("update-index", "--add", "--cacheinfo", entry, GIT_INDEX_FILE=index)
        tree = git("write-tree", GIT_INDEX_FILE=index)
    if tree == git("rev-parse", f"{base}^{{tree}}"):
        return base
    return git("commit-tree", tree, "-p", base, "-m", title)


def make_tag(git: Git, release: Release, commit: str, notes: tuple[str, ...] = ()) -> str:
    """Return an annotated tag object for the release, with its hashes; no ref points to it yet."""
    digest = hashlib.sha256(release.read("metadata.json")).hexdigest()
    lines = [
        f"{release.name} {release.version}",
        "",
        f"logical-hash: {release.logical_hash}",
        f"metadata-sha256: {digest}",
        *notes,
    ]
    tagger = git("var", "GIT_COMMITTER_IDENT")
    head = f"object {commit}\ntype commit\ntag {release.tag}\ntagger {tagger}\n\n"
    return git("mktag", stdin=head + "\n".join(lines) + "\n")


def send(git: Git, target: Target, merge: str, commit: str, tag: str, name: str) -> str:
    """Push commit and tag atomically; return the reason where another push came first, else nothing.

    Raises ReleaseRefused where the target's rules reject it, PushFailed or DiskFull where it fails.
    """
    refs = (f"{commit}:{merge}", f"{tag}:refs/tags/{name}")
    try:
        git(*PUSH, target.address, *refs, **target.environ)
    except GitFailed as error:
        rejection = rejection_of(error.stderr)
        if rejection.is_race:
            return ", ".join(rejection.reasons)
        if refused_by_hook(error.stderr):
            what = " ".join(rejection.git) or "rejected the push"
            raise ReleaseRefused("pre-push hook", what, "fix what it reports, then run again") from error
        with contextlib.suppress(PushFailed):
            if tag_at(git, target, name) == tag:  # the connection broke after the push
                return ""
        raise rejection.error(target) from error
    return ""


def send_to_mirrors(git: Git, branch: Branch, name: str) -> None:
    """Push a published release to the other push URLs of the remote; warn where that fails."""
    tag = git("rev-parse", f"refs/tags/{name}")
    for mirror in branch.targets[1:]:
        try:
            if tag_at(git, mirror, name) == tag:
                continue
            if reason := send(git, mirror, branch.merge, branch.tracking, tag, name):
                raise PushFailed(mirror, reason, "compare its branch and tags with those of the first push URL")
        except StageError as error:
            log.warning("%s is released, but not on %s: %s; fix that, then run again", name, mirror, error.what)


def follow(git: Git, commit: str, name: str, written: Mapping[str, bytes]) -> None:
    """Fast-forward the local branch to the released commit; a branch that has moved on stays.

    Files that the release has ``written`` are first put back to HEAD, so that a kill leaves nothing changed, unless the
    release has other content.
    """
    head = git("rev-parse", "HEAD")
    if head == commit or not git.is_ancestor(head, commit):
        return
    for path, content in written.items():
        if git.show(commit, f"data/{name}/{path}") == content:
            _restore(git, f"data/{name}/{path}")
    for path in changed_paths(git, head, commit, "--diff-filter=A"):  # git would replace ignored ones
        if not path.startswith(f"data/{name}/") and os.path.lexists(git.folder / path):
            raise ReleaseRefused(path, f"{path} would be overwritten", "move it away, then git pull")
    git("add", "-A", "--", f"data/{name}")  # so that git finds these files equal to the commit's
    git("read-tree", "-m", "-u", head, commit)
    git("update-ref", "-m", f"release: {name}", "HEAD", commit, head)


def changed_paths(git: Git, before: str, after: str, *options: str) -> list[str]:
    """Return the paths that differ between two commits."""
    listed = git("diff-tree", "-r", "--name-only", "-z", "--no-renames", *options, before, after)
    return [path for path in listed.split("\0") if path]


def _restore(git: Git, path: str) -> None:
    """Restore a file of the working tree from HEAD."""
    before, here = git.show("HEAD", path), git.folder / path
    if before is None:
        here.unlink(missing_ok=True)
    elif not here.exists() or here.read_bytes() != before:
        with replacing(here) as (temporary,):
            temporary.write_bytes(before)

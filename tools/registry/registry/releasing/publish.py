"""Make a release's commit and tag, and send both to the git remote in one step: there they are both, or neither.

Commit and tag are made without a branch, an index or a working tree of the clone: a run that is killed leaves objects
that nobody sees, and nothing to clean up.
"""

import hashlib
import logging
import tempfile
from collections.abc import Mapping
from pathlib import Path

from stage.errors import PushFailed, ReleaseRefused
from stage.output import replacing

from registry.git import Git, GitFailed
from registry.releasing.preflight import Branch, changed_paths
from registry.releasing.releases import Release
from registry.releasing.tags import asked

log = logging.getLogger(__name__)

DECIDING = ("tools/", "data/images.yaml")  # what else a dataset's bytes depend on


def base_of(git: Git, branch: Branch, name: str) -> str:
    """Return the commit that a release is put on: HEAD, or what has come upstream since, where it does not matter.

    Raises ReleaseRefused where both have gone their ways, or what has come touches the dataset or what makes it.
    """
    head, upstream = git("rev-parse", "HEAD"), git("rev-parse", branch.tracking)
    if git("merge-base", head, upstream) == upstream:
        return head
    if git("merge-base", head, upstream) != head:
        fix = "git pull --rebase, then make dataset and run again"
        raise ReleaseRefused(f"branch {branch.name}", f"it and {branch.remote} have gone their own ways", fix)
    for path in changed_paths(git, head, upstream):
        if path.startswith((f"data/{name}/", *DECIDING)):
            fix = f"git pull --rebase, then make dataset DS={name} and run again"
            raise ReleaseRefused(path, f"has changed on {branch.remote}", fix)
    return upstream


def make_commit(git: Git, base: str, name: str, title: str, written: Mapping[str, bytes]) -> str:
    """Return a commit on ``base`` with the dataset's files as they are here; ``base`` itself if it has them.

    ``written`` are files of the dataset's folder that the release writes, whatever is here.
    """
    with tempfile.TemporaryDirectory(prefix="registry-") as folder:
        index = str(Path(folder) / "index")
        git("read-tree", base, GIT_INDEX_FILE=index)
        git("add", "-A", "--", f"data/{name}", GIT_INDEX_FILE=index)
        for path, content in written.items():
            blob = git.output("hash-object", "-w", "--stdin", said=content).decode().strip()
            entry = f"100644,{blob},data/{name}/{path}"
            git("update-index", "--add", "--cacheinfo", entry, GIT_INDEX_FILE=index)
        tree = git("write-tree", GIT_INDEX_FILE=index)
    if tree == git("rev-parse", f"{base}^{{tree}}"):
        return base
    return git("commit-tree", tree, "-p", base, "-m", title)


def make_tag(git: Git, release: Release, commit: str, notes: tuple[str, ...] = ()) -> str:
    """Return a tag object for the release, which says what the data is; no ref points to it yet."""
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
    return git("mktag", said=head + "\n".join(lines) + "\n")


def send(git: Git, branch: Branch, commit: str, tag: str, name: str) -> bool:
    """Push commit and tag, both or neither, and say whether they went; False where somebody else was faster.

    Raises ReleaseRefused where the remote's rules forbid it, PushFailed where it does not answer.
    """
    refs = (f"{commit}:{branch.merge}", f"{tag}:refs/tags/{name}")
    try:
        git("push", "-q", "--porcelain", "--atomic", branch.remote, *refs)
    except GitFailed as error:
        lines = error.said.splitlines()
        rejected = [line for line in lines if line.startswith("!")]  # of --porcelain
        if any("declined" in line for line in rejected):
            told = " ".join(line.removeprefix("remote: ") for line in lines if line.startswith("remote: "))
            what = f"a hook or rule refused it: {told}".rstrip(": ")
            raise ReleaseRefused(f"git remote {branch.remote}", what, "ask its keeper") from error
        if rejected:
            log.info("%s: somebody else has pushed in the meantime", branch.remote)
            return False
        if "failed to push some refs" in error.said:
            raise ReleaseRefused("pre-push hook", error.what, "mend what it says, then run again") from error
        fix = "check the network and your access, then run again: the data is pushed already"
        raise PushFailed(f"git remote {branch.remote}", error.what, fix) from error
    return True


def follow(git: Git, branch: Branch, commit: str, name: str, written: Mapping[str, bytes]) -> None:
    """Bring the local branch to the released commit, where it is but behind; a branch that has gone on stays.

    What the release has ``written`` comes with it, where it is still what the files here give: until then they are as
    the branch has them, so that whoever kills this leaves nothing changed.
    """
    asked(git, branch.remote, "fetch", "-q", "--no-tags", branch.remote, f"+{branch.merge}:{branch.tracking}")
    head = git("rev-parse", "HEAD")
    if head == commit or git("merge-base", head, commit) != head:
        return
    for path, content in written.items():
        if git.show(commit, f"data/{name}/{path}") == content:
            _restore(git, f"data/{name}/{path}")
    git("add", "-A", "--", f"data/{name}")  # so that git sees that these files are what the commit has
    git("merge", "-q", "--ff-only", commit)


def _restore(git: Git, path: str) -> None:
    """Put a file of the working tree back to what HEAD has."""
    before, here = git.show("HEAD", path), git.folder / path
    if before is None:
        here.unlink(missing_ok=True)
    elif not here.exists() or here.read_bytes() != before:
        with replacing(here) as (temporary,):
            temporary.write_bytes(before)

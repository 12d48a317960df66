"""Check the clone before a release: its branch, configuration and changes."""

import dataclasses
import os
from pathlib import Path

from data_registry.git import Git, GitFailed
from data_registry.stage.errors import ReleaseRefused

from registry.datasets import Dataset
from registry.release.target import FETCH, Target, ask, targets_of

# The files of a dataset's folder that a release commits.
OWN = (
    *("dvc.yaml", "dvc.lock", "params.yaml", "sources.csv", "metadata.json", "README.md", "workflow.yaml"),
    *("croissant.json", "receipt.json", "evaluation.json"),
)
OWN_FOLDERS = ("sample", "prompts")
UNFINISHED = {
    "MERGE_HEAD": "a merge is not finished",
    "rebase-merge": "a rebase is not finished",
    "rebase-apply": "a rebase is not finished",
    "CHERRY_PICK_HEAD": "a cherry-pick is not finished",
    "BISECT_LOG": "a bisect is not finished",
}


@dataclasses.dataclass(frozen=True)
class Branch:
    """The branch that releases go to: its name here, the git remote, and its ref there.

    ``targets`` are the repositories that the remote pushes to; all but the first are mirrors.
    """

    name: str
    remote: str
    merge: str
    targets: tuple[Target, ...]

    @property
    def target(self) -> Target:
        return self.targets[0]

    @property
    def tracking(self) -> str:
        return f"refs/remotes/{self.remote}/{self.merge.removeprefix('refs/heads/')}"


def check_environment(branch: Branch) -> None:
    """Raise ReleaseRefused for ENV=local, whose data stays on this machine, unless the origin does too."""
    if os.environ.get("ENV", "local") != "local":
        return
    for target in branch.targets:
        url = target.url
        local = "://" not in url and ":" not in url.partition("/")[0]
        if not (local or url.startswith("file://")):
            what = f"the data would stay on this machine while the tag goes to {url.rpartition('@')[2]}"
            raise ReleaseRefused("ENV=local", what, "use ENV=docker or ENV=minikube")


def check_clone(git: Git, dataset: Dataset) -> Branch:
    """Check that the clone can release the dataset, and return the branch.

    Raises ReleaseRefused, with the command that fixes it.
    """
    where = dataset.folder.parent.parent
    folder = Path(git("rev-parse", "--absolute-git-dir"))
    if git("rev-parse", "--show-superproject-working-tree"):
        raise ReleaseRefused(where, "this clone is a submodule", "release from a separate clone")
    if git("rev-parse", "--is-shallow-repository") == "true":
        raise ReleaseRefused(where, "this clone is shallow", "git fetch --unshallow")
    for name, what in UNFINISHED.items():
        if (folder / name).exists():
            raise ReleaseRefused(where, what, "finish it, or abort it (see git status)")
    head = git.run("symbolic-ref", "-q", "--short", "HEAD").stdout.decode().strip()
    if not head:
        raise ReleaseRefused(where, "HEAD is detached", "git switch main, or release from the worktree that has it")
    if not git.resolve("HEAD^{commit}"):
        fix = f"git add -A, git commit, then git push -u origin {head}"
        raise ReleaseRefused(f"branch {head}", "has no commit", fix)
    remote = git.run("config", f"branch.{head}.remote").stdout.decode().strip()
    merge = git.run("config", f"branch.{head}.merge").stdout.decode().strip()
    if not remote or not merge or remote == ".":
        raise ReleaseRefused(f"branch {head}", "has no upstream", f"git push -u origin {head}")
    _check_identity(git)
    _check_files(git, dataset)
    _check_tree(git, dataset)
    return Branch(head, remote, merge, targets_of(git, remote))


def fetch(git: Git, branch: Branch) -> None:
    """Fetch the branch from its target.

    Raises ReleaseRefused where it does not exist there or is not the default branch, PushFailed where git fails.
    """
    lines = ask(git, branch.target, ["ls-remote", "--symref"], "HEAD", branch.merge).splitlines()
    default = next((line.split()[1] for line in lines if line.startswith("ref: ")), branch.merge)
    if default != branch.merge:
        name = default.removeprefix("refs/heads/")
        raise ReleaseRefused(f"branch {branch.name}", f"releases go to {name}", f"git switch {name}")
    if not any(line.endswith(f"\t{branch.merge}") for line in lines):
        what = f"upstream {branch.merge.removeprefix('refs/heads/')} not found on {branch.remote}"
        raise ReleaseRefused(f"branch {branch.name}", what, f"git push -u {branch.remote} {branch.name}")
    ask(git, branch.target, [*FETCH, "-q"], f"+{branch.merge}:{branch.tracking}")


def _check_identity(git: Git) -> None:
    """Raise ReleaseRefused with git's message where name or address of the committer are not set."""
    try:
        git("var", "GIT_AUTHOR_IDENT")
        git("var", "GIT_COMMITTER_IDENT")
    except GitFailed as error:
        fix = "git config user.name '...' and git config user.email '...'"
        raise ReleaseRefused("git", error.what, fix) from error


def _check_files(git: Git, dataset: Dataset) -> None:
    """Raise ReleaseRefused for files that the commit would lack: not checked out, or ignored by git."""
    folder = f"data/{dataset.name}"
    for line in git("ls-files", "-v", "-z", "--", folder, ".dvc").split("\0"):
        kind, path = line[:1], line[2:]
        if kind in {"S", "s"} and not (git.folder / path).exists():
            fix = f"git sparse-checkout add .dvc {folder} (or git sparse-checkout disable)"
            raise ReleaseRefused(path, "not checked out: this clone is sparse", fix)
    committed = set(git.files("HEAD", folder))
    new = [path for name in OWN if (git.folder / (path := f"{folder}/{name}")).exists() and path not in committed]
    listed = "".join(f"{path}\0" for path in new).encode()
    ignored = git.run("check-ignore", "-v", "-z", "--no-index", "--stdin", stdin=listed).stdout
    fields = ignored.decode(errors="replace").split("\0")
    for source, number, pattern, path in zip(*[iter(fields[:-1])] * 4, strict=True):
        if not pattern.startswith("!"):
            fix = f"remove {pattern} from {source} line {number}, or git add -f {path} and git commit"
            raise ReleaseRefused(path, "is part of the release, but ignored by git", fix)


def _check_tree(git: Git, dataset: Dataset) -> None:
    """Raise ReleaseRefused for changes outside the dataset, staged or not, and for unknown files in it."""
    folder = f"data/{dataset.name}/"
    for line in git("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames").split("\0"):
        kind, path = line[:2], line[3:]
        if not path:
            continue
        if not path.startswith(folder):
            fix = "commit it first, or git stash -u"  # -u: also untracked files
            raise ReleaseRefused(path, "uncommitted change outside this dataset", fix)
        name = path.removeprefix(folder)
        if kind == "??" and name not in OWN and name.partition("/")[0] not in OWN_FOLDERS:
            raise ReleaseRefused(path, "untracked file that a release does not include", "remove it, or git add it")

"""What must be so before a release: the clone, its branch, and the dataset in it."""

import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from stage.errors import ChecksumMismatch, PushFailed, ReleaseRefused
from stage.progress import progress

from registry.building.pipeline import dvc_repository
from registry.building.scratch import is_scratch
from registry.datasets import WORKSPACE, Dataset
from registry.git import Git, GitFailed

# What a dataset's folder may bring into git with a release; anything else there is somebody's, or an output.
OWN = (
    "dvc.yaml",
    "dvc.lock",
    "params.yaml",
    "sources.csv",
    "metadata.json",
    "README.md",
    "workflow.yaml",
    "croissant.json",
    "receipt.json",
    "evaluation.json",
)
OWN_FOLDERS = ("sample", "prompts")
BLOCK = 1 << 20  # bytes
UNFINISHED = {
    "MERGE_HEAD": "a merge is not finished",
    "rebase-merge": "a rebase is not finished",
    "rebase-apply": "a rebase is not finished",
    "CHERRY_PICK_HEAD": "a cherry-pick is not finished",
    "BISECT_LOG": "a bisect is not finished",
}


@dataclasses.dataclass(frozen=True)
class Branch:
    """The branch that releases go to: its name here, the git remote and what it is called there."""

    name: str
    remote: str
    merge: str

    @property
    def tracking(self) -> str:
        return f"refs/remotes/{self.remote}/{self.merge.removeprefix('refs/heads/')}"


def check_environment(git: Git, branch: Branch) -> None:
    """Raise ReleaseRefused for ENV=local, whose data nobody else could get, unless the origin is local too."""
    url = git("remote", "get-url", branch.remote)
    local = "://" not in url and ":" not in url.partition("/")[0]
    if os.environ.get("ENV", "local") == "local" and not (local or url.startswith("file://")):
        what = f"the data would stay on this machine, and the tag go to {url.rpartition('@')[2]}"
        raise ReleaseRefused("ENV=local", what, "ENV=docker or ENV=minikube")


def check_clone(git: Git, dataset: Dataset) -> Branch:
    """Return the branch, once the clone is fit for a release of the dataset.

    Raises ReleaseRefused for what is unfinished, missing or in the way, with the command that mends it.
    """
    where = dataset.folder.parent.parent
    inside = git("rev-parse", "--git-dir")
    folder = (where / inside).resolve()
    if git("rev-parse", "--show-superproject-working-tree"):
        raise ReleaseRefused(where, "this clone is a submodule of another", "release from a clone of its own")
    if git("rev-parse", "--is-shallow-repository") == "true":
        raise ReleaseRefused(where, "this clone is shallow", "git fetch --unshallow")
    for name, what in UNFINISHED.items():
        if (folder / name).exists():
            raise ReleaseRefused(where, what, "finish it, or end it with --abort (git status says which)")
    head = git.run("symbolic-ref", "-q", "--short", "HEAD").stdout.decode().strip()
    if not head:
        raise ReleaseRefused(where, "HEAD is detached", "git switch main")
    remote = git.run("config", f"branch.{head}.remote").stdout.decode().strip()
    merge = git.run("config", f"branch.{head}.merge").stdout.decode().strip()
    if not remote or not merge or remote == ".":
        raise ReleaseRefused(f"branch {head}", "has no upstream", f"git push -u origin {head}")
    for key in ("user.name", "user.email"):
        if not git.run("config", key).stdout.strip():
            raise ReleaseRefused("git", f"{key} is not set", f"git config {key} '...'")
    _check_tree(git, dataset)
    return Branch(head, remote, merge)


def fetch(git: Git, branch: Branch, name: str) -> None:
    """Fetch the branch, and the dataset's tags, without ever moving one.

    Raises ReleaseRefused where the branch is not the remote's own, PushFailed where the remote does not answer.
    """
    try:
        told = git("ls-remote", "--symref", branch.remote, "HEAD")
        own = next((line.split()[1] for line in told.splitlines() if line.startswith("ref: ")), branch.merge)
        git("fetch", "-q", "--no-tags", branch.remote, f"+{branch.merge}:{branch.tracking}")
    except GitFailed as error:
        fix = "check the network and your access, then run again"
        raise PushFailed(f"git remote {branch.remote}", error.what, fix) from error
    if own != branch.merge:
        default = own.removeprefix("refs/heads/")
        raise ReleaseRefused(f"branch {branch.name}", f"releases go to {default}", f"git switch {default}")


def check_dataset(dataset: Dataset, root: Path) -> dict[str, object]:
    """Return the metadata of the dataset, once it is what its stages make now, whole, and no sample.

    Raises ReleaseRefused, or ChecksumMismatch where a file is not what metadata.json says.
    """
    if not (dataset.folder / "metadata.json").exists():
        raise ReleaseRefused(dataset.name, "is not built", f"make dataset DS={dataset.name}")
    dataset.check_lock()
    metadata = dataset.metadata()
    if metadata["provenance"]["sample"] and not is_scratch(root):
        raise ReleaseRefused(dataset.name, "is synthetic sample data", "build it from its sources, then release")
    if dataset.parent == WORKSPACE:
        fix = "name a released version in params.yaml, section registry, and build it again"
        raise ReleaseRefused(dataset.name, "is made from a working copy, which nobody else has", fix)
    with dvc_repository(root) as repo:
        if stale := repo.status(targets=[str(dataset.pipeline)]):
            stage = next(iter(stale)).rpartition(":")[2]
            raise ReleaseRefused(dataset.name, f"stage {stage} is not current", f"make dataset DS={dataset.name}")
    size = sum((dataset.folder / name).stat().st_size for name in metadata["files"])
    with progress(f"checking {dataset.name}", size, "bytes") as advance:
        for name, wanted in metadata["files"].items():
            if _sha256(dataset.folder / name, advance) != wanted["sha256"]:
                fix = f"remove it, then make dataset DS={dataset.name}"
                raise ChecksumMismatch(dataset.folder / name, "is not what metadata.json says", fix)
    from samples import logical_hash  # lazy: it takes as long to import as all else here

    if logical_hash(dataset.folder / "samples.parquet") != metadata["logical_hash"]:
        fix = f"remove it, then make dataset DS={dataset.name}"
        raise ChecksumMismatch(dataset.folder / "samples.parquet", "has another logical hash than metadata.json", fix)
    return metadata


def _sha256(path: Path, advance: Callable[[int], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            digest.update(block)
            advance(len(block))
    return digest.hexdigest()


def _check_tree(git: Git, dataset: Dataset) -> None:
    """Raise ReleaseRefused for changes other than the dataset's own, staged or not."""
    folder = f"data/{dataset.name}/"
    for line in git("status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames").split("\0"):
        kind, path = line[:2], line[3:]
        if not path:
            continue
        if not path.startswith(folder):
            fix = "commit it first, or git stash"
            raise ReleaseRefused(path, "is changed, and is not of this dataset", fix)
        name = path.removeprefix(folder)
        if kind == "??" and name not in OWN and name.partition("/")[0] not in OWN_FOLDERS:
            raise ReleaseRefused(
                path, "is not known to git, and no file that a release takes", "remove it, or git add it"
            )


def changed_paths(git: Git, before: str, after: str) -> list[str]:
    """Return the paths that differ between two commits."""
    return [path for path in git("diff", "--name-only", "-z", "--no-renames", before, after).split("\0") if path]

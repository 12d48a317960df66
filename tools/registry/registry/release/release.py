"""Release a version of a dataset: complete, or invisible; and run again until it is complete.

First the data goes to the store and every byte of it is read back; then commit and tag go to git in one step. A run
that ends before that step leaves nothing there, and one that ends after it is found by the next run.
"""

import contextlib
import dataclasses
import functools
import logging
from pathlib import Path

from data_registry.git import Git
from data_registry.releases.release import CROISSANT, README, Release
from data_registry.releases.versions import PARTS, Version, released
from data_registry.stage.errors import PushFailed, StageError, TagExists, UsageError, VerificationFailed
from data_registry.stage.locks import locked
from data_registry.stage.progress import progress
from data_registry.store.objects import Fault, count_objects, find_faults
from data_registry.store.protocol import CACHE, Store, object_path
from data_registry.store.remote import open_store

from registry.build.pipeline import temporary_folder
from registry.datasets import Dataset
from registry.release.clone import Branch, check_clone, check_environment, fetch
from registry.release.fresh import check_new_clone
from registry.release.numbering import FIRST, next_version
from registry.release.preflight import check_dataset
from registry.release.publish import base_of, follow, make_commit, make_tag, send, send_to_mirrors
from registry.release.target import fetch_tag, fetch_tags
from registry.transfer import remotes

log = logging.getLogger(__name__)

PUSHES = 20  # attempts while other pushes are faster
STUCK = 3  # such rejections in a row while the branch does not move


@dataclasses.dataclass(frozen=True)
class Released:
    """The outcome of a run: ``released``, ``already released``, ``completed`` (objects were missing) or ``planned``."""

    tag: str
    outcome: str
    objects: int
    sent: int
    remote: str

    def __str__(self) -> str:
        count = f"{self.objects} of {self.objects} objects on {self.remote}"
        return f"{self.tag}: {self.outcome}; {count}, {self.sent} sent"


def release(
    dataset: Dataset,
    root: Path,
    remote: str,
    version: str = "",
    bump: str = "",
    dry_run: bool = False,
    notes: tuple[str, ...] = (),
) -> Released:
    """Release the working copy of a dataset, as ``version`` or the next one by ``bump`` (major, minor, patch, auto).

    ``notes`` are further lines of the tag's message, as ``key: value``.

    Raises UsageError for an invalid version or one that is not above the last, ReleaseRefused, ChecksumMismatch,
    PushFailed, VerificationFailed, or TagExists where the version has other content.
    """
    if bool(version) == bool(bump) or bump not in {"", "auto", *PARTS}:
        fix = "VERSION=1.1.0, or BUMP=auto, major, minor or patch"
        raise UsageError("VERSION or BUMP", "exactly one of them is needed", fix)
    wanted = Version.parse(version) if version else None
    git = Git(root)
    busy = functools.partial(log.info, "waiting for another release of %s in this clone", dataset.name)
    with locked(temporary_folder(root) / f"release-{dataset.name}.lock", busy):
        branch = check_clone(git, dataset)
        check_environment(branch)
        fetch(git, branch)
        fetch_tags(git, branch.target, dataset.name)
        store = open_store(git, "HEAD", remote)
        run = _Run(git, branch, dataset, root, store, wanted or FIRST, notes)
        if wanted and run.is_tagged():
            return run.complete()
        check_dataset(dataset, root)
        versions = released(git, dataset.name).get(dataset.name, [])
        last = Release(git, dataset.name, versions[-1]) if versions else None
        run = dataclasses.replace(run, version=next_version(last, dataset, wanted, bump, remote))
        if run.is_tagged():
            return run.complete()
        return run.plan() if dry_run else run.release()


@dataclasses.dataclass(frozen=True)
class _Run:
    """The release of one version of a dataset, step by step."""

    git: Git
    branch: Branch
    dataset: Dataset
    root: Path
    store: Store
    version: Version
    notes: tuple[str, ...]

    @functools.cached_property
    def written(self) -> dict[str, bytes]:
        """What the release adds to the files of the dataset, made once: its card and croissant.json."""
        from registry.cards.card import card_of  # lazy: loads pyarrow
        from registry.cards.croissant import croissant_of

        return {README: card_of(self.dataset), CROISSANT: croissant_of(self.dataset, self.version)}

    def is_tagged(self) -> bool:
        """Say whether the version is tagged already."""
        return fetch_tag(self.git, self.branch.target, Release(self.git, self.dataset.name, self.version).tag)

    def plan(self) -> Released:
        """Log what a release would do, and do nothing that others see."""
        draft = self._draft()
        objects = [output for output in draft.outputs if not output.in_git]
        log.info("push %d outputs to %s, and read every byte back", len(objects), self.store.remote)
        log.info("commit data/%s on %s", self.dataset.name, self.branch.name)
        log.info("tag %s, logical hash %s", draft.tag, draft.logical_hash)
        log.info("push both to %s, both or neither", self.branch.remote)
        return Released(draft.tag, "planned", len(objects), 0, self.store.remote)

    def release(self) -> Released:
        """Release the version."""
        draft = self._draft()
        sent = remotes.push(self.dataset, self.root, self.store.remote)
        self._read_back(draft)
        tip, same = self.git("rev-parse", self.branch.tracking), 0
        for _ in range(PUSHES):
            tag = make_tag(self.git, draft, draft.commit, self.notes)
            reason = send(self.git, self.branch.target, self.branch.merge, draft.commit, tag, draft.tag)
            if not reason:
                break
            if self.is_tagged():
                return self.complete()
            fetch(self.git, self.branch)
            before, tip = tip, self.git("rev-parse", self.branch.tracking)
            same = same + 1 if tip == before else 0
            if same == STUCK:
                raise PushFailed(self.branch.target, f"rejected: {reason}", "see the server's message, then run again")
            log.info("%s: %s; trying again", self.branch.target, reason)
            draft = self._draft()
        else:
            raise PushFailed(draft.tag, f"{PUSHES} other pushes came first", "run again")
        self.git("update-ref", self.branch.tracking, draft.commit)
        try:
            check_new_clone(self.git, self.branch.target, draft, tag)
        except PushFailed as error:
            log.warning("%s is released; reading it back from a new clone failed: %s", draft.tag, error.what)
        self._update_clone(draft, draft.commit)
        return Released(draft.tag, "released", sent.objects, sent.moved, self.store.remote)

    def complete(self) -> Released:
        """Check that a tagged version is complete; send the objects that its store lacks.

        Raises TagExists where the version has other content than the working copy.
        """
        release = Release(self.git, self.dataset.name, self.version)
        for name in ("dvc.lock", "metadata.json"):
            path = self.dataset.folder / name
            if not path.exists() or path.read_bytes() != release.read(name):
                fix = "choose the next version: a tag never moves"
                raise TagExists(release.tag, f"already released with another {name} than the one built here", fix)
        commit = self.git("rev-parse", f"refs/tags/{release.tag}^{{commit}}")
        outcome, sent = "already released", 0
        if self._faults(release):
            sent = remotes.push(self.dataset, self.root, self.store.remote).moved + self._read_back(release)
            outcome = "completed"
        self._update_clone(release, commit)
        return Released(release.tag, outcome, count_objects(release, self.store), sent, self.store.remote)

    def _draft(self) -> Release:
        """Return the release as a commit without a ref."""
        name, version = self.dataset.name, self.version
        base = base_of(self.git, self.branch, name)
        commit = make_commit(self.git, base, name, f"{name}: release {version}", self.written)
        return Release(self.git, name, version, commit)

    def _update_clone(self, release: Release, commit: str) -> None:
        """Send a published release to mirrors, and bring the local branch to it; warn where that fails."""
        try:
            self.is_tagged()  # fetches the tag
            send_to_mirrors(self.git, self.branch, release.tag)
            follow(self.git, commit, release.name, self.written)
        except StageError as error:
            log.warning("%s is released, this clone was not updated: %s; run git pull", release.tag, error.what)

    def _read_back(self, release: Release) -> int:
        """Hash every object on the remote, and replace damaged ones once; return how many were replaced.

        Raises VerificationFailed where one is still missing or damaged.
        """
        faults = self._faults(release)
        for md5 in {fault.md5 for fault in faults}:
            with contextlib.suppress(FileNotFoundError):
                self.store.write(md5, self.root / CACHE / object_path(md5))
        if faults and (left := self._faults(release)):
            what = f"object {left[0].md5} is {left[0].what} on {self.store.remote} after the push ({len(left)} in all)"
            raise VerificationFailed(f"{release.folder}/{left[0].path}", what, "check the remote, then run again")
        return len({fault.md5 for fault in faults})

    def _faults(self, release: Release) -> list[Fault]:
        total = sum(output.size for output in release.outputs if not output.in_git)
        with progress(f"reading {release.tag} back", total, "bytes") as advance:
            return find_faults(release, self.store, advance)

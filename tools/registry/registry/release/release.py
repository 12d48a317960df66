"""Release a version of a dataset: all of it, or nothing that anybody sees; and again, until it is done.

First the data goes to the store and every byte of it is read back; then commit and tag go to git in one step. Whatever
ends a run before that step leaves no trace there, and a run after it finds the release and says so.
"""

import contextlib
import dataclasses
import fcntl
import logging
from collections.abc import Iterator
from pathlib import Path

from data_registry.git import Git
from data_registry.releases.release import CROISSANT, README, Release
from data_registry.releases.versions import PARTS, Version, released
from data_registry.stage.errors import PushFailed, StageError, TagExists, UsageError, VerificationFailed
from data_registry.stage.progress import progress
from data_registry.store.objects import Fault, count_objects, find_faults
from data_registry.store.protocol import CACHE, Store, object_path
from data_registry.store.remote import open_store

from registry.datasets import Dataset
from registry.release.clone import Branch, check_clone, check_environment, fetch
from registry.release.fresh import check_new_clone
from registry.release.numbering import FIRST, next_version
from registry.release.preflight import check_dataset
from registry.release.publish import base_of, follow, make_commit, make_tag, send, send_to_mirrors
from registry.release.tags import Tagged, fetch_all, look
from registry.transfer import remotes

log = logging.getLogger(__name__)

PUSHES = 20  # somebody else may be faster that many times
STUCK = 3  # rejections as if somebody were, while the branch stays where it is


@dataclasses.dataclass(frozen=True)
class Released:
    """What a run did: ``released``, ``already released``, ``completed`` (objects were missing), or ``planned``."""

    tag: str
    outcome: str
    objects: int
    sent: int
    remote: str


def release(
    dataset: Dataset,
    root: Path,
    remote: str,
    version: str = "",
    bump: str = "",
    dry_run: bool = False,
    notes: tuple[str, ...] = (),
) -> Released:
    """Release the dataset as it is built here; ``bump`` (major, minor, patch, auto) stands in for a version.

    ``notes`` are lines that the tag is to have, as ``key: value``.

    Raises UsageError for a version that is none or not above the last, ReleaseRefused, ChecksumMismatch, PushFailed,
    VerificationFailed, or TagExists where the version has other content.
    """
    if bool(version) == bool(bump) or bump not in {"", "auto", *PARTS}:
        raise UsageError(
            "VERSION", "one of VERSION and BUMP is needed", "VERSION=1.1.0, or BUMP=auto, major, minor, patch"
        )
    wanted = Version.parse(version) if version else None
    git = Git(root)
    with _alone(root, dataset.name):
        branch = check_clone(git, dataset)
        check_environment(branch)
        fetch(git, branch)
        fetch_all(git, branch.target, dataset.name)
        store = open_store(git, "HEAD", remote)
        known = released(git, dataset.name).get(dataset.name, [])
        found = Release(git, dataset.name, wanted or FIRST)
        if wanted and look(git, branch.target, found.tag) is Tagged.YES:
            return _complete(found, dataset, root, store, branch)
        check_dataset(dataset, root)
        last = Release(git, dataset.name, known[-1]) if known else None
        chosen = next_version(last, dataset, wanted, bump, remote)
        if look(git, branch.target, Release(git, dataset.name, chosen).tag) is Tagged.YES:
            return _complete(Release(git, dataset.name, chosen), dataset, root, store, branch)
        run = _Run(git, branch, dataset, root, store, chosen, notes)
        return run.plan() if dry_run else run.run()


class _Run:
    """The steps of one release, in order."""

    def __init__(
        self,
        git: Git,
        branch: Branch,
        dataset: Dataset,
        root: Path,
        store: Store,
        version: Version,
        notes: tuple[str, ...],
    ) -> None:
        self._git, self._branch, self._dataset = git, branch, dataset
        self._root, self._store, self._version, self._notes = root, store, version, notes

    def plan(self) -> Released:
        """Say what would be done, and do nothing that anybody else sees."""
        draft = self._draft()
        objects = [output for output in draft.outputs if not output.in_git]
        log.info("push %d outputs to %s, and read every byte back", len(objects), self._store.remote)
        log.info("commit data/%s on %s", self._dataset.name, self._branch.name)
        log.info("tag %s, logical hash %s", draft.tag, draft.logical_hash)
        log.info("push both to %s, both or neither", self._branch.remote)
        return Released(draft.tag, "planned", len(objects), 0, self._store.remote)

    def run(self) -> Released:
        """Do it."""
        draft = self._draft()
        sent = remotes.push(self._dataset, self._root, self._store.remote)
        _read_back(draft, self._store, self._root)
        tip, same = self._git("rev-parse", self._branch.tracking), 0
        for _ in range(PUSHES):
            tag = make_tag(self._git, draft, draft.commit, self._notes)
            reason = send(self._git, self._branch.target, self._branch.merge, draft.commit, tag, draft.tag)
            if not reason:
                break
            if look(self._git, self._branch.target, draft.tag) is Tagged.YES:
                return _complete(
                    dataclasses.replace(draft, commit=""), self._dataset, self._root, self._store, self._branch
                )
            fetch(self._git, self._branch)
            before, tip = tip, self._git("rev-parse", self._branch.tracking)
            same = same + 1 if tip == before else 0
            if same == STUCK:
                raise PushFailed(self._branch.target, f"rejected: {reason}", "see what it says, then run again")
            log.info("%s: %s; trying again", self._branch.target, reason)
            draft = self._draft()
        else:
            raise PushFailed(draft.tag, f"others pushed {PUSHES} times in the meantime", "run again")
        self._git("update-ref", self._branch.tracking, draft.commit)
        try:
            check_new_clone(self._git, self._branch.target, draft, tag)
        except PushFailed as error:
            log.warning("%s is released; reading it back from a new clone failed: %s", draft.tag, error.what)
        _after(draft, draft.commit, self._dataset, self._branch)
        return Released(draft.tag, "released", sent.objects, sent.moved, self._store.remote)

    def _draft(self) -> Release:
        """Return the release as a commit that nothing points to."""
        name = self._dataset.name
        base = base_of(self._git, self._branch, name)
        written = _written(self._dataset, self._version)
        commit = make_commit(self._git, base, name, f"{name}: release {self._version}", written)
        return Release(self._git, name, self._version, commit)


def _written(dataset: Dataset, version: Version) -> dict[str, bytes]:
    """Return what a release writes into the dataset's folder, made from what is there."""
    from registry.cards.card import card_of  # lazy: Arrow takes as long to import as all else here
    from registry.cards.croissant import croissant_of

    return {README: card_of(dataset), CROISSANT: croissant_of(dataset, version)}


def _complete(found: Release, dataset: Dataset, root: Path, store: Store, branch: Branch) -> Released:
    """See that a version that is tagged already is whole; send what its store lacks.

    Raises TagExists where its content is not what is built here and its store lacks something or somebody asked for a
    release of other content.
    """
    for name in ("dvc.lock", "metadata.json"):
        path = dataset.folder / name
        if not path.exists() or path.read_bytes() != found.read(name):
            fix = "choose the next version: a tag never moves"
            raise TagExists(found.tag, f"is released with another {name} than is built here", fix)
    commit = found.git("rev-parse", f"refs/tags/{found.tag}^{{commit}}")
    outcome, sent = "already released", 0
    if _faults(found, store):
        sent = remotes.push(dataset, root, store.remote).moved + _read_back(found, store, root)
        outcome = "completed"
    _after(found, commit, dataset, branch)
    return Released(found.tag, outcome, count_objects(found, store), sent, store.remote)


def _after(release: Release, commit: str, dataset: Dataset, branch: Branch) -> None:
    """Bring mirrors and the local branch to a release that is published; warn of what cannot be."""
    try:
        look(release.git, branch.target, release.tag)
        send_to_mirrors(release.git, branch, release.tag)
        follow(release.git, commit, release.name, _written(dataset, release.version))
    except StageError as error:
        log.warning("%s is released; this clone is not at it yet: %s; run git pull", release.tag, error.what)


def _read_back(release: Release, store: Store, root: Path) -> int:
    """Hash every object where it was sent to, and replace a damaged one once; return how many were.

    Raises VerificationFailed where one stays missing or damaged.
    """
    faults = _faults(release, store)
    for fault in {fault.md5: fault for fault in faults}.values():
        cached = root / CACHE / object_path(fault.md5)
        with contextlib.suppress(FileNotFoundError):
            store.write(fault.md5, cached)
    if faults and (left := _faults(release, store)):
        what = f"object {left[0].md5} is {left[0].what} on {store.remote} after it was sent ({len(left)} in all)"
        raise VerificationFailed(f"{release.folder}/{left[0].path}", what, "look at the remote, then run again")
    return len({fault.md5 for fault in faults})


def _faults(release: Release, store: Store) -> list[Fault]:
    total = sum(output.size for output in release.outputs if not output.in_git)
    with progress(f"reading {release.tag} back", total, "bytes") as advance:
        return find_faults(release, store, advance)


@contextlib.contextmanager
def _alone(root: Path, name: str) -> Iterator[None]:
    """Hold the lock of a dataset's releases in this clone."""
    folder = root / ".dvc" / "tmp"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / f"release-{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another release of %s in this clone", name)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield

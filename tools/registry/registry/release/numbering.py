"""Choose the version of the next release: above the last one, by at least the part that the change needs."""

import logging

from data_registry.releases.release import Release
from data_registry.releases.versions import PARTS, Version
from data_registry.stage.errors import ReleaseRefused, StageError, UsageError

from registry.datasets import Dataset

log = logging.getLogger(__name__)

FIRST = Version(1, 0, 0)
REASONS = {"major": "the schema has changed", "minor": "samples have changed", "patch": "the samples are the same"}


def next_version(last: Release | None, dataset: Dataset, version: Version | None, bump: str, remote: str) -> Version:
    """Return the version of the next release: the one given, or the next after the last by ``bump``.

    Raises UsageError for a version that is not above the last, ReleaseRefused where nothing has changed, the version
    goes up by less than the change needs, or by more than a patch although the samples are equal.
    """
    if last is None:
        return version or FIRST
    before = last.version
    if version and version <= before:
        what = f"{version} is not above {before}, the last release of {dataset.name}"
        raise UsageError("VERSION", what, f"use {before.bumped('patch')}")
    given = next(part for part in PARTS if getattr(version, part) != getattr(before, part)) if version else bump
    needed = _needed(last, dataset, given, remote)
    if not needed:
        raise ReleaseRefused(dataset.name, f"nothing has changed since {before}", "there is nothing to release")
    wanted = version or before.bumped(needed if bump == "auto" else bump)
    fix = f"VERSION={before.bumped(needed)} or BUMP={needed}"
    if needed == "patch" and wanted != before.bumped("patch"):
        what = f"same samples as {before} (logical hash {last.logical_hash[:16]})"
        raise ReleaseRefused(dataset.name, what, fix)
    if given != "auto" and PARTS.index(given) > PARTS.index(needed):
        what = f"{REASONS[needed]} since {before}: expected a {needed} version, got {wanted}"
        raise ReleaseRefused(dataset.name, what, fix)
    return wanted


def _needed(last: Release, dataset: Dataset, given: str, remote: str) -> str:
    """Return the part that has to go up, or nothing where nothing has changed.

    Where the last release's manifest cannot be read, a person's own number is held against what metadata.json says.
    """
    same_samples = last.logical_hash == dataset.metadata("logical_hash")["logical_hash"]
    if same_samples and last.read("metadata.json") == (dataset.folder / "metadata.json").read_bytes():
        return ""
    if given == "major" and not same_samples:
        return "major"  # enough for any change
    from registry.compare.diff import bump_of  # lazy: loads pyarrow

    try:
        return bump_of(last, dataset, remote) or "patch"
    except StageError as error:
        if given == "auto":
            raise
        log.warning("%s: rows not compared with %s: %s", dataset.name, last.tag, error.what)
        return "patch" if same_samples else "minor"

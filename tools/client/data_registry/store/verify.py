"""Verify a release: its tag, what git says of it, and every byte of its data, read back from the store."""

import dataclasses
import hashlib
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from data_registry.releases.completeness import Origin
from data_registry.releases.release import Release
from data_registry.stage.errors import VerificationFailed
from data_registry.store.objects import find_faults, shown
from data_registry.store.protocol import Store

LINE = re.compile(r"^(logical-hash|metadata-sha256): ([0-9a-f]{64})$", re.MULTILINE)
MANIFEST = "samples.parquet"
NEXT = "release it again, under the next version"


@dataclasses.dataclass(frozen=True)
class Problem:
    """What is wrong with a release: where, what, and what mends it."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def verify(release: Release, store: Store, advance: Callable[[int], None] = lambda _: None) -> list[Problem]:
    """Read a release back, all of it, and return what is wrong.

    Raises NetworkFailed where the store does not answer.
    """
    problems = check_tag(release)
    with tempfile.TemporaryDirectory(prefix="registry-verify-") as folder:
        manifest = Path(folder) / MANIFEST
        with manifest.open("wb") as file:
            faults = find_faults(release, store, advance, {MANIFEST: file.write})
        for fault in faults:
            where = f"{release.tag} {shown(f'{release.folder}/{fault.path}')}"
            fix = f"make repair DS={release.name} VERSION={release.version}"
            problems.append(Problem(where, f"object {fault.md5} is {fault.what} on {store.remote}", fix))
        has_manifest = any(output.path == MANIFEST and not output.in_git for output in release.outputs)
        if has_manifest and MANIFEST not in {fault.path for fault in faults}:
            problems += _check_samples(release, manifest)
    return problems


def check_tag(release: Release) -> list[Problem]:
    """Return what is wrong with the tag, and with what git has at it."""
    if release.git("cat-file", "-t", f"refs/tags/{release.tag}") != "tag":
        return [Problem(release.tag, "expected an annotated tag, got a lightweight one", NEXT)]
    tagged = dict(LINE.findall(release.git("cat-file", "tag", f"refs/tags/{release.tag}")))
    actual = {
        "logical-hash": str(release.metadata.get("logical_hash")),
        "metadata-sha256": hashlib.sha256(release.read("metadata.json")).hexdigest(),
    }
    problems = [
        Problem(release.tag, f"{name}: expected {tagged.get(name, 'none')}, as tagged, got {value}", NEXT)
        for name, value in actual.items()
        if tagged.get(name) != value
    ]
    try:
        outputs = release.outputs
    except VerificationFailed as error:  # git has other bytes than dvc.lock says
        return [*problems, Problem(error.where, error.what, NEXT)]
    for stage in release.stages:
        if not any(name.partition("@")[0] == stage for name in release.locked):  # of a matrix, name@item
            problems.append(Problem(f"{release.tag} {release.folder}/dvc.lock", f"stage {stage} not found", NEXT))
    if not outputs:
        problems.append(Problem(f"{release.tag} {release.folder}/dvc.lock", "has no outputs", NEXT))
    return problems


def check_origin(release: Release, origin: Origin) -> list[Problem]:
    """Return whether the tag is another one on the git remote: one of the two was moved, and a tag never moves."""
    here, there = release.git.resolve(f"refs/tags/{release.tag}"), origin.tags.get(release.tag)
    if there in {here, None}:
        return []
    what = f"the tag is {here} here, but {there} on {origin.name}"
    fix = f"git fetch {origin.name} refs/tags/{release.tag}, and compare FETCH_HEAD with it"
    return [Problem(release.tag, what, fix)]


def _check_samples(release: Release, manifest: Path) -> list[Problem]:
    """Recompute the logical hash from the samples."""
    from data_registry.samples import logical_hash  # lazy, as it imports pyarrow

    expected, actual = release.metadata.get("logical_hash"), logical_hash(manifest)
    if actual == expected:
        return []
    where = f"{release.tag} {release.folder}/{MANIFEST}"
    return [Problem(where, f"expected the logical hash {expected} of metadata.json, got {actual}", NEXT)]


def size_of(release: Release) -> int:
    """Return how many bytes of a release are in the store."""
    return sum(output.size for output in release.outputs if not output.in_git)

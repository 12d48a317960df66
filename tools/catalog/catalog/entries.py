"""What the catalogue shows of each dataset: its editions, and what changed from each to the next."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.releases.versions import released, tag_of
from data_registry.stage.errors import StageError
from data_registry.store.get import RAW, chosen_outputs
from data_registry.store.manifests import NAME as MANIFEST
from registry.datasets import Dataset
from registry.lineage.show import WORKING_COPY, tag_dates

from catalog import facts
from catalog.changes import Change, change_between

Dated = tuple[Release, str]  # with its day, ISO 8601
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Edition:
    """A release, or the working copy of a dataset that has none.

    ``size`` is that of the data in bytes, without the manifest. ``date`` is ISO 8601, empty for a working copy.
    """

    version: str
    metadata: dict[str, Any]
    size: int = 0
    release: Release | None = None
    date: str = ""
    change: Change | None = None


@dataclasses.dataclass(frozen=True)
class Entry:
    """A dataset: what its params.yaml says of it, and its editions, the last first; none where it was never built.

    ``parent`` is the tag of the release that it is made from, if any. ``left_out`` says what cannot be shown, and why;
    ``errors`` are the reasons.
    """

    dataset: Dataset
    said: dict[str, Any]
    editions: tuple[Edition, ...]
    parent: str = ""
    left_out: tuple[str, ...] = ()
    errors: tuple[StageError, ...] = ()

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def current(self) -> Edition:
        """The edition that people want: the last, or one that holds nothing."""
        return self.editions[0] if self.editions else Edition("", {"dataset": self.said})

    @property
    def metadata(self) -> dict[str, Any]:
        return self.current.metadata


def read_releases(git: Git) -> dict[str, list[Dated]]:
    """Return the releases of each dataset, in order."""
    dates = tag_dates(git)
    return {
        name: [(Release(git, name, version), dates[tag_of(name, version)]) for version in versions]
        for name, versions in released(git).items()
    }


def read_entry(dataset: Dataset, releases: Sequence[Dated], remote: str) -> Entry:
    """Read a dataset, and compare each of its releases with the one before."""
    known: list[tuple[str, Release | None, str]] = [(str(each.version), each, date) for each, date in releases]
    if not known and (dataset.folder / "metadata.json").is_file():
        known = [(WORKING_COPY, None, "")]
    editions: list[Edition] = []
    left_out: list[str] = []
    errors: list[StageError] = []
    said: dict[str, Any] = {}
    parent = ""

    def leave_out(what: str, error: StageError) -> None:
        log.warning("%s %s is left out: %s", dataset.name, what, error)
        left_out.append(f"{what} is left out: {error}")
        errors.append(error)

    try:
        said, parent = dataset.params().get("dataset") or {}, dataset.parent
    except StageError as error:
        leave_out("params.yaml", error)
    before: Release | None = None
    for version, release, date in known:
        try:
            metadata = _metadata(dataset, release)
            size = _size(dataset, release)
        except StageError as error:
            leave_out(version, error)
            continue
        change = change_between(before, release, remote) if before and release else None
        editions.append(Edition(version, metadata, size, release, date, change))
        before = release
    return Entry(dataset, said, tuple(reversed(editions)), parent, tuple(left_out), tuple(errors))


def _size(dataset: Dataset, release: Release | None) -> int:
    if release:
        return sum(output.size for output in chosen_outputs(release) if output.path != MANIFEST)
    built = {out.path: out.size for outputs in dataset.locked().values() for out in outputs}
    data = {path: size for path, size in built.items() if path not in {MANIFEST, "metadata.json"}}
    made = {path: size for path, size in data.items() if path.partition("/")[0] != RAW}
    return sum((made or data).values())


def _metadata(dataset: Dataset, release: Release | None) -> dict[str, Any]:
    found = release.metadata if release else dataset.metadata()
    facts.check(found, f"metadata.json of {release.tag}" if release else f"data/{dataset.name}/metadata.json")
    return found

"""The datasets of the catalogue: their editions, and what changed from one to the next."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.releases.versions import released, tag_dates, tag_of
from data_registry.stage.errors import StageError
from data_registry.store.get import RAW, chosen_outputs
from data_registry.store.manifests import NAME as MANIFEST
from registry.datasets import Dataset
from registry.lineage.show import WORKING_COPY

from catalog import facts
from catalog.changes import Change, change_between

DatedRelease = tuple[Release, str]  # with its date, ISO 8601
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Edition:
    """A release, or the working copy of a dataset without releases.

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
    """A dataset: its description in params.yaml, and its editions, the latest first; none if it was never built.

    ``parent`` is the tag of the release that it is made from, if any. ``left_out`` says what cannot be shown and why;
    ``errors`` are the reasons.
    """

    dataset: Dataset
    description: dict[str, Any]
    editions: tuple[Edition, ...]
    parent: str = ""
    left_out: tuple[str, ...] = ()
    errors: tuple[StageError, ...] = ()

    @property
    def name(self) -> str:
        return self.dataset.name

    @property
    def current(self) -> Edition:
        """The latest edition, or an empty one."""
        return self.editions[0] if self.editions else Edition("", {"dataset": self.description})

    @property
    def metadata(self) -> dict[str, Any]:
        return self.current.metadata


def read_releases(git: Git) -> dict[str, list[DatedRelease]]:
    """Return the releases of each dataset, in order."""
    dates = tag_dates(git)
    return {
        name: [(Release(git, name, version), dates[tag_of(name, version)]) for version in versions]
        for name, versions in released(git).items()
    }


def read_entry(dataset: Dataset, releases: Sequence[DatedRelease], remote: str) -> Entry:
    """Read a dataset, and compare each of its releases with the one before."""
    candidates: list[tuple[str, Release | None, str]] = [
        (str(release.version), release, date) for release, date in releases
    ]
    if not candidates and (dataset.folder / "metadata.json").is_file():
        candidates = [(WORKING_COPY, None, "")]
    editions: list[Edition] = []
    left_out: list[str] = []
    errors: list[StageError] = []
    description: dict[str, Any] = {}
    parent = ""

    def leave_out(item: str, error: StageError) -> None:
        log.warning("%s %s is left out: %s", dataset.name, item, error)
        left_out.append(f"{item} is left out: {error}")
        errors.append(error)

    try:
        description, parent = dataset.params().get("dataset") or {}, dataset.parent
    except StageError as error:
        leave_out("params.yaml", error)
    before: Release | None = None
    for version, release, date in candidates:
        try:
            metadata = _metadata(dataset, release)
            size = _size(dataset, release)
        except StageError as error:
            leave_out(version, error)
            continue
        change = change_between(before, release, remote) if before and release else None
        editions.append(Edition(version, metadata, size, release, date, change))
        before = release
    return Entry(dataset, description, tuple(reversed(editions)), parent, tuple(left_out), tuple(errors))


def _size(dataset: Dataset, release: Release | None) -> int:
    if release:
        return sum(output.size for output in chosen_outputs(release) if output.path != MANIFEST)
    sizes = {output.path: output.size for outputs in dataset.locked().values() for output in outputs}
    data = {path: size for path, size in sizes.items() if path not in {MANIFEST, "metadata.json"}}
    processed = {path: size for path, size in data.items() if path.partition("/")[0] != RAW}
    return sum((processed or data).values())


def _metadata(dataset: Dataset, release: Release | None) -> dict[str, Any]:
    metadata = release.metadata if release else dataset.metadata()
    facts.check(metadata, f"metadata.json of {release.tag}" if release else f"data/{dataset.name}/metadata.json")
    return metadata

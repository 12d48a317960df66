"""What the catalogue shows of each dataset: its editions, and what changed from each to the next."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import yaml
from stage.errors import CorruptFile, StageError

from registry.catalog import facts
from registry.catalog.changes import Change, change_between
from registry.datasets import Dataset
from registry.git import Git
from registry.lineage.show import WORKING_COPY, tag_dates
from registry.releasing.releases import Release
from registry.releasing.versions import released, tag_of
from registry.storage.get import RAW, chosen_outputs
from registry.storage.manifests import NAME as MANIFEST

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

    ``left_out`` says of editions that cannot be shown why, and ``errors`` are those of them.
    """

    dataset: Dataset
    said: dict[str, Any]
    editions: tuple[Edition, ...]
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
    editions, left_out, errors = [], [], []
    before: Release | None = None
    for version, release, date in known:
        try:
            metadata = _metadata(dataset, release)
            size = _size(dataset, release)
        except StageError as error:
            log.warning("%s %s is left out: %s", dataset.name, version, error)
            left_out.append(f"{version} is left out: {error}")
            errors.append(error)
            continue
        change = change_between(before, release, remote) if before and release else None
        editions.append(Edition(version, metadata, size, release, date, change))
        before = release
    return Entry(dataset, {} if editions else _said(dataset), tuple(reversed(editions)), tuple(left_out), tuple(errors))


def _said(dataset: Dataset) -> dict[str, Any]:
    path = dataset.folder / "params.yaml"
    params = yaml.safe_load(path.read_text(encoding="utf-8")) if path.is_file() else None
    return (params or {}).get("dataset") or {}


def _size(dataset: Dataset, release: Release | None) -> int:
    if release:
        return sum(output.size for output in chosen_outputs(release) if output.path != MANIFEST)
    lock = dataset.folder / "dvc.lock"
    stages = yaml.safe_load(lock.read_text(encoding="utf-8"))["stages"] if lock.is_file() else {}
    built = {out["path"]: out["size"] for stage in stages.values() for out in stage["outs"]}
    data = {path: size for path, size in built.items() if path not in {MANIFEST, "metadata.json"}}
    made = {path: size for path, size in data.items() if path.partition("/")[0] != RAW}
    return sum((made or data).values())


def _metadata(dataset: Dataset, release: Release | None) -> dict[str, Any]:
    where = f"metadata.json of {release.tag}" if release else f"data/{dataset.name}/metadata.json"
    try:
        found = release.metadata if release else dataset.metadata()
    except ValueError as error:
        raise CorruptFile(where, f"is no JSON: {error}", "build and release it again") from error
    facts.check(found, where)
    return found

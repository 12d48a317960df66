"""What the catalogue shows of each dataset: its editions, and what changed from each to the next."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

import yaml
from stage.errors import CorruptFile, StageError

from registry.catalog import facts
from registry.catalog.contents import Contents, Place, contents_of
from registry.datasets import Dataset
from registry.git import Git
from registry.lineage.diff import compare
from registry.lineage.diff_report import KINDS, first, place
from registry.lineage.drift import Change as ValueChange
from registry.lineage.show import WORKING_COPY, tag_dates
from registry.releasing.releases import Release
from registry.releasing.versions import released, tag_of
from registry.storage.get import RAW, chosen_outputs
from registry.storage.manifests import NAME as MANIFEST
from registry.storage.manifests import fetch_manifest

Dated = tuple[Release, str]  # with its day, ISO 8601
Value = tuple[str, str | None, str | None]  # a column, what was in it and what is, None where there is no sample
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sample, where it is, and which of its values differ."""

    id: str
    place: str
    values: tuple[Value, ...]


@dataclasses.dataclass(frozen=True)
class Kind:
    """Samples that were added, removed, changed or moved: how many, and the first of them."""

    number: int
    first: tuple[Sample, ...]


@dataclasses.dataclass(frozen=True)
class Change:
    """What an edition has changed since the one before: of a diff what a page shows, for its tables may be large.

    Where they could not be compared ``why_not`` says why, and there is nothing else.
    """

    since: str
    why_not: str = ""
    rows: tuple[int, int] = (0, 0)
    kinds: dict[str, Kind] = dataclasses.field(default_factory=dict)  # those that there are any of
    elsewhere: int = 0
    schema: tuple[ValueChange, ...] = ()
    drift: tuple[ValueChange, ...] = ()


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

    ``left_out`` says of editions that cannot be shown why.
    """

    dataset: Dataset
    said: dict[str, Any]
    editions: tuple[Edition, ...]
    left_out: tuple[str, ...] = ()

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
    editions, left_out = [], []
    before: Release | None = None
    for version, release, date in known:
        try:
            metadata = _metadata(dataset, release)
            size = _size(dataset, release)
        except StageError as error:
            log.warning("%s %s is left out: %s", dataset.name, version, error)
            left_out.append(f"{version} is left out: {error}")
            continue
        change = _change(before, release, remote) if before and release else None
        editions.append(Edition(version, metadata, size, release, date, change))
        before = release
    return Entry(dataset, {} if editions else _said(dataset), tuple(reversed(editions)), tuple(left_out))


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


def _change(before: Release, after: Release, remote: str) -> Change:
    since = str(before.version)
    try:
        manifests = fetch_manifest(before, remote), fetch_manifest(after, remote)
        diff = compare(*manifests, before.metadata, after.metadata)
    except StageError as error:
        log.warning("%s: not compared with %s: %s", after.tag, since, error)
        return Change(since, str(error))
    found = [(kind, each, *_sides(each, kind)) for kind in KINDS for each in first(getattr(diff, kind))]
    try:
        was = contents_of(before, manifests[0], [there for *_, there, _ in found if there], remote)
        is_now = contents_of(after, manifests[1], [here for *_, here in found if here], remote)
    except StageError as error:
        log.warning("%s: the values that changed since %s are left out: %s", after.tag, since, error)
        was, is_now = {}, {}
    kinds = {
        kind: Kind(
            len(samples),
            tuple(
                Sample(each["sample_id"], place(each, kind), _values(was, there, is_now, here))
                for of, each, there, here in found
                if of == kind
            ),
        )
        for kind in KINDS
        if len(samples := getattr(diff, kind))
    }
    return Change(since, "", diff.rows, kinds, diff.elsewhere, diff.schema, diff.drift)


def _sides(each: dict[str, Any], kind: str) -> tuple[Place | None, Place | None]:
    """Return where a sample was, and where it is."""
    here = each["file"], each["row"]
    if kind in {"added", "removed"}:
        return (None, here) if kind == "added" else (here, None)
    return (each["file_before"], each["row_before"]), here


def _values(was: Contents, there: Place | None, is_now: Contents, here: Place | None) -> tuple[Value, ...]:
    """Return what differs in a sample, or all of one that was not there or is no more; nothing if it is not known."""
    if (there and there not in was) or (here and here not in is_now):
        return ()
    before, after = was[there] if there else {}, is_now[here] if here else {}
    values = [(name, before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])]
    return tuple(each for each in values if each[1] != each[2])

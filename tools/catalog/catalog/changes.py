"""What an edition has changed since the one before: how many samples, and of some of them, which values."""

import dataclasses
import logging
from collections.abc import Sequence
from typing import Any

from data_registry.releases.release import Release
from data_registry.samples import read_manifest
from data_registry.stage.errors import StageError
from data_registry.store.manifests import fetch_manifest
from registry.compare.diff import compare
from registry.compare.diff_report import KINDS, first, place
from registry.compare.drift import Change as ValueChange

from catalog.contents import Contents, Place, contents_of

Value = tuple[str, str | None, str | None]  # a column, what was in it and what is; None where there is no sample
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sample, where it is, and its values; where it was changed, those that differ, and its key."""

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
    """Of a diff what a page shows, for its tables may be large.

    Where they could not be compared ``why_not`` says why, and there is nothing else.
    """

    since: str
    why_not: str = ""
    rows: tuple[int, int] = (0, 0)
    kinds: dict[str, Kind] = dataclasses.field(default_factory=dict)  # those that there are any of
    elsewhere: int = 0
    schema: tuple[ValueChange, ...] = ()
    drift: tuple[ValueChange, ...] = ()


def change_between(before: Release, after: Release, remote: str) -> Change:
    """Compare two releases, and look into their files for what the first samples of each kind were and are."""
    since = str(before.version)
    try:
        manifests = fetch_manifest(before, remote), fetch_manifest(after, remote)
        diff = compare(*manifests, before.metadata, after.metadata)
    except StageError as error:
        log.warning("%s: not compared with %s: %s", after.tag, since, error)
        return Change(since, str(error))
    found = [(kind, each, *_sides(each, kind)) for kind in KINDS for each in first(getattr(diff, kind))]
    try:
        key = read_manifest(manifests[1]).key
        was = contents_of(before, manifests[0], [there for *_, there, _ in found if there], remote)
        is_now = contents_of(after, manifests[1], [here for *_, here in found if here], remote)
    except StageError as error:
        log.warning("%s: the values that changed since %s are left out: %s", after.tag, since, error)
        key, was, is_now = [], {}, {}
    kinds = {
        kind: Kind(
            len(samples),
            tuple(
                Sample(each["sample_id"], place(each, kind), _values(was, there, is_now, here, key))
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


def _values(
    was: Contents, there: Place | None, is_now: Contents, here: Place | None, key: Sequence[str]
) -> tuple[Value, ...]:
    """Return what differs in a sample, and the key that it is known by; nothing where that is not known."""
    if (there and there not in was) or (here and here not in is_now):
        return ()
    before, after = was[there] if there else {}, is_now[here] if here else {}
    values = [(name, before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])]
    return tuple(each for each in values if each[1] != each[2] or each[0] in key)

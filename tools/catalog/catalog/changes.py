"""What an edition changed since the previous one: how many samples, and the values of some of them."""

import dataclasses
import logging
from collections.abc import Sequence

from data_registry.releases.release import Release
from data_registry.samples import read_manifest
from data_registry.stage.errors import StageError
from data_registry.store.manifests import fetch_manifest
from registry.compare.diff import KINDS, first, place
from registry.compare.drift import Change as ValueChange
from registry.compare.matching import compare
from registry.compare.values import Location, locations

from catalog.sample_values import Values, values_of_release

Difference = tuple[str, str | None, str | None]  # column, value before and after; None if there is no such sample
log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Sample:
    """A sample, where it is, and its values; of a changed one, its key and those that differ."""

    id: str
    place: str
    values: tuple[Difference, ...]


@dataclasses.dataclass(frozen=True)
class Kind:
    """Samples that were added, removed, changed or moved: their number and the first of them."""

    number: int
    first: tuple[Sample, ...]


@dataclasses.dataclass(frozen=True)
class Change:
    """What a page shows of a difference; only ``error`` is set if the releases could not be compared."""

    since: str
    error: str = ""
    rows: tuple[int, int] = (0, 0)
    kinds: dict[str, Kind] = dataclasses.field(default_factory=dict)  # without empty ones
    elsewhere: int = 0
    schema: tuple[ValueChange, ...] = ()
    drift: tuple[ValueChange, ...] = ()


def change_between(before: Release, after: Release, remote: str) -> Change:
    """Compare two releases, and read the values of the first samples of each kind."""
    since = str(before.version)
    try:
        manifests = fetch_manifest(before, remote), fetch_manifest(after, remote)
        diff = compare(*manifests, before.metadata, after.metadata)
    except StageError as error:
        log.warning("%s: not compared with %s: %s", after.tag, since, error)
        return Change(since, str(error))
    samples = [(kind, row, *locations(row, kind)) for kind in KINDS for row in first(getattr(diff, kind))]
    try:
        key = read_manifest(manifests[1]).key
        old_values = values_of_release(before, manifests[0], [old for *_, old, _ in samples if old], remote)
        new_values = values_of_release(after, manifests[1], [new for *_, new in samples if new], remote)
    except StageError as error:
        log.warning("%s: values of samples changed since %s are left out: %s", after.tag, since, error)
        key, old_values, new_values = [], {}, {}
    kinds = {
        kind: Kind(
            len(getattr(diff, kind)),
            tuple(
                Sample(row["sample_id"], place(row, kind), _differences(old_values, old, new_values, new, key))
                for kind_of_row, row, old, new in samples
                if kind_of_row == kind
            ),
        )
        for kind in KINDS
        if len(getattr(diff, kind))
    }
    return Change(since, "", diff.rows, kinds, diff.elsewhere, diff.schema, diff.drift)


def _differences(
    old_values: dict[Location, Values],
    old: Location | None,
    new_values: dict[Location, Values],
    new: Location | None,
    key: Sequence[str],
) -> tuple[Difference, ...]:
    """Return the values of a sample that differ, and its key; nothing if those of one side are not known."""
    if (old and old not in old_values) or (new and new not in new_values):
        return ()
    before, after = old_values[old] if old else {}, new_values[new] if new else {}
    values = [(name, before.get(name), after.get(name)) for name in dict.fromkeys([*before, *after])]
    return tuple(value for value in values if value[1] != value[2] or value[0] in key)

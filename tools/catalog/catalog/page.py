"""All that a dataset's page shows, put together from git, the data and MLflow; what cannot be had is said instead."""

import dataclasses
import itertools
import logging
import threading
from collections.abc import Container, Iterable, Sequence
from functools import cached_property
from typing import Any

from data_registry.releases.release import CROISSANT, README
from data_registry.stage.errors import StageError
from data_registry.stage.foreign import read_json
from markupsafe import Markup
from registry.batches import WRONG

from catalog import facts
from catalog.charts import Chart, bars, histogram
from catalog.copies import Copy, copies_of
from catalog.entries import Entry
from catalog.models import Use, Uses
from catalog.profile import Data, Profile, data_of_release, data_of_working_copy, profile
from catalog.profile.histograms import Histogram
from catalog.readme import as_html, front_matter
from catalog.use import Snippet, Source, snippets

log = logging.getLogger(__name__)
# What one profile holds in memory is bounded, and its filters of warnings are everybody's: one at a time.
_ALONE = threading.Lock()

MEASURES = {"by_source": "right source", "by_concepts": "right concepts"}
UNITS = {"images": "images", "conversations": "images", "documents": "documents", "vectors": "chunks"}
UNITS |= {"texts": "texts", "table": "rows", "rows": "rows"}


@dataclasses.dataclass(frozen=True)
class Page:
    """A dataset's page; ``notes`` say what could not be shown, and why."""

    entry: Entry
    form: str
    card: dict[str, Any]  # what its README says to programs
    readme: Markup
    croissant: bytes  # JSON; empty where there is none
    charts: tuple[Chart, ...]
    retrieval: tuple[Chart, ...]
    problem_chart: Chart | None
    profile: Profile
    copies: dict[str, list[Copy]]  # by the id of a sample that is a problem
    snippets: tuple[Snippet, ...]
    uses: dict[str, list[tuple[str, Use]]]  # by model; each with the version that it used
    uses_unknown: str
    notes: tuple[str, ...]
    errors: tuple[StageError, ...] = ()  # what of its data, card and croissant.json is damaged

    @cached_property
    def about(self) -> dict[str, str]:
        """What it is, in texts that may be empty but for the title."""
        found = facts.about(self.entry.metadata)
        return {**found, "title": found["title"] or self.entry.name}

    @property
    def tasks(self) -> tuple[str, ...]:
        said = self.card.get("task_categories") or []
        return tuple(str(each).replace("-", " ") for each in (said if isinstance(said, list) else [said]))

    @property
    def unit(self) -> str:
        return UNITS.get(self.form, "samples")

    @cached_property
    def origin(self) -> facts.Origin:
        return facts.origin(self.entry.metadata)

    @property
    def warnings(self) -> list[str]:
        return facts.warnings(self.entry.metadata)

    @cached_property
    def splits(self) -> dict[str, int]:
        return facts.splits(self.entry.metadata)

    @property
    def total(self) -> int:
        return sum(self.splits.values())

    @property
    def figures(self) -> dict[str, facts.Table]:
        """Figures of columns and of splits, by what their rows are."""
        found = {
            "column": facts.column_figures(self.entry.metadata),
            "measure": facts.split_figures(self.entry.metadata),
        }
        return {name: table for name, table in found.items() if table}


def make_page(entry: Entry, remote: str, repository: str, pages: Container[str], uses: Uses) -> Page:
    """Put the page of a dataset together; ``repository`` is the git URL that consumers use."""
    data, seen, notes = None, Profile(), [*entry.left_out]
    errors: list[StageError] = []
    copies: dict[str, list[Copy]] = {}
    try:
        data = _data(entry, remote)
        if data:
            with _ALONE:
                seen = profile(data.manifest, data.splits, data.paths, entry.metadata)
            copies = copies_of(data, entry.metadata, [each.ids for each in facts.problems(entry.metadata)])
        elif entry.editions:
            notes.append(f"The data is not here, so its plots and samples are left out: make dataset DS={entry.name}.")
    except StageError as error:
        log.warning("%s: plots and samples are left out: %s", entry.name, error)
        notes.append(f"The data could not be read, so its plots and samples are left out: {error}")
        if error.code in WRONG:  # and not one that is only out of reach
            errors.append(error)
    text, croissant, card = _readme(entry), b"", {}
    try:
        card = front_matter(text, f"{entry.name} {README}")
    except StageError as error:
        errors.append(error)
        notes.append(_left_out(entry, error))
    try:
        croissant = _croissant(entry)
    except StageError as error:
        errors.append(error)
        notes.append(_left_out(entry, error))
    source = _source(entry, data, repository)
    return Page(
        entry,
        source.form if source.splits else "",
        card,
        as_html(text, f"data/{entry.name}", pages, repository),
        croissant,
        tuple(_charts(entry, seen, list(data.splits) if data else [])),
        tuple(_retrieval(entry)),
        _problems(entry),
        seen,
        copies,
        tuple(snippets(source)) if source.splits else (),
        _by_model(entry, uses),
        uses.unknown,
        tuple(notes),
        tuple(errors),
    )


def _left_out(entry: Entry, error: StageError) -> str:
    log.warning("%s: %s is left out: %s", entry.name, error.where, error.what)
    return f"{error.where} is left out: {error.what}"


def _by_model(entry: Entry, uses: Uses) -> dict[str, list[tuple[str, Use]]]:
    found: dict[str, list[tuple[str, Use]]] = {}
    for edition in entry.editions:
        for use in uses.by_tag.get(edition.release.tag, ()) if edition.release else ():
            found.setdefault(f"{use.model}/{use.version}", []).append((edition.version, use))
    return found


def _data(entry: Entry, remote: str) -> Data | None:
    release = entry.current.release
    return data_of_release(release, remote) if release else data_of_working_copy(entry.dataset)


def _readme(entry: Entry) -> str:
    if release := entry.current.release:
        return (release.find(README) or b"").decode(errors="replace")
    path = entry.dataset.folder / README
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


def _croissant(entry: Entry) -> bytes:
    release = entry.current.release
    content = (release.find(CROISSANT) if release else None) or b""
    if release and content:
        read_json(content, f"{release.tag} {CROISSANT}", dict)
    return content


def _source(entry: Entry, data: Data | None, repository: str) -> Source:
    splits = {name: tuple(files) for name, files in data.splits.items()} if data else facts.files(entry.metadata)
    splits = {name: files for name, files in splits.items() if files}
    is_released = entry.current.release is not None
    return Source(entry.name, entry.current.version, repository, splits, entry.metadata, is_released)


def _charts(entry: Entry, seen: Profile, splits: Sequence[str]) -> Iterable[Chart]:
    """Yield the charts of columns; those of splits have them all, in one order, so that colours mean the same."""
    shown = set()
    for column, counts in facts.distributions(entry.metadata).items():
        shown.add(column)
        yield bars(column, "values", counts, as_shares=len(counts) > 1)
    series = splits if len(splits) > 1 else [""]
    for name, found in itertools.groupby(seen.histograms, lambda each: each.name):
        if name not in shown:
            edges, of_split = _counts(found)
            nothing = (0,) * (len(edges) - 1)
            yield histogram(name, edges, {each: of_split.get(each, nothing) for each in series})


def _counts(histograms: Iterable[Histogram]) -> tuple[tuple[float, ...], dict[str, tuple[int, ...]]]:
    found = list(histograms)
    return found[0].edges, {each.split: each.counts for each in found}


def _problems(entry: Entry) -> Chart | None:
    found = {each.what: each.samples for each in facts.problems(entry.metadata)}
    return bars("samples to look at", "kinds", {"": found}, as_shares=False) if found else None


def _retrieval(entry: Entry) -> Iterable[Chart]:
    measured = facts.retrieval(entry.metadata)
    for kind, ways in measured.found.items() if measured else ():
        yield bars(f"{MEASURES[kind]} found", "measures", ways, as_shares=False)

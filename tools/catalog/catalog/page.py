"""The content of a dataset's page, from git, the data and MLflow; what cannot be read is replaced by a note."""

import dataclasses
import itertools
import logging
import threading
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from data_registry.releases.release import CROISSANT, README
from data_registry.stage.errors import StageError
from data_registry.stage.foreign import read_json
from markupsafe import Markup
from registry.batches import WRONG

from catalog import facts
from catalog.charts import Chart, bars, histogram
from catalog.entries import Entry
from catalog.models import Use, Uses
from catalog.profile import Data, Profile, data_of_release, data_of_working_copy, profile
from catalog.readme import as_html, front_matter
from catalog.sample_values import Copy, copies_of
from catalog.use import Snippet, Source, snippets

log = logging.getLogger(__name__)
# One profile at a time: its memory is bounded, and the warning filters that it sets are those of the process.
_PROFILE_LOCK = threading.Lock()

PROBLEMS_LISTED = 5  # more are drawn too
MEASURES = {"by_source": "right source", "by_concepts": "right concepts"}
UNITS = {"images": "images", "conversations": "images", "documents": "documents", "vectors": "chunks"}
UNITS |= {"audio": "sounds", "texts": "texts", "table": "rows", "rows": "rows"}


@dataclasses.dataclass(frozen=True)
class Page:
    """The content of a dataset's page; ``notes`` say what could not be shown and why."""

    entry: Entry
    form: str
    card: dict[str, Any]  # front matter of its README
    readme: Markup
    croissant: bytes  # JSON; empty if there is none
    charts: tuple[Chart, ...]
    retrieval: tuple[Chart, ...]
    problem_chart: Chart | None
    profile: Profile
    copies: dict[str, list[Copy]]  # by the id of a sample that failed a check
    snippets: tuple[Snippet, ...]
    uses: dict[str, list[tuple[str, Use]]]  # by model, each with the version that it used
    uses_unknown: str
    notes: tuple[str, ...]
    errors: tuple[StageError, ...] = ()  # damage of its data, card or croissant.json

    @cached_property
    def about(self) -> dict[str, str]:
        """Title, description, source, licence and citation; all but the title may be empty."""
        fields = facts.about(self.entry.metadata)
        return {**fields, "title": fields["title"] or self.entry.name}

    @property
    def tasks(self) -> tuple[str, ...]:
        tasks = self.card.get("task_categories") or []
        return tuple(str(task).replace("-", " ") for task in (tasks if isinstance(tasks, list) else [tasks]))

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
        tables = {
            "column": facts.column_figures(self.entry.metadata),
            "measure": facts.split_figures(self.entry.metadata),
            "range": facts.ranges(self.entry.metadata),
        }
        return {name: table for name, table in tables.items() if table}


def make_page(entry: Entry, remote: str, repository: str, pages: Container[str], uses: Uses) -> Page:
    """Return the page of a dataset; ``repository`` is the git URL that consumers use."""
    data, content, notes = None, Profile(), [*entry.left_out]
    errors: list[StageError] = []
    copies: dict[str, list[Copy]] = {}
    try:
        data = _data(entry, remote)
        if data:
            with _PROFILE_LOCK:
                content = profile(data.manifest, data.splits, data.paths, entry.metadata)
            ids = [problem.ids for problem in facts.problems(entry.metadata)]
            copies = copies_of(data, entry.metadata, ids)
        elif entry.editions:
            notes.append(f"Samples and charts are not shown: the data is not built here. make dataset DS={entry.name}")
    except StageError as error:
        log.warning("%s: samples and charts are left out: %s", entry.name, error)
        notes.append(f"Samples and charts are not shown: the data could not be read. {error}")
        if error.code in WRONG:  # not one that is only out of reach
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
        tuple(_charts(entry, content, list(data.splits) if data else [])),
        tuple(_retrieval(entry)),
        _problem_chart(entry),
        content,
        copies,
        tuple(snippets(source)) if source.splits else (),
        _uses_by_model(entry, uses),
        uses.unknown,
        tuple(notes),
        tuple(errors),
    )


def _left_out(entry: Entry, error: StageError) -> str:
    log.warning("%s: %s is left out: %s", entry.name, error.where, error.what)
    return f"{error.where} is left out: {error.what}"


def _uses_by_model(entry: Entry, uses: Uses) -> dict[str, list[tuple[str, Use]]]:
    by_model: dict[str, list[tuple[str, Use]]] = {}
    for edition in entry.editions:
        for use in uses.by_tag.get(edition.release.tag, ()) if edition.release else ():
            by_model.setdefault(f"{use.model}/{use.version}", []).append((edition.version, use))
    return by_model


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


def _charts(entry: Entry, content: Profile, splits: Sequence[str]) -> Iterator[Chart]:
    """Yield the charts of columns; all have all splits in the same order, so that colours mean the same."""
    distributions = facts.distributions(entry.metadata)
    for column, counts in distributions.items():
        if any(counts.values()):  # none if all values are null
            yield bars(column, "values", counts, as_shares=len(counts) > 1)
    series = splits if len(splits) > 1 else [""]
    for name, group in itertools.groupby(content.histograms, lambda histogram: histogram.name):
        if name not in distributions:
            by_split = {of_split.split: of_split for of_split in group}
            edges = next(iter(by_split.values())).edges
            empty = (0,) * (len(edges) - 1)
            counts_by_split = {split: by_split[split].counts if split in by_split else empty for split in series}
            yield histogram(name, edges, counts_by_split)


def _problem_chart(entry: Entry) -> Chart | None:
    samples = {problem.title: problem.samples for problem in facts.problems(entry.metadata)}
    if len(samples) <= PROBLEMS_LISTED:
        return None
    return bars("samples by failed check", "checks", {"": samples}, as_shares=False)


def _retrieval(entry: Entry) -> Iterable[Chart]:
    evaluation = facts.retrieval(entry.metadata)
    for kind, methods in evaluation.scores.items() if evaluation else ():
        yield bars(MEASURES[kind], "measures", methods, as_shares=False)

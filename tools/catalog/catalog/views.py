"""The HTML of the pages, and the texts by which the index is searched."""

import dataclasses
import json
from collections.abc import Container

from catalog import facts
from catalog.page import Page
from catalog.rendering import HTML

THUMBNAILS = 6  # of a dataset in the index
ROWS = 10  # of a table at a time
FILTERS = {"kind": "Kind", "task": "Task", "licence": "Licence", "state": "State"}


@dataclasses.dataclass(frozen=True)
class Card:
    """A dataset in the index, with the paths of its pictures."""

    page: Page
    pictures: list[str]

    @property
    def thumbnails(self) -> list[str]:
        """A few pictures, spread over all."""
        return self.pictures[:: max(1, len(self.pictures) // THUMBNAILS)][:THUMBNAILS]

    @property
    def search_text(self) -> str:
        """Everything that a search can match, in lower case."""
        page, metadata = self.page, self.page.entry.metadata
        texts = [page.entry.name, *page.about.values(), page.form, *page.tasks]
        for column in facts.columns(metadata):
            texts += [column.name, column.description, *column.classes]
        texts += [edition.version for edition in page.entry.editions]
        texts += [*page.warnings, *(problem.title for problem in facts.problems(metadata))]
        return " ".join(texts).lower()

    @property
    def filters(self) -> dict[str, list[str]]:
        """The values by which it is filtered."""
        current = self.page.entry.current
        unbuilt = "unreadable" if self.page.entry.left_out else "not built"
        state = ["released" if current.release else "not released" if self.page.entry.editions else unbuilt]
        if self.page.warnings:
            state.append("with warnings")
        if self.page.origin.is_sample:
            state.append("synthetic")
        kind = "table" if self.page.form == "rows" else self.page.form
        values = {"kind": [kind], "task": self.page.tasks, "licence": [self.page.about["licence"]], "state": state}
        return {name: [" ".join(text.split()) for text in texts if text] for name, texts in values.items()}


@dataclasses.dataclass(frozen=True)
class Built:
    """What the site was built from: the commit and its time; releases known and read; what is incomplete, and why."""

    commit: str
    time: str
    releases: int
    read: int
    incomplete: list[str]


def index_html(cards: list[Card], removed: dict[str, list[str]], built: Built) -> str:
    """Return the index; ``removed`` has the released versions of datasets that are no longer in data/."""
    values = {name: sorted({value for card in cards for value in card.filters[name]}) for name in FILTERS}
    filters = {name: (title, values[name]) for name, title in FILTERS.items() if len(values[name]) > 1}
    return HTML.get_template("index.html").render(cards=cards, filters=filters, removed=removed, built=built, up="")


def dataset_html(page: Page, pictures: list[str], sounds: list[str], pages: Container[str]) -> str:
    """Return the page of a dataset, with links to the other ``pages``; the paths of sounds may be empty."""
    # Images and sounds are shown by class, which says more than their shapes or names in a table.
    is_shown = page.form in {"images", "audio"} and bool(pictures or sounds)
    tables = [] if is_shown and len(facts.columns(page.entry.metadata)) <= 2 else page.profile.tables
    is_built = bool(page.entry.editions)
    sections = {
        "samples": ("Samples", is_built and (tables or pictures or sounds)),
        "use": ("Use this dataset", True),
        "schema": ("Columns", is_built),
        "checks": ("Checks", is_built),
        "plots": ("Distributions", is_built),
        "retrieval": ("Retrieval quality", page.retrieval),
        "lineage": ("Lineage", is_built),
        "versions": ("Versions", is_built),
        "about": ("About", page.readme),
    }
    return HTML.get_template("dataset.html").render(
        page=page,
        sections={id: title for id, (title, is_there) in sections.items() if is_there},
        tables=[(table, [None if row is None else pictures[row] for row in table.pictures]) for table in tables],
        rows_per_page=ROWS,
        pictures=list(zip(pictures, page.profile.pictures, strict=True)) if page.form != "conversations" else [],
        sounds=list(zip(sounds, page.profile.sounds, strict=True)),
        croissant=json.loads(page.croissant) if page.croissant else None,
        pages=pages,
        parent=page.entry.parent.rpartition("-v")[0],
        facts=facts,
        up="../",
    )

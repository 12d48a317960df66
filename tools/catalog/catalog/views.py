"""Pages as HTML: what each is given, and the words by which the index finds it."""

import dataclasses
import json
from collections.abc import Container

from catalog import facts
from catalog.page import Page
from catalog.rendering import HTML

FACES = 6  # pictures of a dataset in the index
FILTERS = {"kind": "Kind", "task": "Made for", "licence": "Licence", "state": "State"}


@dataclasses.dataclass(frozen=True)
class Card:
    """A dataset in the index, with the paths of its pictures."""

    page: Page
    pictures: list[str]

    @property
    def faces(self) -> list[str]:
        """Some pictures, from all over."""
        return self.pictures[:: max(1, len(self.pictures) // FACES)][:FACES]

    @property
    def words(self) -> str:
        """All that a search may find it by, in small letters."""
        page, metadata = self.page, self.page.entry.metadata
        found = [page.entry.name, *page.about.values(), page.form, *page.tasks]
        for column in facts.columns(metadata):
            found += [column.name, column.description, *column.classes.values()]
        found += (
            [each.version for each in page.entry.editions]
            + page.warnings
            + [each.what for each in facts.problems(metadata)]
        )
        return " ".join(found).lower()

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
        found = {"kind": [kind], "task": self.page.tasks, "licence": [self.page.about["licence"]], "state": state}
        return {name: [" ".join(value.split()) for value in values if value] for name, values in found.items()}


def index(cards: list[Card], elsewhere: dict[str, list[str]], incomplete: list[str]) -> str:
    """Return the index; ``elsewhere`` has the versions of datasets that are released and no longer here.

    ``incomplete`` says what the clone that it was made in lacks.
    """
    values = {name: sorted({value for card in cards for value in card.filters[name]}) for name in FILTERS}
    filters = {name: (title, values[name]) for name, title in FILTERS.items() if len(values[name]) > 1}
    return HTML.get_template("index.html").render(
        cards=cards, filters=filters, elsewhere=elsewhere, incomplete=incomplete, up=""
    )


def dataset(page: Page, pictures: list[str], pages: Container[str]) -> str:
    """Return the page of a dataset; it leads to the other ``pages``."""
    metadata = page.entry.metadata
    measured = facts.retrieval(metadata)
    contents = {
        "checks": "Checks" if page.entry.editions else "",
        "schema": "Columns" if page.entry.editions else "",
        "plots": "Distributions" if page.entry.editions else "",
        "retrieval": "Retrieval" if page.retrieval else "",
        "samples": "Samples" if page.entry.editions and (page.profile.examples or pictures) else "",
        "lineage": "Lineage" if page.entry.editions else "",
        "versions": "Versions" if page.entry.editions else "",
        "use": "Use it",
        "about": "About" if page.readme else "",
    }
    return HTML.get_template("dataset.html").render(
        page=page,
        pictures=list(zip(pictures, page.profile.pictures, strict=True)),
        croissant=json.loads(page.croissant) if page.croissant else None,
        pages=pages,
        contents={id: name for id, name in contents.items() if name},
        parent=page.entry.parent.rpartition("-v")[0],
        prompt=facts.prompt(metadata),
        columns=facts.columns(metadata),
        checked=facts.checked(metadata),
        problems=facts.problems(metadata),
        questions=measured.questions if measured else 0,
        whole_figures=facts.whole_figures(metadata),
        up="../",
    )

"""The cards in git say what params.yaml and metadata.json say: no data is needed to know."""

import itertools
from collections.abc import Iterable

import pytest
import yaml
from data_registry.clone import repository
from registry.cards.card import card_of
from registry.cards.description import describe
from registry.datasets import Dataset, find_datasets

DATASETS = find_datasets(repository(), "all")


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda each: each.name)
def test_the_card_is_current(dataset: Dataset) -> None:
    """``make cards`` writes it."""
    assert (dataset.folder / "README.md").read_bytes() == card_of(dataset)


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda each: each.name)
def test_people_have_said_what_it_is_for_and_whose(dataset: Dataset) -> None:
    card = describe(dataset).card
    assert card.tasks and (card.authors or card.organisation)


@pytest.mark.parametrize("dataset", DATASETS, ids=lambda each: each.name)
def test_no_stage_reads_what_people_say(dataset: Dataset) -> None:
    """Else a better card would be another release of the data."""
    stages = yaml.safe_load(dataset.pipeline.read_text())["stages"]
    assert not [name for name, stage in stages.items() if "card" in sections(stage.get("params", ()))]


def sections(params: Iterable[str | dict[str, list[str]]]) -> set[str]:
    """Return the sections of what a stage reads, ``card`` for ``card.tags``, of whatever file."""
    keys = [key for each in params for key in ([each] if isinstance(each, str) else itertools.chain(*each.values()))]
    return {key.partition(".")[0] for key in keys}

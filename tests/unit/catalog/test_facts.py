"""What the catalogue takes from metadata.json, of every form that stats writes."""

from typing import Any

import pytest
from catalog import facts
from data_registry.stage.errors import CorruptFile

EMOTION: dict[str, Any] = {
    "schema": {
        "features": {
            "text": {"dtype": "string", "description": "the tweet"},
            "label": {"dtype": "string", "classes": ["joy", "anger"]},
        }
    },
    "splits": {
        "train": {"num_samples": 3, "label_distribution": {"joy": 2, "anger": 1}, "text_length": {"mean": 4}},
        "val": {"num_samples": 1, "label_distribution": {"joy": 1}},
    },
    "metrics": {"train": {"mean_length": 4.5, "max_length": 9}, "val": {"mean_length": 2.0}},
    "checks": {
        "duplicates": {"samples": 2},
        "conflicts": {"samples": 0},
        "split_leaks": {"train-val": {"samples": 1, "ids": ["ab", "cd"]}},
        "missing": {"text": 3, "label": 0},
    },
    "files": {"processed/val/val.parquet": {}, "processed/train/train.parquet": {}},
}
FASHION: dict[str, Any] = {
    "schema": {
        "features": {
            "image": {"dtype": "uint8", "shape": [28, 28]},
            "label": {"dtype": "uint8", "shape": [], "classes": {"0": "Bag", "1": "Coat"}},
        }
    },
    "splits": {"train": {"num_samples": 5, "class_distribution": {"1": 3, "0": 1, "7": 1, "other": 0}}},
}
WINE: dict[str, Any] = {
    "schema": {
        "features": {"alcohol": {"dtype": "float64"}},
        "target": {"name": "quality", "dtype": "int64", "description": "0 to 10"},
    },
    "summary": {"num_samples": 7, "wine_type_distribution": {"red": 3, "white": 4}},
    "statistics": {
        "features": {"alcohol": {"mean": 10.5, "std": 1.0}, "note": "none"},
        "target": {"mean": 5.5, "median": 6},
        "num_files": 2,
    },
    "files": {"processed/wine.csv": {}},
}


def test_samples_are_counted_by_split_or_as_a_whole() -> None:
    assert facts.splits(EMOTION) == {"train": 3, "val": 1}
    assert facts.splits(WINE) == {"": 7}
    assert facts.splits({}) == {}


def test_files_are_those_of_their_split() -> None:
    assert facts.files(EMOTION) == {"train": ("processed/train/train.parquet",), "val": ("processed/val/val.parquet",)}
    assert facts.files(WINE) == {"": ("processed/wine.csv",)}
    assert facts.files({}) == {"": ()}


def test_columns_have_their_classes_and_the_target_is_the_last() -> None:
    text, label = facts.columns(EMOTION)
    assert (text.name, text.type, text.description, text.labels) == ("text", "string", "the tweet", {})
    assert label.labels == {"joy": "joy", "anger": "anger"} and not label.is_target
    image, label = facts.columns(FASHION)
    assert (image.type, image.shape, label.shape) == ("uint8", (28, 28), ())
    assert label.labels == {"0": "Bag", "1": "Coat"} and label.classes == ("Bag", "Coat")
    assert [(each.name, each.is_target) for each in facts.columns(WINE)] == [("alcohol", False), ("quality", True)]
    assert facts.columns({}) == []


def test_values_are_counted_under_the_names_of_their_classes() -> None:
    assert facts.distributions(EMOTION) == {"label": {"train": {"joy": 2, "anger": 1}, "val": {"joy": 1}}}
    assert facts.distributions(FASHION) == {"label": {"train": {"Coat": 3, "Bag": 1, "7": 1, "other": 0}}}
    assert facts.distributions(WINE) == {"wine_type": {"": {"red": 3, "white": 4}}}
    assert facts.distributions({}) == {}


def test_labels_that_are_numbers_in_texts_are_their_own_names() -> None:
    classes = ["1", "2", "3"]
    features = {"text": {"dtype": "string"}, "stars": {"dtype": "string", "classes": classes}}
    counts = {"1": 10, "2": 20, "3": 30}
    metadata = {"schema": {"features": features}, "splits": {"a": {"num_samples": 60, "label_distribution": counts}}}
    assert facts.distributions(metadata) == {"stars": {"a": counts}}, "under the name of their column"


def test_figures_of_columns_leave_a_place_where_one_has_none_of_a_kind() -> None:
    found = facts.column_figures(WINE)
    assert found == facts.Table(("mean", "std", "median"), {"alcohol": (10.5, 1.0, None), "quality": (5.5, None, 6)})
    assert facts.column_figures(EMOTION) is None


def test_figures_of_splits_have_a_row_for_each_measure() -> None:
    assert facts.split_figures(EMOTION) == facts.Table(
        ("train", "val"), {"mean length": (4.5, 2.0), "max length": (9, None)}
    )
    assert facts.split_figures(WINE) is None


def test_ranges_of_times_and_decimals_are_texts_of_each_split() -> None:
    assert facts.ranges(WINE) is None
    day = {"min": "2024-01-01", "max": "2024-12-31", "median": None}
    took, price = {"min": "-PT0.500S", "max": "PT90061S"}, {"min": "-0.50", "max": "7.00"}
    found = facts.ranges({"summary": {"ranges": {"day": day, "took": took, "price": price}}})
    assert found and found.head == ("min", "max", "median")
    assert found.rows == {
        "day": ("2024-01-01", "2024-12-31", None),
        "took": ("-00:00:00.5", "1 day 01:01:01", None),
        "price": ("-0.50", "7.00", None),
    }
    splits = {"train": {"ranges": {"day": day, "took": took}}, "test": {"ranges": {"day": day}}}
    of_splits = facts.ranges({"splits": splits})
    assert of_splits and list(of_splits.rows) == ["day of train", "day of test", "took of train"]


def test_figures_of_the_whole_are_numbers_alone() -> None:
    assert facts.total_figures(WINE) == {"num files": 2}
    assert facts.total_figures(EMOTION) == {}


@pytest.mark.parametrize("metadata", [{}, {"checks": {}}, {"checks": {"duplicates": {"samples": 0}}}])
def test_what_is_well_is_no_problem(metadata: dict[str, Any]) -> None:
    assert facts.problems(metadata) == []


def test_problems_are_named_with_the_ids_that_are_known() -> None:
    assert facts.problems(EMOTION) == [
        facts.Problem("duplicates", "", 2),
        facts.Problem("split_leaks", "train-val", 1, ("ab", "cd")),
        facts.Problem("missing", "text", 3),
    ]
    assert [each.title for each in facts.problems(EMOTION)] == [
        *("duplicates", "split leaks: train-val", "missing values: text")
    ]


PROVENANCE = {
    "source_list": {"sha256": "ab", "files": 2, "bytes": 30},
    "sources": [{"name": "a.csv", "sha256": "cd", "bytes": 30, "urls": ["https://example.org/a.csv"]}],
    "tools": {"fetcher": "registry/fetcher:src-1"},
    "params": {"fetcher": {"jobs": 8}},
    "sample": True,
}


def test_what_it_is_and_where_it_comes_from() -> None:
    assert facts.about({"dataset": {"title": "T", "licence": None}}) == {
        **{"title": "T", "description": "", "source": "", "licence": "", "citation": ""}
    }
    found = facts.origin({"provenance": PROVENANCE})
    assert (found.files, found.size, found.is_sample, found.parents) == (2, 30, True, ())
    assert found.sources == (("a.csv", "cd", ("https://example.org/a.csv",)),)
    assert facts.origin({}).tools == {}
    made = {"provenance": {"parents": [{"dataset": "a", "version": "a-v1.0.0"}]}}
    assert facts.origin(made).parents == (("a", "a-v1.0.0"),)


def test_checks_that_were_made_and_passed_are_listed() -> None:
    assert facts.passed_checks(EMOTION) == ["conflicts"]
    assert facts.passed_checks({"checks": {"missing": {}}}) == ["missing values"] and facts.passed_checks({}) == []


@pytest.mark.parametrize(("splits", "found"), [(["val", "train"], "train"), (["a", "b"], "a"), ([], "")])
def test_one_trains_on_train_or_the_first_split(splits: list[str], found: str) -> None:
    assert facts.training_split(splits) == found


@pytest.mark.parametrize("whole", [EMOTION, FASHION, WINE], ids=["emotion", "fashion", "wine"])
def test_what_stats_writes_is_taken(whole: dict[str, Any]) -> None:
    evaluation = {"questions": {"number": 3}, "hybrid": {"by_source": {"mrr": 0.5}}}
    prompt = {"prompt_name": "a", "prompt_version": 3, "prompt_text": "b"}
    rest = {"evaluation": evaluation, "prompt": prompt, "provenance": PROVENANCE, "logical_hash": "ab"}
    facts.check({**whole, **rest}, "metadata.json")
    assert facts.retrieval(rest) == facts.Retrieval(3, {"by_source": {"hybrid": {"mrr": 0.5}}})


@pytest.mark.parametrize(
    "odd",
    [
        {"logical_hash": 7},
        {"dataset": "wine"},
        {"schema": {"features": {"a": "float64"}}},
        {"schema": {"features": {"a": {"dtype": 7}}}},
        {"splits": {"train": {"num_samples": "many"}}},
        {"splits": {"train": {"num_samples": 1, "label_distribution": {"joy": "often"}}}},
        {"metrics": {"train": {"words": "en"}}},
        {"summary": {"ranges": {"day": {"min": 7}}}},
        {"splits": {"train": {"num_samples": 1, "ranges": {"day": "2024"}}}},
        {"statistics": {"features": {"a": {"mean": True}}}},
        {"checks": {"split_leaks": {"a": {"samples": 1, "ids": [7]}}}},
        {"checks": {"warnings": [None]}},
        {"evaluation": {"hybrid": {"by_source": {"mrr": 1}}}},
        {"evaluation": {"questions": {"number": 1}, "hybrid": {"by_source": {"mrr": None}}}},
        {"prompt": {"prompt_name": "a"}},
        {"provenance": {"source_list": {}}},
        {"provenance": {"parents": ["a"]}},
        {"provenance": {"tools": {"fetcher": None}}},
        {"provenance": []},
        {"files": 7},
    ],
    ids=str,
)
def test_what_stats_does_not_write_is_refused(odd: dict[str, Any]) -> None:
    """Whatever a page reads of it: one release must not end the catalogue."""
    facts.check({"logical_hash": "ab"}, "x")
    with pytest.raises(CorruptFile, match=r"x: unexpected structure"):
        facts.check({"logical_hash": "ab", **odd}, "x")

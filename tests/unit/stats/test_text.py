from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from parquetizer.kinds.text import parquetize_text
from parquetizer.kinds.text_settings import TextSettings
from stats.text import count_words
from unit.stats.data_sets import (
    SAMPLES,
    TEXT,
    TEXT_COLUMNS,
    describe,
    ids,
    lay_text,
    measured,
    parquet,
    refusal,
    sign,
    table_of,
)

WHITE = "".join(chr(code) for code in range(0x110000) if chr(code).isspace())
LOOKS_WHITE = "\u200b\u200c\u2060\ufeff\u180e\u00ad\u2800\u3164"  # zero width or blank, and no white space in Unicode
LINE = [(f"text number {number}", ("sad", "glad")[number % 2]) for number in range(9)]


def figures(texts: list[str]) -> dict[str, Any]:
    series = pd.Series(texts, dtype="str")
    found: dict[str, Any] = {}
    words = series.str.split().map(len)
    for name, lengths in (("char_length", series.str.len()), ("word_count", words)):
        of_lengths = lengths.agg(["mean", "std", "min", "max", "median"]).to_dict()
        found |= {f"{name}_{figure}": value for figure, value in of_lengths.items()}
    return found


def same(figures: dict[str, Any]) -> dict[str, Any]:
    """Return what equals figures as metadata.json has them."""
    return {name: None if pd.isna(value) else pytest.approx(value, rel=1e-11) for name, value in figures.items()}


def test_white_space_is_that_of_unicode():
    assert {"\x1c", "\x1d", "\x1e", "\x1f", "\x85", "\xa0", "\u1680", "\u2003", "\u2028", "\u3000"} < set(WHITE)
    texts = pa.array([f"a{space}b" for space in WHITE] + [space * 3 for space in WHITE])
    assert count_words(texts).tolist() == [2] * len(WHITE) + [0] * len(WHITE)
    assert count_words(pa.array([f"a{blank}b" for blank in LOOKS_WHITE])).tolist() == [1] * len(LOOKS_WHITE)


@given(st.lists(st.text(st.sampled_from(WHITE + LOOKS_WHITE + "ab😀ü\0")) | st.text(), max_size=30), st.integers(0, 5))
@example([], 0)
@example(["", " ", "a", " a ", "a  b"], 1)
@settings(max_examples=400, deadline=None)
def test_words_are_those_of_str_split(texts: list[str], first: int):
    found = count_words(pa.array(texts, pa.string())[first:])
    assert found.tolist() == [len(text.split()) for text in texts[first:]]
    assert found.dtype == "int64"


def test_what_the_parquetizer_made_is_measured_with_the_keys_that_consumers_read(folder: Path):
    texts = {"train": ["i feel  fine", "größer 😀", "so so"], "val": ["ok", "no way back"], "test": ["done"]}
    Path("raw").mkdir()
    for split, lines in texts.items():
        content = "".join(f"{text};{('sad', 'glad')[number % 2]}\n" for number, text in enumerate(lines))
        Path(f"raw/{split}.txt").write_text(content, encoding="utf-8")
    describe(columns=TEXT_COLUMNS, citation="someone, 2020")
    document = yaml.safe_load(Path("params.yaml").read_text())
    inputs = [{"file": f"{split}.txt", "split": split} for split in texts]
    document["parquetizer"] = {"format": "lines", "key": ["text"], "inputs": inputs}
    Path("params.yaml").write_text(yaml.safe_dump(document))
    parquetize_text(Path("raw"), Path("processed"), SAMPLES, TextSettings.read(Path("params.yaml")))

    found = measured("text")
    assert list(found) == [
        "dataset", "schema", "splits", "metrics", "checks", "files", "provenance", "logical_hash",
    ]  # fmt: skip
    assert found["schema"] == {
        "features": {
            "text": {"dtype": "string", "description": "the tweet"},
            "label": {"dtype": "string", "description": "what it says", "classes": ["sad", "glad"]},
        }
    }
    assert found["splits"] == {
        "train": {"num_samples": 3, "num_features": 1, "label_distribution": {"sad": 2, "glad": 1}},
        "val": {"num_samples": 2, "num_features": 1, "label_distribution": {"sad": 1, "glad": 1}},
        "test": {"num_samples": 1, "num_features": 1, "label_distribution": {"sad": 1, "glad": 0}},
    }
    assert list(found["splits"]) == list(found["metrics"]) == ["train", "val", "test"]
    assert list(found["splits"]["train"]["label_distribution"]) == ["sad", "glad"], "as declared"
    for split, lines in texts.items():
        assert list(found["metrics"][split]) == list(figures(lines))
        assert found["metrics"][split] == same(figures(lines))
    assert found["checks"]["warnings"] == [
        "test has no sample of glad",
        "test has no char_length_std, word_count_std",
    ]


@given(st.lists(st.text(st.sampled_from("ab \xa0\u2003é😀\n")) | st.text(), min_size=1, max_size=40), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_every_figure_is_that_of_pandas(tmp_path_factory: pytest.TempPathFactory, texts: list[str], rows_of_group: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("text", numbered=True))
        lay_text({"train": [(text, "sad") for text in texts]}, rows_of_group=rows_of_group)
        found = measured("text")
    assert found["metrics"]["train"] == same(figures(texts))


def test_splits_drawn_row_by_row_are_told_apart_and_stand_as_they_first_occur(folder: Path):
    lay_text([("test", LINE[:2]), ("train", LINE[2:5]), ("test", LINE[5:6]), ("train", LINE[6:])])
    found = measured("text")
    assert [(split, each["num_samples"]) for split, each in found["splits"].items()] == [("test", 3), ("train", 6)]


def test_duplicates_two_labels_of_a_text_and_leaks_are_told_by_the_text(folder: Path):
    lay_text(
        {
            "train": [("a", "sad"), ("a", "glad"), ("b", "sad"), ("b", "sad"), ("c", "glad")],
            "val": [("a", "sad"), ("d", "glad"), ("e", "sad")],
            "test": [("a", "glad"), ("d", "glad"), ("f", "sad")],
        }
    )
    found = measured("text")["checks"]
    equal = sorted(ids()[place] for place in (0, 5, 1, 8, 2, 3, 6, 9))
    assert found["duplicates"] == {"samples": 4, "groups": 4, "ids": equal}
    assert found["conflicts"] == {"samples": 4, "groups": 1, "ids": sorted(ids()[place] for place in (0, 1, 5, 8))}
    assert found["split_leaks"] == {
        "test in train": {"samples": 1, "ids": [ids()[8]]},
        "test in val": {"samples": 2, "ids": sorted(ids()[8:10])},
        "val in train": {"samples": 1, "ids": [ids()[5]]},
    }
    assert found["warnings"] == [
        "4 of 11 samples repeat an earlier one",
        "4 of 11 samples have the same text as another that differs",
        "samples of test that are in train too, by their text: 1",
        "samples of test that are in val too, by their text: 2",
        "samples of val that are in train too, by their text: 1",
    ]


@pytest.mark.parametrize("leaks", [1000, 1001, 1500])
def test_of_many_leaks_the_first_thousand_ids_are_listed_and_all_counted(folder: Path, leaks: int):
    rows = [(str(number), "sad") for number in range(leaks)]
    lay_text({"train": rows, "test": rows})
    found = measured("text")["checks"]["split_leaks"]["test in train"]
    assert found["samples"] == leaks
    assert found["ids"] == sorted(ids()[leaks:])[:1000]


def test_a_label_that_every_split_lacks_is_reported(folder: Path):
    lay_text({"train": [("a", "glad")], "test": [("b", "glad")]})
    found = measured("text")
    assert found["checks"]["warnings"][:2] == ["train has no sample of sad", "test has no sample of sad"]


def test_one_text_has_no_spread(folder: Path):
    lay_text({"train": LINE, "test": [("no way", "sad")]})
    found = measured("text")
    assert list(found["metrics"]["test"].values()) == [6.0, None, 6.0, 6.0, 6.0, 2.0, None, 2.0, 2.0, 2.0]
    assert found["checks"]["warnings"] == [
        "test has no sample of glad",
        "test has no char_length_std, word_count_std",
    ]


# --- refusals


@pytest.mark.parametrize(
    "columns",
    [
        [],
        [TEXT_COLUMNS[0]],
        [TEXT_COLUMNS[0], {**TEXT_COLUMNS[1], "type": "int64"}],
        [TEXT_COLUMNS[0], {**TEXT_COLUMNS[1], "classes": []}],
        [*TEXT_COLUMNS, TEXT_COLUMNS[0]],
    ],
    ids=["none", "one", "type", "classes", "three"],
)
def test_what_is_not_declared_as_texts_and_labels_is_refused(folder: Path, columns: list[dict[str, Any]]):
    lay_text({"train": LINE})
    describe(columns=columns)
    assert refusal("text") == (
        2,
        "error: dataset.columns: expected a column of texts and one of labels; fix: declare both, as in emotion",
    )


def test_columns_that_are_not_as_declared_are_refused(folder: Path):
    lay_text({"train": LINE}, columns=[TEXT_COLUMNS[1], {**TEXT_COLUMNS[0], "classes": ["x"]}])
    assert refusal("text") == (
        22,
        "error: processed: expected columns [['label', 'string'], ['text', 'string']], got "
        "[['text', 'string'], ['label', 'string']]; fix: correct dataset.columns",
    )


def test_a_label_that_is_none_of_the_classes_is_refused(folder: Path):
    lay_text({"val": LINE, "train": [*LINE, ("x", "mad"), ("y", "bad")]})
    assert refusal("text") == (
        22,
        "error: processed/train/train.parquet: unknown label 'bad'; fix: run the parquetizer again",
    )


@pytest.mark.parametrize("row", [(None, "sad"), ("x", None), (None, None)])
@pytest.mark.parametrize("others", [[], LINE], ids=["alone", "among others"])
def test_a_missing_text_or_label_is_refused(folder: Path, row: Any, others: list[Any]):
    lay_text({"train": [*others, row]})
    assert refusal("text") == (
        22,
        "error: processed/train/train.parquet: a text or label is null; fix: run the parquetizer again",
    )


@pytest.mark.parametrize("column", [0, 1])
def test_text_that_is_no_utf8_is_refused(folder: Path, column: int):
    lay_text({"train": LINE})
    wrong = [["x"], ["sad"]]
    wrong[column] = pa.array([b"gr\xf6\xdfe"], pa.binary()).view(pa.string())
    pq.write_table(pa.table(wrong, schema=TEXT), parquet("train"))
    sign(TEXT, [("train", parquet("train").as_posix(), table_of(TEXT, LINE[:1]))])
    assert refusal("text") == (
        23,
        f"error: processed/train/train.parquet row group 0: In column {column}: Invalid: Invalid UTF8 sequence at "
        "string index 0; fix: run the parquetizer again",
    )


@pytest.mark.parametrize(("rows", "count"), [(LINE[:4], 4), ([*LINE, LINE[0]], 10)], ids=["fewer", "more"])
def test_a_file_of_other_length_than_in_the_manifest_is_refused(folder: Path, rows: list[Any], count: int):
    lay_text({"train": rows})
    sign(TEXT, [("train", parquet("train").as_posix(), table_of(TEXT, LINE))], ["text"])
    assert refusal("text") == (
        23,
        f"error: samples.parquet: 9 samples for {count} rows of processed/train/train.parquet; "
        "fix: run the parquetizer again",
    )


def test_a_split_without_samples_is_refused(folder: Path):
    lay_text({"train": LINE, "val": []})
    assert refusal("text") == (21, "error: processed/val/val.parquet: no samples; fix: run the parquetizer again")

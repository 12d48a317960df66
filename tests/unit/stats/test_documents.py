import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from parquetizer.kinds.documents import DocumentsSettings, list_documents
from unit.stats.data_sets import (
    DOCUMENT,
    SAMPLES,
    TEXT,
    describe,
    lay_documents,
    measured,
    refusal,
    sign,
    table_of,
)

TEXTS = {"b_README.md": "# B\n\nnaïve 😀\r\n", "a/c_README.md": "one line", ".d.md": "x\u2003y\x1cz\x85\n\n"}


def figures(texts: dict[str, str]) -> dict[str, Any]:
    sizes: dict[str, list[int]] = {
        "size_bytes": [len(text.encode()) for text in texts.values()],
        "characters": [len(text) for text in texts.values()],
        "words": [len(text.split()) for text in texts.values()],
        "lines": [text.count("\n") for text in texts.values()],
    }
    found: dict[str, Any] = {"total_files": len(texts)}
    for name, values in sizes.items():
        found |= {f"total_{name}": sum(values), f"average_{name}": pytest.approx(statistics.mean(values), rel=1e-11)}
    return found


def test_what_the_parquetizer_listed_is_measured_with_the_keys_that_were_always_there(folder: Path):
    lay_documents(TEXTS, citation="someone, 2020")
    list_documents(Path("raw"), SAMPLES, DocumentsSettings(key=("name",)))
    found = measured("documents")
    assert list(found) == [
        "dataset", "schema", "summary", "statistics", "checks", "files", "provenance", "logical_hash",
    ]  # fmt: skip
    assert found["schema"] == {
        "features": {
            "name": {"dtype": "string", "description": "path of the file below raw/"},
            "text": {"dtype": "string", "description": "the whole file, UTF-8"},
        }
    }
    assert found["summary"] == {"num_samples": 3}
    assert list(found["statistics"]) == list(figures(TEXTS))
    assert found["statistics"] == figures(TEXTS)
    assert list(found["files"]) == ["raw/.d.md", "raw/a/c_README.md", "raw/b_README.md"]
    assert found["checks"]["warnings"] == []


@given(st.lists(st.text(st.sampled_from("a \n\r\t\xa0\u2028ü😀")) | st.text(), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_every_figure_is_that_of_python(tmp_path_factory: pytest.TempPathFactory, texts: list[str]):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("documents", numbered=True))
        named = {f"{number}.md": text for number, text in enumerate(texts)}
        lay_documents(named)
        assert measured("documents")["statistics"] == figures(named)


def test_documents_of_equal_text_and_other_names_are_no_duplicates(folder: Path):
    lay_documents({"a.md": "same", "b.md": "same"})
    assert measured("documents")["checks"]["duplicates"] == {"samples": 0, "groups": 0}


def test_documents_without_words_have_figures(folder: Path):
    lay_documents({"a.md": "", "b.md": "\n"})
    assert measured("documents")["statistics"] == figures({"a": "", "b": "\n"})


# --- refusals


def test_another_kinds_manifest_is_refused(folder: Path):
    lay_documents(TEXTS)
    sign(TEXT, [("all", f"raw/{name}", table_of(TEXT, [("t", "l")])) for name in TEXTS])
    assert refusal("documents") == (
        22,
        "error: samples.parquet: expected columns [['name', 'string'], ['text', 'string']], got "
        "[['text', 'string'], ['label', 'string']]; fix: write it with parquetizer documents",
    )


def test_a_manifest_of_more_samples_than_files_is_refused(folder: Path):
    lay_documents({"a.md": "a"})
    sign(DOCUMENT, [("all", "raw/a.md", table_of(DOCUMENT, [("a.md", "a"), ("b.md", "b")]))])
    assert refusal("documents") == (
        23,
        "error: samples.parquet: 2 samples for 1 files; fix: run the parquetizer again",
    )


def test_a_manifest_of_no_samples_is_refused(folder: Path):
    lay_documents({"a.md": "a"})
    sign(DOCUMENT, [("all", "raw/a.md", table_of(DOCUMENT, []))])
    assert refusal("documents") == (21, "error: samples.parquet: no documents; fix: run the parquetizer again")


def test_a_document_that_is_no_utf8_is_refused(folder: Path):
    lay_documents({"a.md": "a"})
    Path("raw/a.md").write_bytes("größe".encode("latin-1"))
    sign(DOCUMENT, [("all", "raw/a.md", table_of(DOCUMENT, [("a.md", "a")]))])
    assert refusal("documents") == (
        23,
        "error: raw/a.md: not valid UTF-8: invalid start byte; fix: run the parquetizer again",
    )


def test_a_document_that_changed_or_went_is_refused(folder: Path):
    lay_documents(TEXTS)
    path = Path("raw/b_README.md")
    path.write_text("another")
    assert refusal("documents") == (
        11,
        "error: raw/b_README.md: not the file in the manifest samples.parquet; fix: run the parquetizer again",
    )
    path.unlink()
    assert refusal("documents") == (10, "error: raw/b_README.md: file not found; fix: run the parquetizer")


def test_a_folder_that_is_not_the_manifests_is_refused(folder: Path):
    lay_documents(TEXTS)
    describe()
    Path("raw").rename("other")
    Path("raw").mkdir()
    assert refusal("documents")[0] == 10

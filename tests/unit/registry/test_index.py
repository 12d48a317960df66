"""What a vector index is made from, how its versions are compared, and how it is measured."""

import csv
import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from data_registry.git import Git
from data_registry.stage.errors import InputMissing, ReleaseRefused, SchemaMismatch, UsageError
from pgloader.settings import check_relation
from registry.build.new import make_dataset_folder
from registry.build.pipeline import reproduce
from registry.datasets import Dataset, find_datasets, waiting_for
from registry.index.evaluate import Evaluation, as_table, evaluate, flat, measure, read_questions
from registry.index.parent import get_parent
from registry.index.search import Hit, Results, as_text
from registry.index.versions import find_index
from registry.release.preflight import check_dataset
from registry.repair.vectors import TOLERANCE, distance_between
from unit.registry.releases_fixture import Registry, make_registry


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return make_registry(tmp_path_factory.mktemp("index") / "clone")


def pinned(folder: Path, **registry: str) -> Path:
    path = folder / "params.yaml"
    path.write_text("registry:\n" + "".join(f"  {name}: {value}\n" for name, value in registry.items()))
    return path


def test_a_pinned_release_comes_with_its_name_and_identity(registry: Registry, tmp_path: Path):
    params = pinned(tmp_path, dataset="letters", version="letters-v1.0.0")
    found = get_parent(params, registry.root, "local", tmp_path / "parent")
    wanted = json.loads(registry.of("letters").read("metadata.json"))
    assert json.loads((tmp_path / "parent/release.json").read_text()) == {
        "dataset": "letters",
        "version": "letters-v1.0.0",
        "logical_hash": wanted["logical_hash"],
        "sample": False,
    }
    assert found.version == "letters-v1.0.0"
    assert (tmp_path / "parent/processed/letters.csv").is_file() and (tmp_path / "parent/metadata.json").is_file()


def test_what_is_not_released_is_refused_with_the_command_that_releases_it(registry: Registry, tmp_path: Path):
    params = pinned(tmp_path, dataset="letters", version="letters-v7.0.0")
    with pytest.raises(InputMissing) as refused:
        get_parent(params, registry.root, "local", tmp_path / "parent")
    assert str(refused.value) == (
        "letters-v7.0.0: not released; fix: make release DS=letters VERSION=7.0.0 (or git fetch --tags)"
    )
    assert not (tmp_path / "parent").exists()


def test_the_working_copy_is_marked_as_such(registry: Registry, tmp_path: Path):
    params = pinned(tmp_path, dataset="letters", version="workspace")
    (tmp_path / "parent").mkdir()
    (tmp_path / "parent" / "left").write_text("of another build")
    assert get_parent(params, registry.root, "local", tmp_path / "parent").version == "workspace"
    assert (tmp_path / "parent/raw/a.txt").is_file() and not (tmp_path / "parent/left").exists()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dataset": "letters"}, "version is missing"),
        ({"dataset": "letters", "version": "1.0.0"}, "version '1.0.0' is not a release of letters"),
        ({"dataset": "letters", "version": "pictures-v1.0.0"}, "version 'pictures-v1.0.0' is not a release of letters"),
        ({"dataset": "../letters", "version": "workspace"}, "invalid dataset name '../letters'"),
        ({"dataset": "letters", "version": "workspace", "else": "x"}, "unknown key else"),
    ],
)
def test_what_names_no_release_is_usage(registry: Registry, tmp_path: Path, given: dict[str, str], message: str):
    with pytest.raises(UsageError, match=message.replace(".", r"\.")):
        get_parent(pinned(tmp_path, **given), registry.root, "local", tmp_path / "parent")


def test_a_working_copy_that_is_not_built_is_no_parent(tmp_path: Path):
    with pytest.raises(InputMissing, match="make dataset DS=nothing"):
        get_parent(pinned(tmp_path, dataset="nothing", version="workspace"), tmp_path, "local", tmp_path / "parent")


def derived(root: Path, version: str) -> Dataset:
    folder = root / "data" / "above"
    folder.mkdir(exist_ok=True)
    (folder / "dvc.yaml").write_text("stages:\n  pgloader:\n    cmd: ../../tools/run pgloader load\n")
    pinned(folder, dataset="letters", version=version)
    (folder / "metadata.json").write_text("{}")
    return Dataset("above", folder)


def test_parents_come_first_and_a_dataset_waits_for_its_own(registry: Registry):
    dataset = derived(registry.root, "letters-v1.0.0")
    assert [each.name for each in find_datasets(registry.root, "all")] == ["letters", "pictures", "above"]
    assert waiting_for(dataset, Git(registry.root)) == ""
    assert waiting_for(derived(registry.root, "letters-v9.0.0"), Git(registry.root)) == "letters-v9.0.0"
    assert waiting_for(derived(registry.root, "workspace"), Git(registry.root)) == ""


def test_what_is_made_from_a_working_copy_is_never_released(registry: Registry):
    dataset = derived(registry.root, "workspace")
    (dataset.folder / "metadata.json").write_text(
        json.dumps({"provenance": {"sample": False}, "files": {}, "logical_hash": "ab" * 32})
    )
    (dataset.folder / "dvc.lock").write_text("stages: {pgloader: {}}")
    with pytest.raises(ReleaseRefused, match="made from an unreleased working copy"):
        check_dataset(dataset, registry.root)


def test_the_index_is_the_dataset_that_is_loaded(registry: Registry):
    derived(registry.root, "letters-v1.0.0")
    assert find_index(registry.root).name == find_index(registry.root, "above").name == "above"
    with pytest.raises(UsageError, match="letters has no pgloader stage"):
        find_index(registry.root, "letters")


def embedded(path: Path, vectors: Any, texts: str = "ab") -> Path:
    numbers = pa.array(np.asarray(vectors, np.float32).ravel())
    table = pa.table({"id": list(texts), "embedding": pa.FixedSizeListArray.from_arrays(numbers, 2)})
    pq.write_table(table, path)
    return path


@pytest.mark.parametrize(
    ("vectors", "texts", "agrees"),
    [
        ([[0.6, 0.8], [1, 0]], "ab", True),
        ([[0.6000005, 0.8], [1, 0]], "ab", True),
        ([[0.60001, 0.8], [1, 0]], "ab", False),
        ([[math.nan, 0.8], [1, 0]], "ab", False),
        ([[0.6, 0.8], [1, 0]], "ac", False),
        ([[0.6, 0.8], [1, 0], [0, 1]], "abc", False),
    ],
)
def test_vectors_may_differ_in_their_last_digits_and_nothing_else(
    tmp_path: Path, vectors: Any, texts: str, agrees: bool
):
    released = embedded(tmp_path / "a.parquet", [[0.6, 0.8], [1, 0]])
    distance = distance_between(released, embedded(tmp_path / "b.parquet", vectors, texts))
    assert (distance <= TOLERANCE) is agrees


def test_measures_are_those_of_the_textbook():
    first, third, none = [True, False, True], [False, False, True], [False] * 3
    found = measure([(first, 2), (third, 1), (none, 3)])
    assert found["hit@1"] == round(1 / 3, 4) and found["hit@3"] == found["hit@5"] == round(2 / 3, 4)
    assert found["mrr"] == round((1 + 1 / 3 + 0) / 3, 4)
    ideal = 1 + 1 / math.log2(3)
    assert found["ndcg@10"] == round(((1 + 0.5) / ideal + 0.5 + 0) / 3, 4)
    assert measure([]) == {}


def test_places_beyond_the_tenth_do_not_count():
    assert measure([([False] * 10 + [True], 1)])["mrr"] == 0


def questions(folder: Path, labels: str) -> Path:
    (folder / "questions.csv").write_text('question,key_concepts\nwhat?,"[""DVC"", ""git""]"\n')
    (folder / "expected_sources.csv").write_text("question,expected_sources\n" + labels)
    return folder


def test_questions_are_read_with_who_answers_them(tmp_path: Path):
    (found,) = read_questions(questions(tmp_path, 'what?,"[""docs""]"\n'))
    assert (found.text, found.sources, found.concepts) == ("what?", ("docs",), ("DVC", "git"))


def test_a_question_that_nobody_has_looked_at_is_refused(tmp_path: Path):
    with pytest.raises(SchemaMismatch, match=r"no row for question 'what\?'"):
        read_questions(questions(tmp_path, 'other?,"[]"\n'))
    (tmp_path / "questions.csv").unlink()
    with pytest.raises(InputMissing):
        read_questions(tmp_path)


def test_the_sources_expected_are_documents_of_the_registry(root: Path):
    with (root / "data/opencloudhub-readmes/sources.csv").open() as file:
        repositories = {row["name"].partition("_README")[0] for row in csv.DictReader(file)}
    with (root / "data/opencloudhub-readmes-rag-evaluation/expected_sources.csv").open() as file:
        expected = [json.loads(row["expected_sources"]) for row in csv.DictReader(file)]
    assert len(expected) == 30 and all(each and set(each) <= repositories for each in expected)


FIGURES = {mode: {"by_source": {"mrr": 0.5}, "by_concepts": {"mrr": 1.0}} for mode in ("vector", "hybrid")}


def test_figures_fit_a_terminal_and_mlflow():
    shown = as_table(Evaluation("readme_embeddings_1", 30, FIGURES)).splitlines()
    assert shown[0] == "30 questions on readme_embeddings_1" and max(map(len, shown)) <= 80
    assert ("hybrid.by_source.mrr", 0.5) in flat(FIGURES)
    assert flat({"text": {"by_source": {"hit@1": 1.0}}}) == [("text.by_source.hit_at_1", 1.0)]


def test_hits_are_readable_on_a_terminal():
    section = {"section_h1": "Deploy", "section_h2": "", "section_h3": None}
    hit = Hit("1", 0.5, "word \x1b[31m" * 200, {"source_repo": "gitops", "source_file": "gitops_README.md", **section})
    shown = as_text("how?", Results("t", [[hit, hit]]))
    assert shown.splitlines()[0].split("  ")[0] == "1. gitops_README.md > Deploy" and shown.splitlines()[0].endswith(
        " 0.500"
    )
    assert "\n\n2. gitops_README.md > Deploy" in shown
    assert max(map(len, shown.splitlines())) <= 80 and "\x1b" not in shown
    assert as_text("how?", Results("t", [[]])) == "No result for 'how?' in t."


@pytest.fixture
def clone(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with DVC, and the folders that new ones are made from."""
    monkeypatch.chdir(tmp_path)
    for command in (["git", "init", "-q"], [sys.executable, "-m", "dvc", "init", "-q"]):
        subprocess.run(command, cwd=tmp_path, check=True)
    for name in ("opencloudhub-readmes-embeddings", "opencloudhub-readmes", "wine-quality"):
        shutil.copytree(root / "data" / name, tmp_path / "data" / name, ignore=shutil.ignore_patterns("raw", "readmes"))
    shutil.copy(root / "data/images.yaml", tmp_path / "data")
    return tmp_path


def test_an_index_is_built_before_it_is_measure(clone: Path):
    """The stage stats reads evaluation.json, which make evaluate writes from the index that is built."""
    folder = clone / "data" / "second"
    folder.mkdir()
    stage = {"cmd": "cp evaluation.json metadata.json", "deps": ["evaluation.json"], "outs": ["metadata.json"]}
    (folder / "dvc.yaml").write_text(json.dumps({"stages": {"stats": stage}}))
    reproduce(Dataset("second", folder), clone)
    assert (folder / "metadata.json").read_text() == "{}\n"
    (folder / "evaluation.json").write_text('{"measured": 1}')
    reproduce(Dataset("second", folder), clone)
    assert json.loads((folder / "metadata.json").read_text()) == {"measured": 1}


def test_a_folder_of_a_new_index_has_all_that_its_stages_read(clone: Path):
    folder = make_dataset_folder(clone, "second-index", "index")
    example = clone / "data/opencloudhub-readmes-embeddings"
    assert (folder / "dvc.yaml").read_text() == (example / "dvc.yaml").read_text()
    assert (folder / "evaluation.json").read_text() == "{}\n" and not (folder / "sources.csv").exists()
    params = yaml.safe_load((folder / "params.yaml").read_text())
    assert params["pgloader"]["relation"] == "second_index" and params["dataset"]["name"] == "second-index"
    assert params["registry"] == yaml.safe_load((example / "params.yaml").read_text())["registry"]
    assert not (make_dataset_folder(clone, "plain", "table") / "evaluation.json").exists()
    for name in ("pg-index", "registry-x", "1st", "x" * 63):
        made = yaml.safe_load((make_dataset_folder(clone, name, "index") / "params.yaml").read_text())
        check_relation(made["pgloader"]["relation"], name)


def test_an_index_without_questions_is_told_where_to_name_them(clone: Path):
    folder = make_dataset_folder(clone, "second", "index")
    params = (folder / "params.yaml").read_text()
    (folder / "params.yaml").write_text(re.sub("  questions: .*\n", "", params))
    with pytest.raises(UsageError, match="registry: questions is not set; fix: name the dataset"):
        evaluate(Dataset("second", folder), clone)

"""Finding datasets, and what people are told of them."""

import json
from pathlib import Path

import pytest
import yaml
from conftest import git
from data_registry.stage.errors import ReleaseRefused, UsageError
from registry.build.summary import next_step, size, summary
from registry.datasets import find_datasets

STAGES = {
    stage: {"outs": [{"path": path, "md5": "0" * 32, "size": 0}]}
    for stage, path in (("fetcher", "raw"), ("stats", "metadata.json"))
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("apples", "pears"):
        folder = tmp_path / "data" / name
        (folder / "raw").mkdir(parents=True)
        (folder / "raw" / "a.csv").write_text("x" * 1500)
        (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {stage: {"cmd": "true"} for stage in STAGES}}))
        (folder / "dvc.lock").write_text(yaml.safe_dump({"stages": STAGES}))
        metadata = {
            "summary": {"num_samples": 3, "num_features": 2},
            "checks": {"warnings": []},
            "provenance": {"sample": name == "pears"},
            "logical_hash": "0123456789abcdef" * 4,
        }
        (folder / "metadata.json").write_text(json.dumps(metadata))
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "As built")
    return tmp_path


def test_by_name_and_all(tree: Path) -> None:
    assert [each.name for each in find_datasets(tree, "pears")] == ["pears"]
    assert [each.name for each in find_datasets(tree, "all")] == ["apples", "pears"]


@pytest.mark.parametrize(
    "name", ["", "nope", "../apples", "apples/", "Apples", "-x", "a" * 64, "apples\n", "$(touch x)"]
)
def test_other_names_are_refused_with_the_known_ones(tree: Path, name: str) -> None:
    with pytest.raises(UsageError) as refused:
        find_datasets(tree, name)
    assert refused.value.fix == "use one of: apples, pears, all"
    assert refused.value.what == (f"unknown dataset {name!r}" if name else "not set")


def test_summary_is_short_and_marks_the_sample(tree: Path) -> None:
    apples, pears = find_datasets(tree, "all")
    said = summary(apples, {"stats": 1.25}, tree)
    assert said.splitlines() == [
        "apples",
        "  built     stats 1.2 s",
        "  data      from sources.csv",
        "  samples   3 rows, 2 features",
        "  checks    none failed",
        "  files     data/apples/raw  1.5 kB",
        f"            data/apples/metadata.json  {size(apples.folder / 'metadata.json')}",
        "  identity  0123456789abcdef (logical hash)",
        "  next      make release DS=apples VERSION=1.0.0",
    ]
    assert "SYNTHETIC SAMPLE" in summary(pears, {}, tree) and "nothing: all stages are current" in summary(
        pears, {}, tree
    )


def test_the_next_step_is_one_that_has_something_to_say(tree: Path) -> None:
    apples, pears = find_datasets(tree, "all")
    git(tree, "tag", "apples-v1.0.0")
    assert next_step(apples, tree) == "git log data/apples"
    assert next_step(pears, tree) == "make release DS=pears VERSION=1.0.0"
    (pears.folder / "dvc.lock").write_text("stages: {}\n")
    assert next_step(pears, tree) == "git diff data/pears"
    assert next_step(apples, tree) == "git log data/apples"
    (pears.folder / "new.txt").write_text("git diff does not show what git does not track")
    git(tree, "commit", "-q", "-m", "Built again", "data/pears/dvc.lock")
    assert next_step(pears, tree) == "make release DS=pears VERSION=1.0.0"


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345, "12 kB"), (5 * 10**6, "5.0 MB")]
)
def test_sizes_read_well(tmp_path: Path, number: int, text: str) -> None:
    (tmp_path / "file").write_bytes(bytes(number))
    assert size(tmp_path / "file") == text


def test_cut_lock_is_refused(tree: Path) -> None:
    """Fault V11: a dvc.lock that lost its end is still valid YAML."""
    (apples,) = find_datasets(tree, "apples")
    apples.check_lock()
    (apples.folder / "dvc.lock").write_text(yaml.safe_dump({"stages": {"fetcher": STAGES["fetcher"]}}))
    with pytest.raises(ReleaseRefused, match="stage stats not found; fix: make dataset DS=apples"):
        apples.check_lock()
    for text in ("", "{}\n"):
        (apples.folder / "dvc.lock").write_text(text)
        with pytest.raises(ReleaseRefused, match="stage fetcher not found"):
            apples.check_lock()

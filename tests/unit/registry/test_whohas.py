"""Every release and model that has a sample, whatever somebody knows of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from conftest import git
from data_registry.releases.release import Release
from data_registry.stage.errors import InputMissing, UsageError
from data_registry.store.manifests import fetch_manifest
from mlflow import MlflowClient
from registry.cli import cli
from registry.lineage.whohas import Occurrences, whohas
from unit.registry.lineage_records import records, train
from unit.registry.lineage_world import TRAIN, World, greetings, make_world, notes, wines, xrays

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's, with SQLAlchemy 2.1


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = make_world(tmp_path)
    for name in ("DVC_REPO", "DVC_REPO_URL", "DVC_REMOTE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REGISTRY_ROOT", str(world.root))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return world


@pytest.fixture
def client(world: World, tmp_path: Path, empty: bytes) -> Iterator[MlflowClient]:
    with records(tmp_path, empty) as client:
        yield client


def run(*arguments: str, **environ: str) -> Result:
    return CliRunner().invoke(cli, ["whohas", *arguments], env=environ)


def places(found: Occurrences) -> list[tuple[str, str, int]]:
    return sorted((each.tag, each.split, each.row) for each in found.releases)


def ids(release: Release) -> list[str]:
    return [each.hex() for each in pq.read_table(fetch_manifest(release))["sample_id"].to_pylist()]


@pytest.fixture
def all_of_them(world: World) -> dict[str, Release]:
    return {
        "greetings-v1.0.0": world.release("greetings", "1.0.0", greetings()),
        "greetings-v1.1.0": world.release("greetings", "1.1.0", greetings([TRAIN[1], TRAIN[2]])),
        "wines-v1.0.0": world.release("wines", "1.0.0", wines()),
        "xrays-v1.0.0": world.release("xrays", "1.0.0", xrays()),
        "notes-v1.0.0": world.release("notes", "1.0.0", notes()),
    }


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("go away", [("greetings-v1.0.0", "train", 1), ("greetings-v1.1.0", "train", 0)]),
        ("hello", [("greetings-v1.0.0", "train", 0), ("greetings-v1.0.0", "train", 3)]),
        ('row:["oh","joy"]', [("greetings-v1.0.0", "train", 2), ("greetings-v1.1.0", "train", 1)]),
        ('row:["oh","another label"]', [("greetings-v1.0.0", "train", 2), ("greetings-v1.1.0", "train", 1)]),
        ('row:["oh"]', [("greetings-v1.0.0", "train", 2), ("greetings-v1.1.0", "train", 1)]),
        ('row:{"text":"no"}', [("greetings-v1.0.0", "val", 1), ("greetings-v1.1.0", "val", 1)]),
        ("row:[10.5,7]", [("wines-v1.0.0", "all", 2)]),
        ('row:{"quality":5,"alcohol":9.4}', [("wines-v1.0.0", "all", 0), ("wines-v1.0.0", "all", 3)]),
        ("row:[11,8]", [("wines-v1.0.0", "all", 4)]),
        ("file:two.jpg", [("xrays-v1.0.0", "train", 1)]),
        ("file:note.md", [("notes-v1.0.0", "all", 0)]),
        ("file:tweet.txt", [("greetings-v1.0.0", "train", 1), ("greetings-v1.1.0", "train", 0)]),
        ("a_README.md", [("notes-v1.0.0", "all", 0)]),
        ("Hello", []),
        ("file:other.jpg", []),
        ("row:[1.5]", []),
        ('row:["a",true,null]', []),
        ("00" * 16, []),
    ],
)
def test_by_whatever_is_known_of_it(
    sample: str,
    expected: list[tuple[str, str, int]],
    all_of_them: dict[str, Release],
    client: MlflowClient,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    contents = {"two.jpg": b"two", "other.jpg": b"four", "note.md": b"# A\n\nFirst.\n", "tweet.txt": b"go away\n"}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    assert places(whohas(client, world.root, sample)) == sorted(expected)


def test_by_id_with_its_copies(all_of_them: dict[str, Release], client: MlflowClient, world: World) -> None:
    """The same text twice has two ids; whoever wants it gone wants both gone."""
    wanted = ids(all_of_them["greetings-v1.0.0"])[3]
    found = whohas(client, world.root, wanted)
    assert places(found) == [("greetings-v1.0.0", "train", 0), ("greetings-v1.0.0", "train", 3)]
    assert {each.sample_id: each.equal for each in found.releases}[wanted] == "id"


def statuses(found: Occurrences) -> dict[str, tuple[str, str, list[str]]]:
    return {f"{each.model}/{each.version}": (each.tag, each.status, each.contexts) for each in found.models}


def test_models_by_what_they_were_given(all_of_them: dict[str, Release], client: MlflowClient, world: World) -> None:
    wines: dict[str, Any] = {"name": "wines", "version": "1.0.0"}
    train(client, "regressor", {**wines, "rows": [0, 2]}, {**wines, "rows": [1, 3], "context": "validation"})
    train(client, "regressor", {**wines, "rows": [0, 1]})
    train(client, "regressor", tags={"dvc_data_version": "wines-v1.0.0"})
    train(client, "regressor", params={"dvc_data_version": "wines-v1.0.0"})
    train(client, "regressor", wines)
    train(client, "regressor", {**wines, "rows": [1], "context": "validation"})
    train(client, "other", {"name": "greetings", "version": "1.0.0", "split": "val"})
    train(client, "mute")
    train(client, "old", tags={"dvc_data_version": "gone-v1.0.0"})
    client.create_model_version("mute", "file:///nowhere")
    found = whohas(client, world.root, "row:[10.5,7]")
    tag = "wines-v1.0.0"
    assert statuses(found) == {
        "regressor/1": (tag, "selected", ["training"]),
        "regressor/2": (tag, "not selected", []),
        "regressor/3": (tag, "not logged", []),
        "regressor/4": (tag, "not logged", []),
        "regressor/5": (tag, "selected", ["training"]),
        "regressor/6": (tag, "not logged", []),
    }
    assert found.silent == ["mute/1", "mute/2", "old/1 (gone-v1.0.0)"]
    assert statuses(whohas(client, world.root, "no")) == {"other/1": ("greetings-v1.0.0", "selected", ["training"])}
    assert statuses(whohas(client, world.root, "oh")) == {"other/1": ("greetings-v1.0.0", "not selected", [])}
    assert not whohas(client, world.root, "unheard of").models


def test_as_people_and_programs_read_it(all_of_them: dict[str, Release], client: MlflowClient, world: World) -> None:
    train(client, "regressor", {"name": "wines", "version": "1.0.0", "rows": [2]})
    train(client, "mute")
    result = run("row:[10.5,7]")
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()
    assert lines[0] == "row:[10.5,7]" and max(map(len, lines)) <= 80
    assert "  model     regressor/1: was given it for training (wines-v1.0.0)" in lines
    assert "  unknown   models whose training data is unknown: mute/1" in lines
    shown = json.loads(run("--json", SAMPLE="row:[10.5,7]").output)
    (place,) = shown["releases"]
    assert place["sample_id"] == ids(all_of_them["wines-v1.0.0"])[2] and place["file"] == "processed/wines.csv"
    assert shown["models"][0]["status"] == "selected" and shown["silent"] == ["mute/1"]
    assert "  releases  not found\n" in run("unheard of").output


def test_a_release_without_a_manifest_is_named(
    all_of_them: dict[str, Release], client: MlflowClient, world: World
) -> None:
    lock = world.root / "data" / "wines" / "dvc.lock"
    lock.write_text(lock.read_text().replace("path: samples.parquet", "path: other.parquet"))
    git(world.root, "commit", "-q", "-a", "-m", "none")
    git(world.root, "tag", "wines-v2.0.0")
    train(client, "regressor", tags={"dvc_data_version": "wines-v2.0.0"})
    found = whohas(client, world.root, "row:[10.5,7]")
    assert places(found) == [("wines-v1.0.0", "all", 2)]
    assert (found.unsearched, found.silent) == (["wines-v2.0.0"], ["regressor/1 (wines-v2.0.0)"])
    assert "  not seen  releases without a manifest: wines-v2.0.0\n" in run("unheard of").output


@pytest.mark.parametrize("sample", ["", "row:", "row:{", "row:7", 'row:"text"'])
def test_what_is_no_sample_is_refused(sample: str, client: MlflowClient, world: World) -> None:
    with pytest.raises(UsageError, match="SAMPLE"):
        whohas(client, world.root, sample)
    assert run(sample).exit_code == 2


def test_a_file_that_is_not_there_is_missing_input(client: MlflowClient, world: World) -> None:
    with pytest.raises(InputMissing, match=r"nope\.jpg: file not found"):
        whohas(client, world.root, "file:nope.jpg")

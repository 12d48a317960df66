"""Which models used which release, as the catalogue reads it in MLflow's records."""

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalog.models import Use, Uses, read_uses
from mlflow import MlflowClient
from registry.services.tracking import embedded_file
from unit.registry.lineage_records import records, train
from unit.registry.lineage_world import World, greetings, make_world, wines

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's, with SQLAlchemy 2.1


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    for name in ("DVC_REPO", "DVC_REPO_URL", "DVC_REMOTE", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    world = make_world(tmp_path)
    monkeypatch.setenv("REGISTRY_ROOT", str(world.root))
    world.release("wines", "1.0.0", wines())
    world.release("greetings", "2.0.0", greetings())
    return world


@pytest.fixture
def client(world: World, empty: bytes) -> Iterator[MlflowClient]:
    """Records where those of ENV=local are."""
    folder = embedded_file(world.root).parent
    folder.mkdir(parents=True)
    with records(folder, empty) as client:
        yield client


def test_without_records_nobody_is_asked_and_none_are_made(world: World) -> None:
    found = read_uses(world.root)
    assert found.by_tag == {} and found.unknown.endswith(
        "MLFLOW_TRACKING_URI is not set, and there is no local MLflow database."
    )
    assert not embedded_file(world.root).parent.exists()


def test_records_without_models_are_no_reason_to_excuse_oneself(world: World, client: MlflowClient) -> None:
    assert read_uses(world.root) == Uses({})


def test_a_model_is_known_by_what_it_logged_or_else_by_its_tag(world: World, client: MlflowClient) -> None:
    wine = {"name": "wines", "version": "1.0.0"}
    train(client, "a", {**wine, "rows": [0, 1]}, {**wine, "rows": [2], "context": "validation"})
    train(client, "b", tags={"dvc_data_version": "wines-v1.0.0"})
    train(client, "b", params={"dvc_data_version": "greetings-v2.0.0"})
    train(client, "c")
    train(client, "d", {"name": "greetings", "version": "2.0.0", "split": "train"}, {**wine, "rows": [4]})
    found = read_uses(world.root)
    assert found.unknown == ""
    assert {tag: sorted(map(said, uses)) for tag, uses in found.by_tag.items()} == {
        "wines-v1.0.0": [
            *(("a", "1", "training", 2), ("a", "1", "validation", 1)),
            *(("b", "1", "training", None), ("d", "1", "training", 1)),
        ],
        "greetings-v2.0.0": [("b", "2", "training", None), ("d", "1", "training", 4)],
    }


def said(use: Use) -> tuple[str, str, str, int | None]:
    return use.model, use.version, use.context, use.samples


def test_of_a_damaged_selection_the_tag_is_left(
    world: World, client: MlflowClient, caplog: pytest.LogCaptureFixture
) -> None:
    train(client, "a", {"name": "wines", "version": "1.0.0", "rows": [0, 1]})
    train(client, "b", {"name": "wines", "version": "1.0.0", "rows": [2]})
    run = client.get_model_version("a", "1").run_id
    (path,) = embedded_file(world.root).parent.glob(f"artifacts/{run}/**/selection-*.json")
    path.write_text(path.read_text()[:40])
    with caplog.at_level(logging.WARNING):
        found = read_uses(world.root)
    assert list(map(said, found.by_tag["wines-v1.0.0"])) == [("a", "1", "training", None), ("b", "1", "training", 1)]
    assert "a/1: its samples are left out: " in caplog.text


def test_what_runs_have_lost_is_left_out(world: World, client: MlflowClient) -> None:
    train(client, "a", {"name": "wines", "version": "1.0.0", "rows": [0, 1]})
    shutil.rmtree(embedded_file(world.root).parent / "artifacts")
    assert list(map(said, read_uses(world.root).by_tag["wines-v1.0.0"])) == [("a", "1", "training", None)]


def test_a_model_whose_run_is_gone_is_left_out(world: World, client: MlflowClient) -> None:
    client.create_registered_model("a")
    client.create_model_version("a", "file:///nowhere")
    assert read_uses(world.root) == Uses({})


def test_records_that_cannot_be_read_are_said_to_be_so(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    embedded_file(world.root).parent.mkdir(parents=True)
    embedded_file(world.root).write_bytes(b"no database")
    found = read_uses(world.root)
    assert found.by_tag == {} and "MLflow could not be read (sqlite:" in found.unknown
    assert "models are left out: " in caplog.text


def test_a_server_that_does_not_answer_is_named_without_its_password(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://someone:secret@127.0.0.1:9")
    assert read_uses(world.root) == Uses({}, "Models are not shown: MLflow could not be read (http://127.0.0.1:9).")

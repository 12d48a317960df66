"""From a registered model to the exact samples that it was trained on."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from conftest import git
from data_registry.releases.release import Release
from data_registry.stage.errors import InputMissing, StageError, UsageError, VerificationFailed
from data_registry.store.manifests import fetch_manifest
from mlflow import MlflowClient
from registry.cli import cli
from registry.lineage.explain import Explanation, explain
from unit.registry.lineage_records import records, train
from unit.registry.lineage_world import TRAIN, World, greetings, make_world, wines

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
    return CliRunner().invoke(cli, ["explain", *arguments], env=environ)


def samples(release: Release, split: str = "") -> list[bytes]:
    table = pq.read_table(fetch_manifest(release))
    return [each["sample_id"] for each in table.to_pylist() if split in {"", each["split"]}]


def ids(explanation: Explanation) -> list[tuple[str, list[bytes]]]:
    return [(part.context, part.samples["sample_id"].to_pylist()) for part in explanation.parts]


def test_the_selection_that_was_logged(world: World, client: MlflowClient, tmp_path: Path) -> None:
    release = world.release("wines", "1.0.0", wines())
    everything = samples(release)
    tags = {"docker_image_tag": "trainer:7", "argo_workflow_uid": "0-1-2"}
    version = train(
        client,
        "regressor",
        {"name": "wines", "version": "1.0.0", "rows": [4, 0]},
        {"name": "wines", "version": "1.0.0", "rows": [1], "context": "validation"},
        tags=tags,
    )
    found = explain(client, world.root, f"regressor/{version}")
    assert dict(ids(found)) == {"training": [everything[4], everything[0]], "validation": [everything[1]]}
    assert (found.release, found.said_in) == ("wines-v1.0.0", "tag")
    assert (found.image, found.workflow) == ("trainer:7", "0-1-2")
    result = run("regressor/1", "--ids", str(tmp_path / "ids.csv"))
    assert result.exit_code == 0, result.output
    assert max(map(len, result.output.splitlines())) <= 80
    for line in (
        "regressor/1",
        f"  run        {found.run_id}",
        "  release    wines-v1.0.0 (tag dvc_data_version of its run)",
        "  training   2 of 5 samples of wines-v1.0.0, selected by rows",
        "  validation 1 of 5 samples of wines-v1.0.0, selected by rows",
        f"  identity   {release.logical_hash}",
    ):
        assert result.output.splitlines().count(line) == 1
    assert "  samples    3 written to /" in result.output and "IDS=FILE" not in result.output
    with (tmp_path / "ids.csv").open() as file:
        table = [row for row in csv.DictReader(file) if row["context"] == "training"]
    assert [(row["sample_id"], row["file"], row["row"]) for row in table] == [
        (everything[4].hex(), "processed/wines.csv", "4"),
        (everything[0].hex(), "processed/wines.csv", "0"),
    ]
    shown = json.loads(run("--json", MODEL="models:/regressor/1").output)
    (training,) = (part for part in shown["parts"] if part["context"] == "training")
    assert training["samples"] == [everything[4].hex(), everything[0].hex()]


@pytest.mark.parametrize("where", ["tags", "params"])
def test_without_a_selection_all_of_it_with_a_note(where: str, world: World, client: MlflowClient) -> None:
    release = world.release("greetings", "1.0.0", greetings())
    train(client, "classifier", **{where: {"dvc_data_version": "greetings-v1.0.0"}})
    found = explain(client, world.root, "classifier/1")
    assert ids(found) == [("training", samples(release))]
    assert found.said_in == where.removesuffix("s")
    text = run("classifier/1").output
    assert "no selection logged (log_dataset does that), so any of the 6 samples of" in " ".join(text.split())
    assert text.endswith("\n  samples   IDS=FILE lists them all, with file and row\n")
    assert max(map(len, text.splitlines())) <= 80


def test_only_a_split_and_a_second_dataset(world: World, client: MlflowClient) -> None:
    release, other = world.release("greetings", "1.0.0", greetings()), world.release("wines", "2.0.0", wines())
    train(
        client,
        "both",
        {"name": "greetings", "version": "1.0.0", "split": "train"},
        {"name": "wines", "version": "2.0.0", "rows": [2]},
    )
    found = explain(client, world.root, "both/1")
    assert sorted(ids(found)) == sorted([("training", samples(release, "train")), ("training", [samples(other)[2]])])
    assert {part.tag: part.how for part in found.parts} == {"greetings-v1.0.0": "all", "wines-v2.0.0": "rows"}


def test_a_selection_for_something_else_does_not_stand_for_the_training(world: World, client: MlflowClient) -> None:
    release = world.release("wines", "1.0.0", wines())
    train(client, "regressor", {"name": "wines", "version": "1.0.0", "rows": [1], "context": "test"})
    found = explain(client, world.root, "regressor/1")
    assert ids(found) == [("training", samples(release)), ("test", [samples(release)[1]])]
    assert [part.how for part in found.parts] == ["not logged", "rows"]


def test_by_alias_and_through_the_run_around(world: World, client: MlflowClient) -> None:
    """As tuning does: the data is named by the run around all trials."""
    release = world.release("wines", "1.0.0", wines())
    experiment: Any = client.get_experiment_by_name("training")
    around = client.create_run(experiment.experiment_id, tags={"dvc_data_version": "wines-v1.0.0"}).info.run_id
    version = train(client, "tuned", tags={"mlflow.parentRunId": around})
    client.set_registered_model_alias("tuned", "champion", version)
    for text in ("tuned@champion", "models:/tuned@champion", "tuned/1"):
        assert ids(explain(client, world.root, text)) == [("training", samples(release))]


def failure(client: MlflowClient, world: World, model: str) -> StageError:
    with pytest.raises(StageError) as error:
        explain(client, world.root, model)
    return error.value


def test_what_is_not_there_is_said_with_what_is(world: World, client: MlflowClient) -> None:
    assert str(failure(client, world, "nope/1")) == (
        "models:/nope: model not found in MLflow; fix: there are no models yet"
    )
    world.release("wines", "1.0.0", wines())
    version = train(client, "regressor", {"name": "wines", "version": "1.0.0"})
    client.set_registered_model_alias("regressor", "champion", version)
    client.register_prompt("ask", "Ask {what}.")
    expected = {
        "nope/1": "models:/nope: model not found in MLflow; fix: use one of the models: regressor",
        "nope@champion": "models:/nope: model not found in MLflow; fix: use one of the models: regressor",
        "regressor/2": "models:/regressor: version 2 not found; fix: use one of the versions: 1, @champion",
        "regressor@nope": "models:/regressor: version @nope not found; fix: use one of the versions: 1, @champion",
    }
    found = {model: failure(client, world, model) for model in expected}
    assert {model: str(error) for model, error in found.items()} == expected
    assert {error.code for error in found.values()} == {InputMissing.code}
    for wrong in ("", "regressor", "regressor/", "regressor/x", "a/b/1", "regressor/-1"):
        assert isinstance(failure(client, world, wrong), UsageError)
        assert run(wrong).exit_code == 2


def test_a_run_that_does_not_say_gets_a_cure(world: World, client: MlflowClient) -> None:
    train(client, "mute")
    error = failure(client, world, "mute/1")
    assert error.what.endswith("has no tag or param dvc_data_version")
    assert error.fix.startswith("call log_dataset in the training, or set that tag on the run")
    train(client, "odd", tags={"dvc_data_version": "main"})
    assert "invalid dvc_data_version 'main' in its run: expected a release tag" in str(failure(client, world, "odd/1"))
    client.create_model_version("odd", "file:///nowhere")
    assert "has no run, so its training data is unknown" in str(failure(client, world, "odd/2"))
    train(client, "old", tags={"dvc_data_version": "gone-v1.0.0"})
    error = failure(client, world, "old/1")
    assert str(error) == "gone-v1.0.0: release not found in this clone; fix: git fetch --tags, then run again"
    assert isinstance(error, InputMissing)


def test_a_tag_that_has_moved_is_found_out(world: World, client: MlflowClient) -> None:
    world.release("greetings", "1.0.0", greetings())
    train(client, "classifier", {"name": "greetings", "version": "1.0.0", "split": "train"})
    git(world.root, "tag", "-d", "greetings-v1.0.0")
    world.release("greetings", "1.0.0", greetings(TRAIN[:2]))
    error = failure(client, world, "classifier/1")
    assert isinstance(error, VerificationFailed) and "differs from the run's" in str(error)

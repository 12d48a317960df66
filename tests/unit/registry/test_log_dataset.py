"""What log_dataset takes as rows: exactly those that the training means, or a refusal that says what to write."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from data_registry import load, log_dataset
from data_registry.stage.errors import CorruptFile, UsageError
from data_registry.training.selection import FOLDER, read_selection
from mlflow import MlflowClient
from registry.cli import cli
from unit.registry.lineage_records import records
from unit.registry.lineage_world import World, make_world, wines

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's, with SQLAlchemy 2.1
COUNT = 200
TABLE = [(float(number), number % 7) for number in range(COUNT)]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = make_world(tmp_path_factory.mktemp("world"))
    world.release("wines", "1.0.0", wines(TABLE))
    return world


@pytest.fixture
def client(shared: World, empty: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MlflowClient]:
    monkeypatch.delenv("DVC_REMOTE", raising=False)
    monkeypatch.setenv("DVC_REPO", str(shared.root))
    monkeypatch.setenv("REGISTRY_ROOT", str(shared.root))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    with records(tmp_path, empty) as found:
        yield found


@pytest.fixture
def shuffled() -> pd.DataFrame:
    """The data as people prepare it: loaded, then shuffled, its index saying which row each is."""
    data: pd.DataFrame = load("wines", "1.0.0").to_pandas()
    return data.sample(frac=1, random_state=3)


def log(client: MlflowClient, rows: Any, context: str = "training") -> Any:
    experiment: Any = client.get_experiment_by_name("training")
    run = client.create_run(experiment.experiment_id)
    return log_dataset("wines", "1.0.0", rows=rows, context=context, client=client, run_id=run.info.run_id)


def logged(client: MlflowClient, done: Any, shared: World) -> list[int]:
    """Return the rows of the file whose ids a run has logged."""
    path = Path(client.download_artifacts(done.run_id, FOLDER)) / Path(done.artifact).name
    known = pq.read_table(shared.root / "data" / "wines" / "samples.parquet").to_pylist()
    row_of = {each["sample_id"]: each["row"] for each in known}
    _, ids = read_selection(path)
    assert ids is not None
    return [row_of[each] for each in ids.to_pylist()]


MEANT: dict[str, Callable[[pd.DataFrame], tuple[Any, list[int]]]] = {
    "mask of a shuffled frame": lambda frame: (frame["quality"] == 3, [row for row in range(COUNT) if row % 7 == 3]),
    "nullable mask of a shuffled frame": lambda frame: (
        (frame["quality"] == 3).astype("boolean"),
        [row for row in range(COUNT) if row % 7 == 3],
    ),
    "index of a part": lambda frame: (frame[:20].index, list(frame.index[:20])),
    "index where a mask is": lambda frame: (
        frame.index[frame["quality"] == 3],
        [row for row in frame.index if row % 7 == 3],
    ),
    "series as array": lambda frame: (pd.Series([4, 2]).to_numpy(), [4, 2]),
    "boolean array of Arrow": lambda _: (pa.array([row == 5 for row in range(COUNT)]), [5]),
    "chunks of Arrow": lambda _: (pa.chunked_array([[4], [2]]), [4, 2]),
    "unsigned": lambda _: (np.array([4, 2], np.uint64), [4, 2]),
    "a mask as a list": lambda _: ([row == 5 for row in range(COUNT)], [5]),
}


@pytest.mark.parametrize("meant", MEANT.values(), ids=MEANT.keys())
def test_rows_are_those_that_are_meant(
    meant: Callable[[pd.DataFrame], tuple[Any, list[int]]],
    client: MlflowClient,
    shared: World,
    shuffled: pd.DataFrame,
) -> None:
    rows, expected = meant(shuffled)
    assert logged(client, log(client, rows), shared) == expected


class ForeignSeries(list[int]):
    """What follows pandas by its names alone."""

    dtype = np.dtype("int64")


ForeignSeries.__name__ = "Series"

REFUSED: dict[str, tuple[Callable[[pd.DataFrame], Any], str]] = {
    "labels": (lambda frame: frame["quality"], "rows=series.index"),
    "row numbers in a Series": (lambda _: pd.Series([3, 1]), "rows=series.to_numpy()"),
    "labels as categories": (lambda frame: frame["quality"].astype("category"), "rows=series.index"),
    "a frame": (lambda frame: frame[:20], "rows=train.index"),
    "a mask with an index of its own": (
        lambda frame: (frame["quality"] == 3).set_axis(range(1, COUNT + 1)),
        "rows=frame.index[mask]",
    ),
    "a mask of a part": (lambda frame: (frame["quality"] == 3)[:20], "rows=frame.index[mask]"),
    "a mask with an index twice": (lambda frame: pd.Series([True] * COUNT, index=[0] * COUNT), "frame.index[mask]"),
    "a mask by names": (lambda _: pd.Series([True] * COUNT, index=list(map(str, range(COUNT)))), "frame.index[mask]"),
    "a mask with gaps": (lambda _: pd.Series([True, None] * (COUNT // 2), dtype="boolean"), "True or False"),
    "a short mask": (lambda _: np.ones(COUNT - 1, bool), "give one value a row"),
    "numbers and a mask": (lambda _: [True, 2], "give a list or array"),
    "integral floats": (lambda _: [1.0, 2.0], "give a list or array"),
    "a mask as numbers": (lambda frame: (frame["quality"] == 3).to_numpy().astype(int), "rows=mask.astype(bool)"),
    "a Series of another library": (lambda _: ForeignSeries([3, 1]), "rows=series.index"),
    "texts": (lambda _: ["1", "2"], "give a list or array"),
    "a text": (lambda _: "1", "give a list or array"),
    "a set": (lambda _: {1, 2}, "give a list or array"),
    "a number": (lambda _: 1, "give a list or array"),
    "ragged": (lambda _: [[1], [2, 3]], "give a list or array"),
    "huge": (lambda _: [10**30], "give a list or array"),
    "above": (lambda _: [COUNT], "check split and version"),
    "below": (lambda _: np.array([-1]), "check split and version"),
    "names as an index": (lambda _: pd.Index(["1", "2"]), "give a list or array"),
    "days as an index": (lambda _: pd.DatetimeIndex(["2020-01-01"]), "give a list or array"),
    "two levels": (lambda _: pd.MultiIndex.from_tuples([(1, 2)]), "give a list or array"),
    "categories as an index": (lambda _: pd.CategoricalIndex([1, 2]), "give a list or array"),
    "categories": (lambda _: pd.Categorical([1, 2]), "give a list or array"),
    "a table of Arrow": (lambda _: pa.table({"row": [1]}), "give a list or array"),
    "a dictionary of Arrow": (lambda _: pa.array([1, 2]).dictionary_encode(), "give a list or array"),
    "a mask of Arrow with gaps": (lambda _: pa.array([True, None] * (COUNT // 2)), "give a list or array"),
    "masked": (lambda _: np.ma.array([1, 2], mask=[False, True]), "give a list or array"),
}


@pytest.mark.parametrize(("rows", "cure"), REFUSED.values(), ids=REFUSED.keys())
def test_rows_that_could_mean_something_else_are_refused(
    rows: Callable[[pd.DataFrame], Any], cure: str, client: MlflowClient, shuffled: pd.DataFrame
) -> None:
    with pytest.raises(UsageError) as error:
        log(client, rows(shuffled))
    assert cure in error.value.fix


@pytest.mark.parametrize("context", ["train", "Training", "", "eval", "val"])
def test_an_unknown_context_is_refused(context: str, client: MlflowClient) -> None:
    with pytest.raises(UsageError) as error:
        log(client, [0], context)
    assert error.value.fix == "use one of: training, validation, test, evaluation"


def test_repeated_rows_are_named(client: MlflowClient, shared: World) -> None:
    done = log(client, [3, 1, 3, 3])
    assert (done.samples, done.repeated) == (4, 2) and logged(client, done, shared) == [3, 1, 3, 3]
    client.create_registered_model("bootstrap")
    client.create_model_version("bootstrap", f"runs:/{done.run_id}/model", done.run_id)
    result = CliRunner().invoke(cli, ["explain", "bootstrap/1"])
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "2 of 200 samples of wines-v1.0.0, selected by rows" in text
    assert "2 of the 4 logged rows are repeated" in text
    (part,) = json.loads(CliRunner().invoke(cli, ["explain", "bootstrap/1", "--json"]).stdout)["parts"]
    assert part["repeated"] == 2 and len(part["samples"]) == 4


def test_a_selection_is_what_its_name_says(client: MlflowClient, tmp_path: Path) -> None:
    """Whoever edits the JSON of a selection, its release as its context, is not believed."""
    done = log(client, [3, 1])
    (path,) = Path(client.download_artifacts(done.run_id, FOLDER, str(tmp_path))).glob("*.json")
    assert read_selection(path)[0].context == "training"
    path.write_text(path.read_text().replace('"training"', '"evaluation"'))
    with pytest.raises(CorruptFile, match="does not match the hash in its name"):
        read_selection(path)


def test_a_run_that_is_its_own_parent(client: MlflowClient) -> None:
    """Once around, and no further: alone, and in a circle of two."""
    first, second = log(client, [0]), log(client, [1])
    client.create_registered_model("circle")
    client.create_model_version("circle", f"runs:/{first.run_id}/model", first.run_id)
    for parent_of_first, parent_of_second in ((first, second), (second, first)):
        client.set_tag(first.run_id, "mlflow.parentRunId", parent_of_first.run_id)
        client.set_tag(second.run_id, "mlflow.parentRunId", parent_of_second.run_id)
        result = CliRunner().invoke(cli, ["explain", "circle/1"])
        assert result.exit_code == 0, result.output
        assert f"run {first.run_id}" in result.stderr and "its own parent" in result.stderr

"""``from registry import load, log_dataset`` works as it did, and says where they are now."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from data_registry.stage.errors import UsageError
from unit.registry.lineage_world import World, consumers_world, greetings, wines


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = consumers_world(tmp_path, monkeypatch)
    world.release("greetings", "1.0.0", greetings())
    world.release("wines", "1.0.0", wines())
    return world


def test_load_returns_what_it_did(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from registry import load

    table = load("wines", "wines-v1.0.0")
    assert isinstance(table, pa.Table) and table.column_names == ["alcohol", "quality"]
    frame = load("greetings", split="train", as_="pandas")
    assert isinstance(frame, pd.DataFrame) and len(frame) == 4
    assert load("greetings", split="val", as_="huggingface")["text"][:] == ["well", "no"]
    both = load("greetings", as_="huggingface")
    assert type(both).__name__ == "DatasetDict" and {name: len(part) for name, part in both.items()} == {
        "train": 4,
        "val": 2,
    }
    assert type(load("wines", as_="huggingface")).__name__ == "Dataset"
    monkeypatch.setattr("data_registry.training.split.Split.to_ray", lambda split: ("ray", split.name))
    assert load("wines", as_="ray") == ("ray", "all")
    with pytest.raises(UsageError) as error:
        load("wines", as_="list")
    assert (error.value.where, error.value.fix) == ("as_", "use one of: arrow, pandas, ray, huggingface")


def run(program: str, folder: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    (folder / "train.py").write_text(program)
    return subprocess.run([sys.executable, *options, "train.py"], cwd=folder, text=True, capture_output=True)


def test_each_says_once_where_it_has_moved(tmp_path: Path) -> None:
    program = "from registry import load, log_dataset\nfrom registry import load\nimport registry\nregistry.load\n"
    done = run(program, tmp_path)
    assert done.returncode == 0 and done.stderr.count("DeprecationWarning") == 2
    for name in ("load", "log_dataset"):
        assert (
            f"train.py:1: DeprecationWarning: registry.{name} has moved: from data_registry import {name}"
            in done.stderr
        )
    assert run("import registry.cli", tmp_path, "-W", "error::DeprecationWarning").returncode == 0


def test_without_the_client_it_says_what_to_install(tmp_path: Path) -> None:
    done = run("import sys\nsys.modules['data_registry'] = None\nfrom registry import load\n", tmp_path)
    assert done.returncode == 1 and 'pip install "data-registry-client @ git+' in done.stderr.splitlines()[-1]

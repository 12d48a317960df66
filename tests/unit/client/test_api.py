"""What the client offers beside load: listing, getting, verifying; and what it says of mistakes."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import data_registry
import mlflow
import pytest
from conftest import git
from data_registry import errors, get, list_releases, load, verify
from unit.registry.lineage_records import records
from unit.registry.lineage_world import TEXTS, Made, World, consumers_world, parquet, rows, wines

LABELS = ("joy", "anger", "love", "fear", "sadness", "surprise")
MODULES = ("downloads", "releases.lookup", "training.log_dataset", "training.split")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """A registry with two releases of emotion and one of wine-quality, in a folder beside the current one."""
    world = consumers_world(tmp_path, monkeypatch)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    (world.root / "data" / "emotion").mkdir(parents=True)
    (world.root / "data" / "emotion" / "params.yaml").write_text("{}\n")
    for version, text in (("1.0.0", "oh"), ("1.1.0", "hello")):
        batch = rows(TEXTS, [(f"{text} {label}", label) for label in LABELS])
        parts = [(split, f"processed/{split}/{split}.parquet", batch) for split in ("train", "val", "test")]
        world.release("emotion", version, Made(TEXTS, ["text"], {file: parquet(batch) for _, file, _ in parts}, parts))
    world.release("wine-quality", "1.0.0", wines())
    return world


@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's, with SQLAlchemy 2.1
def test_the_examples_are_right(world: World, empty: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_NAME", "training")
    names = {name: getattr(data_registry, name) for name in data_registry.__all__}
    with records(tmp_path, empty):  # whose artifacts are in this folder
        mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
        for name in MODULES:
            module = importlib.import_module(f"data_registry.{name}")
            done = doctest.testmod(module, extraglobs={**names, "mlflow": mlflow})
            assert done.attempted and not done.failed, name
        mlflow.set_tracking_uri("")
    assert list((tmp_path / "artifacts").rglob("selection-*.parquet"))


def test_releases_of_a_clone_and_of_a_url(world: World, tmp_path: Path) -> None:
    expected = {"emotion": ["1.0.0", "1.1.0"], "wine-quality": ["1.0.0"]}
    assert list_releases() == expected
    git(tmp_path, "clone", "-q", "--bare", str(world.root), "origin.git")
    assert list_releases(tmp_path / "origin.git") == expected
    with pytest.raises(errors.NetworkFailed):
        list_releases((tmp_path / "nowhere.git").as_uri())


def test_a_release_is_got_and_verified(world: World, tmp_path: Path) -> None:
    amounts: list[int] = []
    assert get("emotion", "1.1.0", "data", progress=amounts.append).fetched == 4
    assert (tmp_path / "here" / "data" / "processed" / "val" / "val.parquet").is_file() and sum(amounts) > 0
    assert get("emotion", "emotion-v1.1.0", tmp_path / "here" / "data").fetched == 0
    verify("emotion", "1.1.0")
    for path in world.store.rglob("*"):
        if path.is_file() and path.read_bytes()[:4] == b"PAR1":
            path.write_bytes(b"other")
    with pytest.raises(errors.VerificationFailed, match=r"is damaged on local \(\d problems in all\)"):
        verify("emotion", "1.1.0")


@pytest.mark.parametrize(
    ("arguments", "where", "fix"),
    [
        (("emotions", "1.0.0"), "dataset", "use one of: emotion, wine-quality"),
        (("wine-quality", "9.0.0"), "version", "use one of: 1.0.0, latest"),
        (("emotion", "v1"), "version", "use one of: 1.0.0, 1.1.0, latest"),
        (("emotion", 1.0), "version", 'write it in quotes, as "1.0.0"'),
        ((3, "1.0.0"), "name", 'write it in quotes, as "emotion"'),
        (("emotion", "1.0.0"), "split", "use one of: train, val, test"),
    ],
)
@pytest.mark.parametrize("kind", ["clone", "url"])
def test_mistakes_are_errors_that_say_what_is_right(
    arguments: tuple[Any, Any], where: str, fix: str, kind: str, world: World, tmp_path: Path
) -> None:
    if kind == "url":
        git(tmp_path, "clone", "-q", "--bare", str(world.root), "origin.git")
    repo = (tmp_path / "origin.git").as_uri() if kind == "url" else None
    with pytest.raises(errors.UsageError) as error:
        load(*arguments, repo=repo)
    assert (error.value.where, error.value.fix, error.value.code) == (where, fix, 2)


def test_a_machine_without_git(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for repo in (None, "https://example.org/registry.git"):
        with pytest.raises(errors.RegistryError, match=r"^git: not found; fix: install git"):
            load("emotion", "1.0.0", repo=repo)


def test_importing_it_loads_nothing_slow_and_nothing_of_the_registry(tmp_path: Path) -> None:
    program = f"""
import sys
for name in ("click", "dvc", "pandas", "ray", "datasets", "mlflow", "registry", "stage", "samples"):
    sys.modules[name] = None
from data_registry import {", ".join(data_registry.__all__)}
print([name for name in sys.modules if name.partition(".")[0] in {{"pyarrow", "numpy", "minio", "botocore", "yaml"}}])
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr

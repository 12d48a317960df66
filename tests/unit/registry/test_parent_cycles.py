"""Datasets that name each other, or themselves, as what they are made from: every command ends."""

import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
from catalog.cli import cli as catalog
from click.testing import CliRunner, Result
from conftest import git
from registry.cli import cli
from unit.registry.lineage_world import World, greetings, make_world, wines
from unit.registry.tiny import commit, make_registry

SECONDS = 120  # in which each test ends, on any machine
PAIR = {"greetings": "wines-v1.0.0", "wines": "greetings-v1.0.0"}
SELF = {"greetings": "greetings-v1.0.0", "wines": "wines-v1.0.0"}


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    def ring(_: int, frame: FrameType | None) -> None:
        raise AssertionError(f"goes on for ever at {frame}")

    before = signal.signal(signal.SIGALRM, ring)
    signal.alarm(SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, list(arguments))


def name_parent(root: Path, name: str, tag: str) -> None:
    params = root / "data" / name / "params.yaml"
    before = params.read_text() if params.exists() else ""
    params.write_text(f"{before}registry: {{dataset: {tag.rpartition('-v')[0] or name}, version: {tag}}}\n")


@pytest.fixture(params=[PAIR, SELF], ids=["pair", "self"])
def parents(request: pytest.FixtureRequest) -> dict[str, str]:
    found: dict[str, str] = request.param
    return found


@pytest.fixture
def world(tmp_path: Path, parents: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> World:
    world = make_world(tmp_path)
    for name, made in (("greetings", greetings()), ("wines", wines())):
        tag = parents[name]
        provenance = {"sample": False, "parents": [{"dataset": tag.rpartition("-v")[0], "version": tag}]}
        (world.root / "data" / name).mkdir(parents=True)
        name_parent(world.root, name, tag)
        world.release(name, "1.0.0", made, provenance=provenance)
    monkeypatch.setenv("REGISTRY_ROOT", str(world.root))
    return world


def test_releases_are_read(world: World, parents: dict[str, str], tmp_path: Path) -> None:
    for name, tag in parents.items():
        shown = run("show", name)
        assert shown.exit_code == 0 and tag in shown.stdout, shown.output
        assert run("verify", name).exit_code == 0
        got = run("get", name, "1.0.0", str(tmp_path / "out" / name))
        assert got.exit_code == 0, got.output
    assert run("verify", "--all").stdout.count("all as released") == 2
    done = CliRunner().invoke(catalog, ["build", "--out", str(tmp_path / "site")])
    assert done.exit_code == 0, done.output
    for name, tag in parents.items():
        pages = [path for path in (tmp_path / "site").rglob("*.html") if name in str(path.relative_to(tmp_path))]
        assert any(tag in path.read_text() for path in pages), pages


@pytest.mark.parametrize("kind", ["pair", "self"])
def test_all_are_built_and_released_once(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = make_registry(tmp_path)
    monkeypatch.setenv("REGISTRY_ROOT", str(clone))
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    pair = {"greetings": "numbers-v1.0.0", "numbers": "greetings-v1.0.0"}
    for name, other in pair.items():
        name_parent(clone, name, other if kind == "pair" else f"{name}-v1.0.0")
        commit(clone, name)
    git(clone, "commit", "-q", "-a", "-m", "x")
    git(clone, "push", "-q")
    built = run("dataset", "all")
    assert built.exit_code == 0 and all(f"{name}: " in built.output for name in pair), built.output
    released = run("bootstrap", "--with-embeddings")
    assert all(f"{name}-v1.0.0: released" in released.output for name in pair), released.output


def test_no_dataset_is_made_from_its_own_working_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = make_registry(tmp_path)
    monkeypatch.setenv("REGISTRY_ROOT", str(clone))
    params = clone / "data" / "greetings" / "params.yaml"
    params.write_text("registry: {dataset: greetings, version: workspace}\n")
    done = run("parent", "--params", str(params), str(params.parent / "folder"))
    assert done.exit_code == 2 and "the dataset is its own parent; fix: " in done.stderr, done.output

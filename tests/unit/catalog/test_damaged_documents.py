"""The catalogue where a document of one dataset is damaged: its page and the exit code say so, the others are whole."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from catalog.cli import cli
from click.testing import CliRunner
from conftest import git
from unit.registry.lineage_world import World, greetings, make_world, wines


def release(world: World, damage: Callable[[Path], None]) -> None:
    """Release greetings with files that are damaged."""
    damage(world.root / "data" / "greetings")
    git(world.root, "add", "-A")
    git(world.root, "commit", "-q", "-a", "--allow-empty", "-m", "damaged")
    git(world.root, "tag", "-a", "-m", "x", "greetings-v1.1.0")


def manifest_of(folder: Path, table: pa.Table) -> None:
    """Put another manifest into the store, and its hash into dvc.lock."""
    pq.write_table(table, folder / "samples.parquet")
    world = World(folder.parents[1], folder.parents[2] / "store")
    lock = yaml.safe_load((folder / "dvc.lock").read_text())
    for out in lock["stages"]["make"]["outs"]:
        if out["path"] == "samples.parquet":
            out.update(world._file(folder, "samples.parquet"))
    (folder / "dvc.lock").write_text(yaml.safe_dump(lock))


def other_footer(columns: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        table = pq.read_table(folder / "samples.parquet")
        footer = {**json.loads(table.schema.metadata[b"data-registry"]), "columns": columns}
        manifest_of(folder, table.replace_schema_metadata({b"data-registry": json.dumps(footer)}))

    return damage


def with_gaps(folder: Path) -> None:
    table = pq.read_table(folder / "samples.parquet")
    gaps = pa.array([None] * len(table), pa.binary(16))
    manifest_of(folder, table.set_column(0, table.schema.field(0), gaps))


DAMAGED: dict[str, tuple[Callable[[Path], object], str, int]] = {
    "metadata": (lambda folder: (folder / "metadata.json").write_text("["), "1.1.0 is left out", 42),
    "metadata of another shape": (
        lambda folder: (folder / "metadata.json").write_text('{"logical_hash": 3}'),
        "expected a string, got an integer",
        42,
    ),
    "lock": (lambda folder: (folder / "dvc.lock").write_text("stages: []"), "expected a mapping, got a list", 42),
    "front matter": (
        lambda folder: (folder / "README.md").write_text("---\na: [\n---\n# Greetings\n"),
        "greetings README.md is left out",
        23,
    ),
    "croissant": (
        lambda folder: (folder / "croissant.json").write_text("[" * 100_000),
        "greetings-v1.1.0 croissant.json is left out",
        23,
    ),
    "manifest that is a table": (
        lambda folder: manifest_of(folder, pa.table({"x": [1]})),
        "is not a sample manifest",
        42,
    ),
    "manifest with gaps": (with_gaps, "has rows without sample_id", 42),
    "columns that are numbers": (other_footer([1, 2]), "is not a sample manifest", 42),
    "columns of an unknown type": (other_footer([["text", "tensor<"], ["label", "string"]]), "unknown type", 23),
    "columns nested without end": (other_footer([["text", "list<" * 9999], ["label", "string"]]), "not a sample", 42),
    "params": (lambda folder: (folder / "params.yaml").write_text("- 1"), "params.yaml is left out", 2),
}  # fmt: skip


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    world = make_world(tmp_path_factory.mktemp("world"))
    world.release("greetings", "1.0.0", greetings())
    world.release("wines", "1.0.0", wines())
    return world.root.parent


@pytest.mark.parametrize(("damage", "said", "code"), DAMAGED.values(), ids=DAMAGED.keys())
def test_one_damaged_document_costs_one_page(
    damage: Callable[[Path], None],
    said: str,
    code: int,
    released: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shutil.copytree(released, tmp_path / "world")
    world = World(tmp_path / "world" / "clone", tmp_path / "world" / "store")
    config = world.root / ".dvc" / "config"
    config.write_text(config.read_text().replace(str(released), str(world.root.parent)))
    monkeypatch.setenv("REGISTRY_ROOT", str(world.root))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    release(world, damage)
    result = CliRunner().invoke(cli, ["build"])
    assert result.exit_code == code, (result.output, result.exception)
    assert result.stderr.strip().splitlines()[-1].startswith("error: ")
    pages = world.root / "site" / "datasets"
    assert said in (pages / "greetings.html").read_text().replace("&#39;", "'")
    wine = (pages / "wines.html").read_text()
    assert "left out" not in wine and "from data_registry import load" in wine
    assert "wines.html" in (world.root / "site" / "index.html").read_text()

"""A registry that Argo could build: ``letters``, three stages of a tiny table, and ``index``, made of its release.

``work`` is what the pods of the stages would do in the clone of a workspace.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from cluster.steps.plan import make_plan
from cluster.steps.workspace import Plan, Workspace, clean
from cluster.templates.stages import Stage, digest, resolved_stages
from conftest import git
from data_registry.samples import ManifestWriter, logical_hash
from data_registry.stage.errors import StageError
from registry.datasets import find_datasets
from unit.registry.tiny import CONFIG, SCHEMA, another_clone, configure

TABLE = "processed/train/data.csv"
COUNTS = "processed/process_stats.json"
IGNORED = f"/data/*/raw/\n/data/*/processed/*\n!/data/*/{COUNTS}\n/data/*/samples.parquet\n/data/*/parent/\n"
IMAGES = "images:\n" + "".join(f"  {name}: registry/{name}:src-1\n" for name in ("fetcher", "parquetizer", "stats"))
LETTERS = """\
vars: [../images.yaml]
stages:
  fetcher:
    cmd: ../../tools/run fetcher sources.csv raw
    deps: [sources.csv]
    params: [fetcher, ../images.yaml: [images.fetcher]]
    outs: [raw]
  parquetizer:
    cmd: ../../tools/run parquetizer raw processed samples.parquet
    deps: [raw]
    params: [parquetizer, ../images.yaml: [images.parquetizer]]
    outs: [processed/train, processed/process_stats.json: {cache: false}, samples.parquet]
  stats:
    cmd: ../../tools/run stats processed samples.parquet metadata.json
    deps: [processed/train, processed/process_stats.json, samples.parquet]
    params: [dataset, ../images.yaml: [images.stats]]
    metrics: [metadata.json: {cache: false}]
"""
INDEX = """\
vars: [../images.yaml]
stages:
  registry:
    cmd: ../../tools/run registry parent --params params.yaml parent
    params: [registry.dataset, registry.version]
    outs: [parent]
  stats:
    cmd: ../../tools/run stats parent metadata.json
    deps: [parent]
    params: [dataset, ../images.yaml: [images.stats]]
    metrics: [metadata.json: {cache: false}]
"""
FILES = {
    ".dvc/config": CONFIG,
    ".dvc/.gitignore": "/config.local\n/tmp\n/cache\n",
    ".gitignore": IGNORED,
    "tools/run": "a stand-in: nothing is run here\n",
    "data/images.yaml": IMAGES,
    "data/letters/dvc.yaml": LETTERS,
    "data/letters/params.yaml": "dataset: {title: Letters}\nfetcher: {keys: [a, b, c]}\nparquetizer: {factor: 1}\n",
    "data/letters/sources.csv": "name,url,sha256,bytes\n",
    "data/letters/README.md": "Letters.\n",
    f"data/letters/{COUNTS}": "{}\n",
    "data/index/dvc.yaml": INDEX,
    "data/index/params.yaml": "dataset: {title: Index}\nregistry: {dataset: letters, version: workspace}\n",
}


def make_world(folder: Path) -> Path:
    """Make a bare origin and a clone, nothing built; the store and the workspace will be beside them."""
    for name, text in FILES.items():
        write(folder / "clone" / name, text)
    git(folder, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(folder / "clone", "init", "-q", "-b", "main")
    configure(folder / "clone")
    git(folder / "clone", "remote", "add", "origin", "../origin.git")
    push(folder / "clone")
    return folder


def write(path: Path, text: str) -> None:
    """Write a file, and the folders that it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def change(clone: Path, path: str, before: str, after: str) -> None:
    """Change a file of the clone."""
    text = (clone / path).read_text()
    assert before in text
    (clone / path).write_text(text.replace(before, after))


def push(clone: Path, branch: str = "main") -> str:
    """Commit everything, push it, and return the commit."""
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "Change")
    git(clone, "push", "-q", "origin", f"HEAD:{branch}")
    return git(clone, "rev-parse", "HEAD").strip()


def copy(world: Path, folder: Path) -> Path:
    """Copy all of it, so that a test may do what it likes there."""
    copied = Path(shutil.copytree(world, folder / "world", symlinks=True))
    if (copied / "repo").exists():
        git(copied / "repo", "remote", "set-url", "origin", "../origin.git")
    return copied


def stages(world: Path, name: str = "letters") -> list[Stage]:
    """Return the stages that the clone has."""
    return resolved_stages(find_datasets(world / "clone", name)[0], world / "clone")


def plan(world: Path, name: str = "letters", **changes: object) -> Plan:
    """Make the plan of a workflow, by default of a current template."""
    changes = {"template": digest(stages(world, name)), **changes}
    return make_plan(Workspace(world), str(world / "origin.git"), "local", name, **changes)  # type: ignore[arg-type]


def refused(code: int, message: str, call: Callable[[], object]) -> None:
    """Expect an error of a stage."""
    with pytest.raises(StageError) as caught:
        call()
    assert caught.value.code == code and message in str(caught.value), str(caught.value)


def elsewhere(world: Path, path: str) -> None:
    """Somebody else changes a file on main."""
    other = another_clone(world, "other")
    write(other / path, "news")
    push(other)


def work(workspace: Workspace, plan: Plan) -> None:
    """Run the stages of ``letters`` that a plan says, each after its clean-up."""
    folder = workspace.dataset(plan).folder
    for stage in plan.run:
        clean(workspace, stage)
        params = yaml.safe_load((folder / "params.yaml").read_text())
        {"fetcher": _fetch, "parquetizer": _parquetize, "stats": _summarise}[stage](folder, params)


def _fetch(folder: Path, params: dict[str, Any]) -> None:
    write(folder / "raw" / "keys.txt", "\n".join(params["fetcher"]["keys"]))


def _parquetize(folder: Path, params: dict[str, Any]) -> None:
    keys = (folder / "raw" / "keys.txt").read_text().split()
    values = [number * params["parquetizer"]["factor"] for number, _ in enumerate(keys)]
    write(folder / TABLE, "".join(f"{key},{value}\n" for key, value in zip(keys, values, strict=True)))
    write(folder / COUNTS, json.dumps({"rows": len(keys)}))
    with ManifestWriter(folder / "samples.parquet", SCHEMA, ["key"]) as writer:
        batch = pa.record_batch([pa.array(keys), pa.array(values)], schema=SCHEMA)
        writer.add(batch, split="all", file=TABLE, source="keys.txt")
        writer.finish({TABLE: _sha256(folder / TABLE)})


def _summarise(folder: Path, params: dict[str, Any]) -> None:
    table = folder / TABLE
    rows = len(table.read_text().splitlines())
    metadata = {
        "dataset": {"name": folder.name, **params["dataset"]},
        "schema": {"features": {"key": {"dtype": "string"}, "value": {"dtype": "int64"}}},
        "summary": {"num_samples": rows, "num_features": 2},
        "checks": {"warnings": []},
        "files": {TABLE: {"sha256": _sha256(table), "bytes": table.stat().st_size}},
        "provenance": {"sample": False, "sources": [], "params": {}, "tools": {}},
        "logical_hash": logical_hash(folder / "samples.parquet"),
    }
    write(folder / "metadata.json", json.dumps(metadata, indent=2) + "\n")


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

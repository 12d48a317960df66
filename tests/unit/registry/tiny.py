"""A registry of two tiny datasets, complete but for the tools: what a release needs, made in a second."""

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from unittest import mock

import pyarrow as pa
from conftest import GIT, git
from data_registry.samples import ManifestWriter, logical_hash
from dvc.repo import Repo

NAMES = ("greetings", "numbers")
SCHEMA = pa.schema([("key", pa.string()), ("value", pa.int64())])
ROWS = (("a", 1), ("b", 2), ("c", 3))
PIPELINE = """\
stages:
  make:
    cmd: "true"
    deps: [params.yaml]
    outs: [processed/data.csv, folder, samples.parquet]
    metrics: [metadata.json: {cache: false}]
"""
CONFIG = """\
[core]
    remote = local
    analytics = false
['remote "local"']
    url = ../../store
    verify = true
"""
PROGRAMS = Path(sys.executable).parent


def make_registry(folder: Path, names: Iterable[str] = NAMES) -> Path:
    """Make a bare origin, a store and a clone with the datasets built and committed; return the clone."""
    clone = folder / "clone"
    (clone / ".dvc").mkdir(parents=True)
    (clone / ".dvc" / "config").write_text(CONFIG)
    (clone / ".dvc" / ".gitignore").write_text("/config.local\n/tmp\n/cache\n")
    (clone / ".gitignore").write_text("/data/*/processed/\n/data/*/folder/\n/data/*/samples.parquet\n.*.tmp-*\n")
    (clone / "tools").mkdir()
    (clone / "tools" / "run").write_text("a stand-in: nothing is built here\n")
    git(folder, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(clone, "init", "-q", "-b", "main")
    configure(clone)
    git(clone, "remote", "add", "origin", "../origin.git")
    for name in names:
        build(clone, name, ROWS)
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "Built")
    git(clone, "push", "-q", "-u", "origin", "main")
    return clone


def configure(clone: Path) -> None:
    """Say who works here."""
    git(clone, "config", "user.name", "Tester")
    git(clone, "config", "user.email", "tester@localhost")
    git(clone, "config", "commit.gpgsign", "false")


def another_clone(folder: Path, name: str) -> Path:
    """Return a second clone of the same origin, with a store at the same place."""
    git(folder, "clone", "-q", "origin.git", name)
    configure(folder / name)
    return folder / name


def build(
    clone: Path,
    name: str,
    rows: Iterable[tuple[str, int]],
    note: str = "",
    sample: bool = False,
    schema: pa.Schema = SCHEMA,
) -> None:
    """Build a dataset, as its stages would: table, folder, manifest, metadata, lock."""
    dataset = clone / "data" / name
    (dataset / "processed").mkdir(parents=True, exist_ok=True)
    (dataset / "folder" / "in").mkdir(parents=True, exist_ok=True)
    rows = list(rows)
    (dataset / "dvc.yaml").write_text(PIPELINE)
    (dataset / "params.yaml").write_text(f"dataset: {{name: {name}, note: '{note}'}}\n")
    (dataset / "sources.csv").write_text("name,url,sha256,bytes\n")
    table = "key,value\n" + "".join(f"{key},{value}\n" for key, value in rows)
    (dataset / "processed" / "data.csv").write_text(table)
    for key, value in rows:
        (dataset / "folder" / "in" / f"{key}.txt").write_text(f"{name} {key} {value}\n")
    digest = hashlib.sha256(table.encode()).hexdigest()
    with ManifestWriter(dataset / "samples.parquet", schema, ["key"]) as writer:
        batch = pa.record_batch([pa.array(list(column)) for column in zip(*rows, strict=True)], schema=schema)
        writer.add(batch, split="all", file="processed/data.csv", source="a.csv")
        writer.finish({"processed/data.csv": digest})
    metadata = {
        "dataset": {"name": name, "title": note},
        "schema": {"features": {"key": {"dtype": "string"}, "value": {"dtype": "int64"}}},
        "summary": {"num_samples": len(rows), "num_features": 2},
        "checks": {"warnings": []},
        "files": {"processed/data.csv": {"sha256": digest, "bytes": len(table)}},
        "provenance": {"sample": sample, "sources": [], "params": {}, "tools": {}},
        "logical_hash": logical_hash(dataset / "samples.parquet"),
    }
    (dataset / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
    commit(clone, name)


def commit(clone: Path, name: str) -> None:
    """Take a dataset as it is into DVC's cache and its lock, as ``dvc commit -f`` does, within this process."""
    site = {"DVC_SITE_CACHE_DIR": str(clone / ".dvc" / "tmp" / "site")}
    with contextlib.chdir(clone), mock.patch.dict(os.environ, site), Repo(str(clone)) as repo:
        repo.commit(f"data/{name}/dvc.yaml", force=True)


def tags(origin: Path) -> dict[str, str]:
    """Return the objects that the origin's tags point to."""
    lines = subprocess.run(
        [*GIT, "for-each-ref", "--format=%(refname:short) %(objectname)", "refs/tags"],
        cwd=origin,
        text=True,
        capture_output=True,
        check=True,
    ).stdout.splitlines()
    return dict(line.split(" ") for line in lines)

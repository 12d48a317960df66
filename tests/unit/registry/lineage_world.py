"""A registry whose releases are made by hand in milliseconds: a store, git, tags; and MLflow's records beside it.

Datasets of each shape: ``greetings`` (texts in two splits, keyed), ``wines`` (a CSV without a key), ``xrays`` (images
with conversations) and ``notes`` (documents).
"""

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
import yaml
from conftest import git
from data_registry.git import Git
from data_registry.releases.lookup import find_release
from data_registry.releases.release import Release
from data_registry.samples import ManifestWriter, logical_hash

CONFIG = """\
[core]
    remote = local
['remote "local"']
    url = {store}
"""
TEXTS = pa.schema([("text", pa.string()), ("label", pa.string())])
WINES = pa.schema([("alcohol", pa.float64()), ("quality", pa.int64())])
TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
XRAYS = pa.schema([("image", pa.binary()), ("conversations", pa.list_(TURN))])
NOTES = pa.schema([("name", pa.string()), ("text", pa.string())])
TRAIN = [("hello", "joy"), ("go away", "anger"), ("oh", "joy"), ("hello", "love")]
VAL = [("well", "joy"), ("no", "anger")]
WINE_ROWS = [(9.4, 5), (9.8, 6), (10.5, 7), (9.4, 5), (11.0, 8)]


@dataclasses.dataclass(frozen=True)
class Made:
    """What a dataset is made of: files by path, folders that are one output, and the manifest's parts."""

    schema: pa.Schema
    key: list[str]
    files: dict[str, bytes]
    parts: list[tuple[str, str, pa.RecordBatch]]  # split, file, samples
    folders: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class World:
    """A clone, and the folder that its remote is."""

    root: Path
    store: Path

    def release(self, name: str, version: str, made: Made, **metadata: Any) -> Release:
        """Build a dataset in the clone, put its objects into the store, commit and tag it."""
        self.build(name, made, **metadata)
        return self.tag(name, version)

    def tag(self, name: str, version: str) -> Release:
        """Commit and tag a dataset as it is."""
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "--allow-empty", "-m", f"{name} {version}")
        found = json.loads((self.root / "data" / name / "metadata.json").read_text())["logical_hash"]
        sha256 = hashlib.sha256((self.root / "data" / name / "metadata.json").read_bytes()).hexdigest()
        message = f"{name} {version}\n\nlogical-hash: {found}\nmetadata-sha256: {sha256}\n"
        git(self.root, "tag", "-a", f"{name}-v{version}", "-m", message)
        return find_release(Git(self.root), name, version)

    def build(self, name: str, made: Made, **more: Any) -> Path:
        """Write a dataset's files, manifest, metadata and lock; its objects go into the store."""
        folder = self.root / "data" / name
        for path, data in made.files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        manifest = folder / "samples.parquet"
        with ManifestWriter(manifest, made.schema, made.key) as writer:
            for split, file, batch in made.parts:
                writer.add(batch, split=split, file=file, source="raw.txt")
            sha256 = {file: hashlib.sha256(made.files[file]).hexdigest() for _, file, _ in made.parts}
            writer.finish(sha256)
        metadata = {
            "dataset": {"name": name, "title": f"The {name}", "description": "Made by hand. " * 9, "licence": "none"},
            "schema": {"features": {each.name: {"dtype": str(each.type)} for each in made.schema}},
            "splits": _splits(made),
            "checks": {"warnings": []},
            "provenance": {
                "sample": False,
                "sources": [{"name": "raw.txt", "sha256": "ab" * 32, "bytes": 7, "urls": ["https://example.org/raw"]}],
                "params": {"fetcher": {"jobs": 8}, "parquetizer": {"key": made.key}},
                "tools": {"stats": "data-registry/stats:src-0123456789ab"},
            },
            "logical_hash": logical_hash(manifest),
            **more,
        }
        (folder / "metadata.json").write_text(json.dumps(metadata, indent=2) + "\n")
        alone = [path for path in made.files if not path.startswith(tuple(f"{each}/" for each in made.folders))]
        self.lock(folder, alone, made.folders)
        return folder

    def lock(self, folder: Path, alone: list[str], folders: tuple[str, ...] = ()) -> None:
        """Write dvc.yaml and dvc.lock of a built dataset; the objects of its files and folders go into the store."""
        outs = [self._folder(folder, each) for each in folders]
        outs += [self._file(folder, path) for path in [*alone, "samples.parquet", "metadata.json"]]
        stage = {"cmd": "true", "outs": [each["path"] for each in outs]}
        (folder / "dvc.yaml").write_text(yaml.safe_dump({"stages": {"make": stage}}))
        locked = {"schema": "2.0", "stages": {"make": {"cmd": "true", "outs": outs}}}
        (folder / "dvc.lock").write_text(yaml.safe_dump(locked))
        ignored = [f"/{each}" for each in [*folders, *alone, "samples.parquet"]]
        (folder / ".gitignore").write_text("\n".join(ignored) + "\n")

    def object(self, md5: str) -> Path:
        return self.store / "files" / "md5" / md5[:2] / md5[2:]

    def _put(self, data: bytes, ending: str = "") -> str:
        md5 = hashlib.md5(data).hexdigest() + ending
        self.object(md5).parent.mkdir(parents=True, exist_ok=True)
        self.object(md5).write_bytes(data)
        return md5

    def _file(self, folder: Path, path: str) -> dict[str, Any]:
        data = (folder / path).read_bytes()
        return {"path": path, "hash": "md5", "md5": self._put(data), "size": len(data)}

    def _folder(self, folder: Path, path: str) -> dict[str, Any]:
        files = sorted(each for each in (folder / path).rglob("*") if each.is_file())
        entries = [
            {"md5": self._put(each.read_bytes()), "relpath": each.relative_to(folder / path).as_posix()}
            for each in files
        ]
        size = sum(each.stat().st_size for each in files)
        return {"path": path, "hash": "md5", "md5": self._put(json.dumps(entries).encode(), ".dir"), "size": size}


def make_world(folder: Path) -> World:
    """Make an empty registry."""
    world = World(folder / "clone", folder / "store")
    (world.root / ".dvc").mkdir(parents=True)
    (world.root / ".dvc" / "config").write_text(CONFIG.format(store=world.store))
    (world.root / ".gitignore").write_text("/.dvc/tmp\n/.dvc/cache\n/.local\n")
    (world.root / "tools").mkdir()
    (world.root / "tools" / "run").touch()
    git(world.root, "init", "-q", "-b", "main")
    return world


def consumers_world(folder: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    """Return a world whose registry this process reads as a consumer's does: by DVC_REPO, with a cache of its own."""
    world = make_world(folder)
    for name in ("DVC_REPO_URL", "DVC_REMOTE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DVC_REPO", str(world.root))
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    return world


def greetings(train: list[tuple[str, str]] = TRAIN, val: list[tuple[str, str]] = VAL) -> Made:
    parts = [(split, f"processed/{split}/{split}.parquet", rows(TEXTS, part)) for split, part in two(train, val)]
    return Made(TEXTS, ["text"], {file: parquet(batch) for _, file, batch in parts}, parts)


def wines(table: list[tuple[float, int]] = WINE_ROWS) -> Made:
    batch = rows(WINES, table)
    sink = pa.BufferOutputStream()
    pa_csv.write_csv(pa.table(batch), sink, pa_csv.WriteOptions(quoting_style="needed"))
    file = "processed/wines.csv"
    return Made(WINES, [], {file: sink.getvalue().to_pybytes()}, [("all", file, batch)])


def xrays(images: tuple[bytes, ...] = (b"one", b"two", b"three")) -> Made:
    files, parts, number = {}, [], 0
    for split, chosen in (("train", images[:2]), ("test", images[2:])):
        entries = []
        for image in chosen:
            name = f"{split}_xray_{number:06d}.jpg"
            turns = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": f"no {number}"}]
            entries.append({"image": name, "conversations": turns})
            files[f"processed/{split}/images/{name}"] = image
            number += 1
        file = f"processed/{split}/annotations.json"
        files[file] = json.dumps(entries, indent=2).encode()
        batch = rows(XRAYS, [(image, entry["conversations"]) for image, entry in zip(chosen, entries, strict=True)])
        parts.append((split, file, batch))
    return Made(XRAYS, ["image"], files, parts, ("processed/train", "processed/test"))


def notes(texts: dict[str, str] | None = None) -> Made:
    texts = {"a_README.md": "# A\n\nFirst.\n", "b_README.md": "# B\n"} if texts is None else texts
    parts = [("all", f"raw/{name}", rows(NOTES, [(name, text)])) for name, text in sorted(texts.items())]
    return Made(NOTES, ["name"], {f"raw/{name}": text.encode() for name, text in texts.items()}, parts, ("raw",))


def rows(schema: pa.Schema, values: list[tuple[Any, ...]]) -> pa.RecordBatch:
    columns = list(zip(*values, strict=True)) or [()] * len(schema)
    arrays = [pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.record_batch(arrays, schema=schema)


def two(train: Any, val: Any) -> tuple[tuple[str, Any], tuple[str, Any]]:
    return ("train", train), ("val", val)


def parquet(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(batch), sink)
    found: bytes = sink.getvalue().to_pybytes()
    return found


def _splits(made: Made) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for split, _, batch in made.parts:
        each = found.setdefault(split, {"num_samples": 0})
        each["num_samples"] += batch.num_rows
        if "label" in batch.schema.names:
            labels = batch["label"].to_pylist()
            each["label_distribution"] = {label: labels.count(label) for label in dict.fromkeys(labels)}
    return found

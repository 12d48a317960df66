"""A split of a release as its consumers want it, every byte verified."""

import datetime
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import git
from data_registry import load, load_splits
from data_registry.samples import Column, digests, encode, schema_of
from data_registry.samples.manifest import ROWS
from data_registry.stage.errors import ChecksumMismatch, NetworkFailed, UsageError
from data_registry.store.manifests import fetch_manifest
from data_registry.store.protocol import Absent
from data_registry.training.sample_files import read_table
from datasets import Audio, Image, List, Value
from unit.registry.lineage_world import (
    Made,
    World,
    consumers_world,
    greetings,
    make_world,
    notes,
    parquet,
    wines,
    xrays,
)

MADE: dict[str, Made] = {"greetings": greetings(), "wines": wines(), "xrays": xrays(), "notes": notes()}


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    world = consumers_world(tmp_path, monkeypatch)
    return world


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("greetings", "train"),
        ("greetings", "val"),
        ("wines", None),
        ("xrays", "train"),
        ("xrays", "test"),
        ("notes", None),
    ],
)
def test_arrow_has_the_very_samples_of_the_manifest(name: str, split: str | None, world: World) -> None:
    release = world.release(name, "1.0.0", MADE[name])
    table = load(name, "1.0.0", split=split).to_arrow()
    assert table.schema == MADE[name].schema
    manifest = pq.read_table(fetch_manifest(release)).to_pylist()
    expected = [each["content_hash"] for each in manifest if split in {None, each["split"]}]
    hashes = [digest.tobytes() for batch in table.combine_chunks().to_batches() for digest in digests(encode(batch))]
    assert hashes == expected


def test_splits_of_more_rows_than_a_row_group_of_the_manifest_has(world: World) -> None:
    world.release("greetings", "1.0.0", greetings([(f"hello {number}", "joy") for number in range(ROWS)]))
    assert [load("greetings", split=split).num_rows for split in ("train", "val")] == [ROWS, 2]


@pytest.mark.extended
def test_pandas_ray_and_hugging_face(world: World) -> None:
    """In a process of its own, for Ray starts servers."""
    world.release("greetings", "1.0.0", greetings())
    world.release("wines", "1.0.0", wines())
    program = """
import json, ray
from data_registry import load, load_splits
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
hugging = load("greetings", "greetings-v1.0.0", split="val").to_huggingface()
print(json.dumps({
    "pandas": load("greetings", "1.0.0", split="train").to_pandas().to_dict("list"),
    "ray": sorted(load("greetings", split="train").to_ray().take_all(), key=lambda row: row["text"]),
    "ray, a table": load("wines").to_ray().count(),
    "huggingface": [type(hugging).__name__, hugging["text"][:]],
    "splits": {name: len(split) for name, split in load_splits("greetings").items()},
    "wines": str(load("wines").to_pandas().dtypes.to_dict()),
}))
"""
    known = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", program], env=known, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == {
        "pandas": {"text": ["hello", "go away", "oh", "hello"], "label": ["joy", "anger", "joy", "love"]},
        "ray": [
            {"text": "go away", "label": "anger"},
            {"text": "hello", "label": "joy"},
            {"text": "hello", "label": "love"},
            {"text": "oh", "label": "joy"},
        ],
        "ray, a table": 5,
        "huggingface": ["Dataset", ["well", "no"]],
        "splits": {"train": 4, "val": 2},
        "wines": "{'alcohol': dtype('float64'), 'quality': dtype('int64')}",
    }


def test_a_split_says_what_it_is(world: World) -> None:
    world.release("greetings", "1.0.0", greetings())
    train = load("greetings", "1.0.0", split="train")
    assert repr(train) == "Split(greetings-v1.0.0, name='train', num_rows=4, columns=['text', 'label'])"
    assert (len(train), train.num_rows, train.columns) == (4, 4, ["text", "label"])
    assert train.schema == train.to_arrow().schema
    assert [path.is_file() for path in map(train.paths.get, train.files) if path] == [True]
    assert {split.name for split in load_splits("greetings").values()} == {"train", "val"}


def test_integers_and_booleans_with_nulls_keep_their_values_in_pandas(world: World) -> None:
    columns = {"big": (pa.int64(), 2**53 + 1), "small": (pa.uint8(), 3), "truth": (pa.bool_(), True)}
    schema = pa.schema([(name, kind) for name, (kind, _) in columns.items()])
    batch = pa.record_batch([pa.array([value, None], kind) for kind, value in columns.values()], schema=schema)
    file = "processed/odd.parquet"
    world.release("odd", "1.0.0", Made(schema, [], {file: parquet(batch)}, [("all", file, batch)]))
    frame = load("odd", "1.0.0").to_pandas()
    assert list(map(str, frame.dtypes)) == ["Int64", "UInt8", "boolean"]
    assert frame.iloc[0].to_list() == [2**53 + 1, 3, True] and frame.iloc[1].isna().all()


def cached(tmp_path: Path) -> list[str]:
    folder = tmp_path / "cache" / "data-registry"
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_only_the_split_is_fetched_and_only_once(world: World, tmp_path: Path) -> None:
    world.release("xrays", "1.0.0", xrays())
    load("xrays", "1.0.0", split="test")
    found = [path for path in cached(tmp_path) if ".lists" not in path]
    assert found == [
        "xrays-v1.0.0/processed/test/annotations.json",
        "xrays-v1.0.0/processed/test/images/test_xray_000002.jpg",
    ]
    world.store.rename(tmp_path / "gone")
    assert len(load("xrays", "1.0.0", split="test")) == 1
    with pytest.raises(Absent, match=r"object \S+ not found"):
        load("xrays", "1.0.0", split="train")


def test_a_damaged_copy_is_fetched_again_and_a_damaged_object_refused(world: World, tmp_path: Path) -> None:
    world.release("wines", "1.0.0", wines())
    load("wines", "1.0.0")
    copy = tmp_path / "cache" / "data-registry" / "wines-v1.0.0" / "processed" / "wines.csv"
    good = copy.read_bytes()
    copy.write_bytes(good.replace(b"9.4", b"9.5"))
    assert load("wines", "1.0.0").to_arrow()["alcohol"][0].as_py() == 9.4 and copy.read_bytes() == good
    for path in world.store.rglob("*"):
        if path.is_file() and path.read_bytes() == good:
            path.write_bytes(good.replace(b"9.4", b"9.5"))
    copy.unlink()
    with pytest.raises(ChecksumMismatch, match="is damaged: "):
        load("wines", "1.0.0")
    assert not copy.exists()


def test_from_a_url_without_a_clone(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world.release("wines", "1.0.0", wines())
    world.release("wines", "1.1.0", wines([(1.0, 1)]))
    git(tmp_path, "clone", "-q", "--bare", str(world.root), "origin.git")
    monkeypatch.delenv("DVC_REPO")
    monkeypatch.setenv("DVC_REPO_URL", (tmp_path / "origin.git").as_uri())
    assert len(load("wines", "1.0.0")) == 5 and len(load("wines")) == 1
    with pytest.raises(UsageError, match=r"wines 2.0.0 not found; fix: use one of: 1.0.0, 1.1.0, latest"):
        load("wines", "2.0.0")
    with pytest.raises(NetworkFailed):
        load("wines", "1.0.0", repo=(tmp_path / "nowhere.git").as_uri())


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({}, "split: not given, and greetings-v1.0.0 has several; fix: use one of: train, val"),
        ({"split": "test"}, "split: 'test' not found in greetings-v1.0.0; fix: use one of: train, val"),
        ({"split": 1}, 'split: expected a string, got 1; fix: write it in quotes, as "train"'),
        ({"split": "train", "remote": "no"}, "DVC_REMOTE: unknown remote 'no'; fix: use one of: local"),
    ],
)
def test_what_there_is_not_is_said(wanted: dict[str, Any], message: str, world: World) -> None:
    world.release("greetings", "1.0.0", greetings())
    with pytest.raises(UsageError) as error:
        load("greetings", "1.0.0", **wanted)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("method", "module", "package"),
    [
        ("to_pandas", "pandas", "pandas"),
        ("to_huggingface", "datasets", "datasets"),
        ("to_ray", "ray.data", "ray[data]"),
    ],
)
def test_a_library_that_is_missing_is_named(
    method: str, module: str, package: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.release("wines", "1.0.0", wines())
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(UsageError) as error:
        getattr(load("wines", "1.0.0"), method)()
    assert (error.value.where, error.value.fix) == (module, f"pip install '{package}'")


def test_vectors_come_along_though_no_sample_has_them(tmp_path: Path) -> None:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array([0.6, 0.8], pa.float32()), 2)
    pq.write_table(pa.table({"id": ["a"], "embedding": vectors}), tmp_path / "x.parquet")
    found = read_table(["x.parquet"], {"x.parquet": tmp_path / "x.parquet"}, pa.schema([("id", pa.string())]))
    assert found.column_names == ["id", "embedding"] and found["embedding"].type == vectors.type


def test_a_text_of_megabytes_in_a_csv_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"text\nshort\n{'word ' * 700_000}\n")
    found = read_table(["a.csv"], {"a.csv": tmp_path / "a.csv"}, pa.schema([("text", pa.string())]))
    assert [len(text) for text in found["text"].to_pylist()] == [5, 3_500_000]


def test_texts_that_a_csv_file_lacks_are_those_of_the_manifest(tmp_path: Path) -> None:
    """Of releases that the parquetizer would refuse today: an empty text may be one, or missing."""
    world, file = make_world(tmp_path), "processed/odd.csv"
    values = [("a", "x", 1), ("", "y", 2), (None, "z", 3), ("", None, 4), (None, "", 5), (None, None, 6), ("", "", 7)]
    schema = pa.schema([("one", pa.string()), ("two", pa.string()), ("number", pa.int64())])
    batch = pa.record_batch([pa.array(list(each)) for each in zip(*values, strict=True)], schema=schema)
    lines = [f"{one or ''},{two or ''},{number}\n" for one, two, number in values]
    data = "".join(["one,two,number\n", *lines]).encode()
    world.release("odd", "1.0.0", Made(schema, [], {file: data}, [("all", file, batch)]))
    split = load("odd", repo=str(world.root))
    assert split.to_arrow().to_pylist() == batch.to_pylist()
    assert split.to_huggingface().to_list() == batch.to_pylist()


TYPED: dict[str, Any] = {
    "date": datetime.date(2024, 2, 29),
    "timestamp[s]": datetime.datetime(1, 2, 3),
    "timestamp[ms, Europe/Berlin]": datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC),
    "timestamp[us, UTC]": datetime.datetime(2024, 2, 29, 12, 0, 0, 1, tzinfo=datetime.UTC),
    "timestamp[ns]": datetime.datetime(2024, 2, 29, 12, 0, 0, 1),
    "time[s]": datetime.time(1, 2, 3),
    "time[us]": datetime.time(1, 2, 3, 4),
    "duration[ms]": datetime.timedelta(days=-1, milliseconds=5),
    "decimal(10, 2)": Decimal("1.50"),
}
NESTED: dict[str, Any] = {
    "decimal(50, 3)": Decimal(-(10**40)),
    "binary": b"\xff\x00",
    "list<struct<role: string, content: string>>": [{"role": "user", "content": "Hi!"}, None],
    'struct<"a, b": list<timestamp[s]>, c: decimal(5, 1)>': {"a, b": [datetime.datetime(2024, 1, 1)], "c": None},
    "audio": {"bytes": b"RIFF", "path": "a.wav"},
    "list<image>": [{"bytes": b"\xff\xd8", "path": None}],
}


def typed(values: dict[str, Any], suffix: str) -> Made:
    """Return a dataset with a column of each type, a value and a null in it."""
    schema = schema_of([Column(kind, kind) for kind in values])
    columns = [pa.array([value, None], field.type) for value, field in zip(values.values(), schema, strict=True)]
    batch = pa.record_batch(columns, schema=schema)
    content = parquet(batch)
    if suffix == "csv":
        texts = [column.cast(pa.string()).to_pylist() for column in columns]
        content = "\n".join(
            ",".join(f'"{text}"' if text else "" for text in row) for row in [[*values], *zip(*texts, strict=True)]
        ).encode()
    file = f"processed/typed.{suffix}"
    return Made(schema, [], {file: content}, [("all", file, batch)])


@pytest.mark.parametrize(("values", "suffix"), [(TYPED, "csv"), (TYPED | NESTED, "parquet")])
def test_a_release_with_any_type_loads(values: dict[str, Any], suffix: str, world: World) -> None:
    made = typed(values, suffix)
    release = world.release("typed", "1.0.0", made)
    split = load("typed", "1.0.0")
    table = split.to_arrow()
    assert table.schema.equals(made.schema, check_metadata=True) and split.schema == made.schema
    assert [table.column(name).to_pylist() for name in values] == [
        made.parts[0][2][name].to_pylist() for name in values
    ]
    (batch,) = table.combine_chunks().to_batches()
    hashes = pq.read_table(fetch_manifest(release))["content_hash"].to_pylist()
    assert [digest.tobytes() for digest in digests(encode(batch))] == hashes
    frame = split.to_pandas()
    assert frame["date"][0] == values["date"] and frame["timestamp[us, UTC]"][0] == values["timestamp[us, UTC]"]
    assert frame["decimal(10, 2)"][0] == Decimal("1.50") and frame.iloc[1].isna().all()
    features = split.to_huggingface().features
    assert features["timestamp[us, UTC]"] == Value("timestamp[us, tz=UTC]")
    if suffix == "parquet":
        assert features["audio"] == Audio() and features["list<image>"] == List(Image())
        turns = "list<struct<role: string, content: string>>"
        assert features[turns] == List({"role": Value("string"), "content": Value("string")})
        assert frame[turns][0][0] == {"role": "user", "content": "Hi!"}
        assert frame["audio"][0] == {"bytes": b"RIFF", "path": "a.wav"}


@pytest.mark.extended
def test_ray_has_the_declared_types(world: World) -> None:
    """Parquet has no seconds."""
    made = typed(TYPED | NESTED, "parquet")
    world.release("typed", "1.0.0", made)
    program = """
import ray
from data_registry import load
ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
split = load("typed")
found = [ray.get(reference) for reference in split.to_ray().to_arrow_refs()]
assert found[0].cast(split.schema).equals(split.to_arrow()), found
assert found[0].schema.field("timestamp[s]").type == split.schema.field("timestamp[s]").type
"""
    known = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run([sys.executable, "-c", program], env=known, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr

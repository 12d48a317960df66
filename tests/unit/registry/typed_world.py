"""Datasets of the kinds table and files with columns of every type, made by the real tools, in two releases each.

``events`` has splits, a column of each type, and the key ``id``, ``log`` the same without a key; ``reviews`` are texts
with labels, ``pictures`` and ``tones`` images and audio by class, ``blobs`` any bytes.
"""

import contextlib
import datetime as dt
import decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from click.testing import CliRunner
from data_registry.releases.versions import Version
from data_registry.samples import Column, schema_of
from parquetizer.cli import cli as parquetizer
from registry.cards.card import write_card
from registry.cards.croissant import croissant_of
from registry.datasets import Dataset
from stats.cli import cli as stats
from unit.parquetizer.media_files import picture, sound
from unit.registry.lineage_world import World, make_world

TURN = "list<struct<role: string, at: timestamp[us], score: decimal(5, 2), marks: list<int64>>>"
COLUMNS: list[dict[str, Any]] = [
    {"name": "id", "type": "int64"},
    {"name": "label", "type": "int64", "classes": ["cat", "dog"]},
    {"name": "local", "type": "timestamp[us]"},
    {"name": "instant", "type": "timestamp[us, UTC]"},
    {"name": "zoned", "type": "timestamp[ns, Europe/Berlin]"},
    {"name": "day", "type": "date"},
    {"name": "opens", "type": "time[ms]"},
    {"name": "precise", "type": "time[us]"},
    {"name": "took", "type": "duration[ms]"},
    {"name": "price", "type": "decimal(10, 2)"},
    {"name": "large", "type": "decimal(40, 3)"},
    {"name": "blob", "type": "binary"},
    {"name": "tags", "type": "list<string>"},
    {"name": "turns", "type": TURN},
    {"name": "box", "type": "struct<x: float64, on: bool, when: date, names: list<string>>"},
    {"name": "deep", "type": "struct<inner: struct<name: string, value: int64>, odd name: string>"},
    {"name": "days", "type": "list<date>"},
    {"name": "instants", "type": "list<timestamp[us, Europe/Berlin]>"},
    {"name": "matrix", "type": "float32", "shape": [2, 2]},
    {"name": "photo", "type": "image"},
    {"name": "voice", "type": "audio"},
    {"name": "photos", "type": "list<image>"},
]
SOURCES = "name,url,sha256,bytes\n"


def event(number: int) -> dict[str, Any]:
    """Return a sample; every third one has nulls."""
    time = dt.datetime(2024, 2, 29, 23, 59, number, 123456)
    values = {
        "id": number,
        "label": number % 2,
        "local": time,
        "instant": time.replace(tzinfo=dt.UTC),
        "zoned": time.replace(tzinfo=dt.UTC),
        "day": dt.date(2024, 2, number + 1),
        "opens": dt.time(9, number),
        "precise": dt.time(9, 0, 0, number),
        "took": dt.timedelta(hours=1, milliseconds=number),
        "price": decimal.Decimal(f"{number}.50"),
        "large": decimal.Decimal(f"1234567890123456789012345678901234{number}.125"),
        "blob": bytes([number, 0, 255]),
        "tags": ["é"] * (number % 3),
        "turns": [
            {"role": "user", "at": time, "score": decimal.Decimal("1.25"), "marks": [1, 2]},
            {"role": "bot", "at": time, "score": decimal.Decimal("-0.50"), "marks": []},
        ][: number % 3],
        "box": {"x": number / 4, "on": True, "when": dt.date(2024, 1, 1), "names": ["a", "b"]},
        "deep": {"inner": {"name": f"n{number}", "value": number}, "odd name": "o"},
        "days": [dt.date(2024, 1, 1), dt.date(2024, 1, 2)],
        "instants": [time.replace(tzinfo=dt.UTC)],
        "matrix": [[1.0, 2.0], [3.0, number]],
        "photo": {"bytes": picture(number), "path": f"{number}.png"},
        "voice": {"bytes": sound(number=number, seconds=0.01), "path": f"{number}.wav"},
        "photos": [{"bytes": picture(50 + number), "path": "a.png"}, {"bytes": picture(60), "path": None}],
    }
    nulls = ("local", "took", "price", "blob", "tags", "photo", "voice") if number % 3 == 2 else ()
    return {name: None if name in nulls else value for name, value in values.items()}


EVENTS = {"train": [event(number) for number in range(6)], "test": [event(number) for number in range(6, 9)]}
CHANGED_BEFORE = EVENTS["train"][1]
CHANGED = {
    **CHANGED_BEFORE,
    "local": dt.datetime(2025, 1, 1),
    "took": dt.timedelta(seconds=7),
    "price": decimal.Decimal("7.77"),
    "blob": b"\1\0\1",
    "tags": ["other"],
    "photo": {"bytes": picture(99), "path": "99.png"},
    "voice": {"bytes": sound(number=99, seconds=0.01), "path": "99.wav"},
    "turns": [],
}
PICTURES = {
    f"{split}/{label}/{number}.png": picture(number + 10 * (label == "dog") + 20 * (split == "test"))
    for split in ("train", "test")
    for label in ("cat", "dog")
    for number in range(2)
}
BLOBS = {"a.bin": b"\0\1", "b.bin": b"\2"}
TONES = {f"{label}/{number}.wav": sound(number=number + 10 * (label == "c")) for label in "ac" for number in range(2)}


def parquet(rows: list[dict[str, Any]], columns: list[dict[str, Any]] = COLUMNS) -> bytes:
    """Return raw Parquet with samples of declared columns."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows, schema_of(Column(**column) for column in columns)), sink)
    return bytes(sink.getvalue())


def build(
    world: World, name: str, kind: str, raw: dict[str, bytes], columns: list[dict[str, Any]], **section: Any
) -> Path:
    """Build a dataset as its dvc.yaml would, with its card and croissant.json; return its folder."""
    folder = world.root / "data" / name
    for path, content in raw.items():
        (folder / "raw" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "raw" / path).write_bytes(content)
    (folder / "sources.csv").write_text(SOURCES)
    about = {"name": name, "title": name, "description": "Made.", "source": "https://example.org/x", "licence": "MIT"}
    params = {"dataset": {**about, "columns": columns}, "parquetizer": section}
    (folder / "params.yaml").write_text(yaml.safe_dump(params, sort_keys=False))
    with contextlib.chdir(folder):
        for tool, command in (
            (parquetizer, [kind, "raw", "processed", "samples.parquet"]),
            (stats, ["table", "--sources", "sources.csv", "processed", "samples.parquet", "metadata.json"]),
        ):
            done = CliRunner().invoke(tool, [*command, "--params", "params.yaml"], catch_exceptions=False)
            assert done.exit_code == 0, done.stderr
    write_card(Dataset(name, folder))
    (folder / "croissant.json").write_bytes(croissant_of(Dataset(name, folder), Version(1, 0, 0)))
    world.lock(folder, [path.relative_to(folder).as_posix() for path in (folder / "processed").rglob("*.parquet")])
    return folder


LABEL: dict[str, Any] = {"name": "label", "type": "int64", "classes": ["cat", "dog"]}


def build_events(
    world: World, train: list[dict[str, Any]], name: str = "events", key: tuple[str, ...] = ("id",)
) -> Path:
    splits = {"train": train, "test": EVENTS["test"]}
    raw = {f"{split}.parquet": parquet(rows) for split, rows in splits.items()}
    inputs = [{"file": f"{split}.parquet", "split": split} for split in splits]
    return build(world, name, "table", raw, COLUMNS, format="parquet", key=[*key], inputs=inputs)


def build_reviews(world: World) -> Path:
    columns = [{"name": "text", "type": "string"}, LABEL]
    raw = {"a.csv": b"text,label\ngood,0\nbad,1\ngood,1\nfair,\n"}
    inputs = [{"file": "a.csv", "split": "train"}]
    return build(world, "reviews", "table", raw, columns, format="csv", inputs=inputs, **{"null-values": [""]})


def build_pictures(world: World, files: dict[str, bytes]) -> Path:
    columns = [{"name": "image", "type": "image"}, LABEL]
    section = {"media": "image", "inputs": [{"file": "**/*"}], "labels": "folder", "split-folders": True}
    return build(world, "pictures", "files", files, columns, **section)


def build_tones(world: World) -> Path:
    columns = [{"name": "audio", "type": "audio"}, {**LABEL, "classes": ["a", "c"]}]
    return build(world, "tones", "files", TONES, columns, media="audio", inputs=[{"file": "**/*"}], labels="folder")


def build_blobs(world: World) -> Path:
    columns = [{"name": "data", "type": "binary"}]
    return build(world, "blobs", "files", BLOBS, columns, media="binary", inputs=[{"file": "*"}])


def build_turned(world: World, *types: str) -> Path:
    """Build a dataset ``turned`` with columns of these types beside its key; all values are null."""
    columns = [{"name": "id", "type": "int64"}, *({"name": kind[:5], "type": kind} for kind in types)]
    raw = {"a.parquet": parquet([{"id": 1}], columns)}
    inputs = [{"file": "a.parquet", "split": "train"}]
    return build(world, "turned", "table", raw, columns, format="parquet", key=["id"], inputs=inputs)


def make_typed_world(folder: Path) -> World:
    """Release all of them as 1.0.0, ``events`` and ``pictures`` again as 1.1.0 with other samples.

    ``turned`` has other types in each of its releases.
    """
    world = make_world(folder)
    build_events(world, EVENTS["train"])
    build_events(world, EVENTS["train"], "log", ())
    build_reviews(world)
    build_pictures(world, PICTURES)
    build_tones(world)
    build_blobs(world)
    for name in ("events", "log", "reviews", "pictures", "tones", "blobs"):
        world.tag(name, "1.0.0")
    build_turned(world, "timestamp[us]", "decimal(5, 2)", "struct<x: image, y: date>", "time[us]")
    world.tag("turned", "1.0.0")
    build_turned(world, "timestamp[us, UTC]", "decimal(5, 3)", "struct<x: audio, y: date>", "audio")
    world.tag("turned", "2.0.0")
    added, removed = event(20), EVENTS["train"][0]
    train = [row for row in EVENTS["train"] if row not in (removed, CHANGED_BEFORE)]
    build_events(world, [CHANGED, *train, added])
    build_pictures(world, {**PICTURES, "train/cat/0.png": picture(77)})
    world.tag("events", "1.1.0")
    world.tag("pictures", "1.1.0")
    return world

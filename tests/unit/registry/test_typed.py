"""Columns of every type, of tables and files, in two releases: as cards, Croissant, diff and whohas have them."""

import base64
import datetime as dt
import decimal
import io
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result
from datasets import Audio, ClassLabel, Features, Image, List, Value, load_dataset
from PIL import Image as Picture
from registry.cli import cli
from unit.registry.lineage_records import records
from unit.registry.lineage_world import World
from unit.registry.typed_world import BLOBS, EVENTS, PICTURES, TONES, make_typed_world

pytestmark = pytest.mark.extended

CATS, NOTES = ClassLabel(names=["cat", "dog"]), ClassLabel(names=["a", "c"])
FEATURES = {
    "events": Features(
        id=Value("int64"),
        label=CATS,
        local=Value("timestamp[us]"),
        instant=Value("timestamp[us, tz=UTC]"),
        zoned=Value("timestamp[ns, tz=Europe/Berlin]"),
        day=Value("date32"),
        opens=Value("time32[ms]"),
        precise=Value("time64[us]"),
        took=Value("duration[ms]"),
        price=Value("decimal128(10, 2)"),
        large=Value("decimal256(40, 3)"),
        blob=Value("binary"),
        tags=List(Value("string")),
        turns=List(
            {
                "role": Value("string"),
                "at": Value("timestamp[us]"),
                "score": Value("decimal128(5, 2)"),
                "marks": List(Value("int64")),
            }
        ),
        box={"x": Value("float64"), "on": Value("bool"), "when": Value("date32"), "names": List(Value("string"))},
        deep={"inner": {"name": Value("string"), "value": Value("int64")}, "odd name": Value("string")},
        days=List(Value("date32")),
        instants=List(Value("timestamp[us, tz=Europe/Berlin]")),
        matrix=List(List(Value("float32"))),
        photo=Image(),
        voice=Audio(),
        photos=List(Image()),
    ),
    "pictures": Features(image=Image(), label=CATS),
    "tones": Features(audio=Audio(), label=NOTES),
    "blobs": Features(data=Value("binary")),
}
SAMPLE = EVENTS["train"][3]
DECIMALS = ("price", "large")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return make_typed_world(tmp_path_factory.mktemp("typed"))


def released(world: World, name: str) -> dict[str, pa.Table]:
    """Return the samples of a dataset by split."""
    files = (world.root / "data" / name / "processed").rglob("*.parquet")
    return {path.stem: pq.ParquetFile(path).read() for path in files}


@pytest.mark.parametrize("name", FEATURES)
def test_datasets_reads_what_the_card_says(name: str, world: World, tmp_path: Path) -> None:
    parts = load_dataset(str(world.root / "data" / name), cache_dir=str(tmp_path))
    expected = released(world, name)
    assert parts.keys() == expected.keys()
    for split, part in parts.items():
        assert part.features == FEATURES[name]
        assert part.data.table.cast(expected[split].schema).equals(expected[split])
        assert part.to_list() == expected[split].to_pylist()
    if name == "pictures":
        pixels = [np.asarray(row["image"]) for row in parts["train"]]
        files = [image["bytes"] for image in expected["train"]["image"].to_pylist()]
        assert all(np.array_equal(one, np.asarray(_picture(file))) for one, file in zip(pixels, files, strict=True))


@pytest.mark.parametrize("name", FEATURES)
def test_croissant_gives_the_values_that_it_has_types_for(name: str, world: World) -> None:
    path = world.root / "data" / name / "croissant.json"
    program = [str(Path(sys.executable).with_name("mlcroissant")), "validate", "--jsonld", str(path)]
    done = subprocess.run(program, text=True, capture_output=True)
    warnings = [line for line in done.stderr.splitlines() if line.startswith("  -  ")]
    assert done.returncode == 0 and len(warnings) == 1 and "datePublished" in warnings[0], done.stderr
    found = mlcroissant.Dataset(jsonld=str(path))
    for split, table in released(world, name).items():
        records, rows = list(found.records(split)), table.to_pylist()
        assert len(records) == len(rows)
        for record, row in zip(records, rows, strict=True):
            assert _read_back(record, split) == {name: _expected(value, name) for name, value in _flat(row).items()}


def test_croissant_names_the_types_and_what_it_leaves_out(world: World) -> None:
    sets = json.loads((world.root / "data/events/croissant.json").read_text())["recordSet"]
    train = next(one for one in sets if one["name"] == "train")
    assert train["description"].endswith("processed/train/train.parquet, without took")
    types = {field["name"]: field.get("dataType") for field in train["field"]}
    assert types.pop("tags") == types.pop("blob") == "sc:Text" and types.pop("box") is types.pop("deep") is None
    chosen = ("local", "instant", "instants", "day", "opens", "price", "photo", "photos", "voice")
    kinds = ("DateTime", "DateTime", "DateTime", "Date", "Time", "Float", "ImageObject", "ImageObject", "AudioObject")
    assert [types[name] for name in chosen] == [f"sc:{kind}" for kind in kinds]


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without durations, and a struct within a struct beside it, as mlcroissant has it."""
    values = {name: value for name, value in row.items() if name != "took"}
    if deep := values.get("deep"):
        values |= {"inner": deep["inner"], "deep": {"odd_name": deep["odd name"]}}
    return values


def _expected(value: Any, name: str = "") -> Any:
    """Return a value as mlcroissant has it: decimals as floats, times of lists in UTC without its name."""
    if isinstance(value, dict) and value.keys() == {"bytes", "path"}:
        return value["bytes"] and (value["bytes"] if name in {"voice", "audio"} else _picture(value["bytes"]).tobytes())
    if isinstance(value, dict):
        return {key: _expected(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [_expected(part, name) for part in value]
    if name == "instants":
        return pd.Timestamp(value).tz_convert("UTC").tz_localize(None)
    if name in {*DECIMALS, "score"}:
        return None if value is None else float(value)
    return pd.Timestamp(value) if name in {"day", "days", "when", "at", "local"} and value else value


def _read_back(value: Any, split: str) -> Any:
    """Return a record with the names of columns, texts decoded and images as their pixels."""
    if isinstance(value, dict):
        names = {key.rpartition("/")[2]: part for key, part in value.items()}
        return {name: part if name in {"blob", "data"} else _read_back(part, split) for name, part in names.items()}
    if isinstance(value, list):
        return [_read_back(part, split) for part in value]
    if isinstance(value, Picture.Image):
        return value.tobytes()
    return value.decode() if isinstance(value, bytes) and value[:4] != b"RIFF" else value


def _picture(data: bytes) -> Picture.Image:
    return Picture.open(io.BytesIO(data))


@pytest.fixture
def whohas(
    world: World, tmp_path: Path, empty: bytes, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], Result]]:
    """The command, in a folder with the files of some samples."""
    monkeypatch.setenv("REGISTRY_ROOT", str(world.root))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.chdir(tmp_path)
    files = {"cat.png": PICTURES["train/cat/0.png"], "c.wav": TONES["c/1.wav"], **BLOBS}
    files |= {"photo.png": SAMPLE["photo"]["bytes"], "voice.wav": SAMPLE["voice"]["bytes"]}
    files |= {f"{name}.png": image["bytes"] for name, image in zip(("first", "second"), SAMPLE["photos"], strict=True)}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    with records(tmp_path, empty):
        yield lambda sample: CliRunner().invoke(cli, ["whohas", sample, "--json"], env={"COLUMNS": "80"})


def places(done: Result) -> list[tuple[str, str, int]]:
    return sorted((match["tag"], match["split"], match["row"]) for match in json.loads(done.stdout)["releases"])


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ("file:cat.png", [("pictures-v1.0.0", "train", 0)]),
        ("file:c.wav", [("tones-v1.0.0", "train", 3)]),
        ("file:b.bin", [("blobs-v1.0.0", "train", 1)]),
    ],
)
def test_whohas_finds_files_by_their_bytes_whatever_their_label(
    sample: str, expected: list[tuple[str, str, int]], whohas: Callable[[str], Result]
) -> None:
    done = whohas(sample)
    assert places(done) == expected
    assert done.exit_code == 45, "files of events are not in its key"
    assert "events-v1.0.0: its key is not a file alone: look for an id or row:JSON" in done.stdout


def test_whohas_names_releases_with_more_labels_than_it_tries(
    whohas: Callable[[str], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.lineage.query.MOST_LABELS", 2)
    done = whohas("file:cat.png")
    assert (places(done), done.exit_code) == ([], 45)
    assert "pictures-v1.0.0: its key is not a file alone" in done.stdout


@pytest.mark.parametrize(("text", "rows"), [("good", [0, 2]), ("bad", [1]), ("fair", [3]), ("Good", [])])
def test_whohas_finds_a_text_whatever_its_label(text: str, rows: list[int], whohas: Callable[[str], Result]) -> None:
    done = whohas(text)
    assert places(done) == [("reviews-v1.0.0", "train", row) for row in rows] and done.exit_code == 0


def as_json(row: dict[str, Any], took: str = "01:00:00.003") -> str:
    """Return a sample of events as somebody writes it."""
    others = {
        "took": took,
        "blob": base64.b64encode(row["blob"]).decode(),
        **{"photo": "file:photo.png", "voice": "file:voice.wav", "photos": ["file:first.png", "file:second.png"]},
    }
    return f"row:{json.dumps({name: others.get(name, _written(value)) for name, value in row.items()})}"


def _written(value: Any) -> Any:
    if isinstance(value, list):
        return [_written(part) for part in value]
    if isinstance(value, dict):
        return {name: _written(part) for name, part in value.items()}
    if isinstance(value, dt.date | dt.time):  # a datetime is a date, too
        return value.isoformat()
    return str(value) if isinstance(value, decimal.Decimal) else value


@pytest.mark.parametrize("took", ["01:00:00.003", "0 days 01:00:00.003", "PT1H0.003S", "P0DT3600.003S"])
def test_whohas_reads_a_row_of_every_type(took: str, whohas: Callable[[str], Result]) -> None:
    places_of_events = [("events-v1.0.0", "train", 3), ("events-v1.1.0", "train", 2)]
    done = whohas(as_json(SAMPLE, took))
    assert places(done) == [*places_of_events, ("log-v1.0.0", "train", 3)] and done.exit_code == 0
    later = {**SAMPLE, "local": SAMPLE["local"] + dt.timedelta(microseconds=1)}
    assert places(whohas(as_json(later))) == places_of_events, "by their key"


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("day", "yesterday", "day: expected date, a text such as 2024-01-31, got 'yesterday'"),
        ("day", 19800, "day: expected date, a text such as 2024-01-31, got 19800"),
        ("instant", "2024-01-01T00:00:00", "expected timestamp[us, UTC], a text such as 2024-01-31T10:30:00Z"),
        ("local", "2024-01-01T00:00:00Z", "expected timestamp[us], a text such as 2024-01-31T10:30:00, got"),
        ("opens", "25:00", "opens: expected time[ms], a text such as 10:30:00, got '25:00'"),
        ("took", "an hour", "duration[ms], a text such as 1 days 02:30:00 or P1DT2H30M, got 'an hour'"),
        ("took", "P1W", "took: expected duration[ms]"),
        ("took", "", "took: expected duration[ms]"),
        ("took", "PT0.0001S", "took: expected duration[ms]"),
        ("took", 9, "took: expected duration[ms]"),
        ("price", "1.505", "price: expected decimal(10, 2), a text such as \"9.50\", got '1.505'"),
        ("blob", "no base64", "blob: expected binary, base64, got 'no base64'"),
        ("photo", "cat", "photo: expected a file, file:PATH, got 'cat'"),
        ("photo", "file:nope.png", "photo: expected a file, file:PATH, got 'file:nope.png'"),
        ("turns", [{"role": 5}], "turns[].role: expected string, got 5"),
        ("box", {"y": 1}, "box: expected struct<x: float64, on: bool, when: date, names: list<string>>, got {'y': 1}"),
        ("label", 1.5, "label: expected int64, got 1.5"),
        ("label", True, "label: expected int64, got True"),
        ("tags", "é", "tags: expected list<string>, got 'é'"),
    ],
)
def test_whohas_says_what_a_value_should_be(
    column: str, value: Any, expected: str, whohas: Callable[[str], Result]
) -> None:
    done = whohas(f"row:{json.dumps({'id': 3, column: value})}")
    assert done.exit_code == 2 and f"error: SAMPLE row: {column}" in done.stderr, done.output
    assert expected in done.stderr and not done.stdout


def diff(world: World, *arguments: str) -> str:
    done = CliRunner().invoke(cli, ["diff", *arguments], env={"REGISTRY_ROOT": str(world.root)})
    assert done.exit_code == 0, done.output
    assert arguments[3:] or max(map(len, done.stdout.splitlines())) <= 80
    return done.stdout


def test_diff_shows_values_of_every_type(world: World) -> None:
    lines = diff(world, "events", "1.0.0", "1.1.0").splitlines()
    start = lines.index("      id: 1")
    assert lines[start : start + 9] == [
        "      id: 1",
        "      local: 2024-02-29 23:59:01.123456 → 2025-01-01 00:00:00.000000",
        "      took: 01:00:00.001 → 00:00:07",
        "      price: 1.50 → 7.77",
        "      blob: <binary, sha256 b7ae7729555e…, … → <binary, sha256 85f90dfea1d8…, …",
        '      tags: ["é"] → ["other"]',
        '      turns: [{"role": "user", "at": "2024-… → []',
        "      photo: <image, 656 bytes, 1.png> → <image, 656 bytes, 99.png>",
        "      voice: <audio, 204 bytes, 1.wav> → <audio, 204 bytes, 99.wav>",
    ]
    markdown = diff(world, "events", "1.0.0", "1.1.0", "--format=markdown")
    assert 'photos: \\["\\<image, 656 bytes, a.png\\>", "\\<image, 656 bytes\\>"\\]' in markdown
    assert json.loads(diff(world, "events", "1.0.0", "1.1.0", "--format=json"))["bump"] == "minor"


def test_diff_of_files_and_of_types(world: World) -> None:
    shown = diff(world, "pictures", "1.0.0", "1.1.0")
    assert shown.count("      image: <image, 656 bytes, train/cat/0.png>, label: 0 (cat)") == 2
    lines = diff(world, "turned", "1.0.0", "2.0.0").splitlines()
    start = lines.index("  schema")
    assert lines[start + 1 : start + 16] == [
        "    column times",
        "      - timestamp[us]",
        "      + timestamp[us, tz=UTC]",
        "    column decim",
        "      - decimal128(5, 2)",
        "      + decimal128(5, 3)",
        "    column struc",
        "      - struct<x: image, y: date>",
        "      + struct<x: audio, y: date>",
        "    column time[",
        "      - time64[us]",
        "      + -",
        "    column audio",
        "      - -",
        "      + audio",
    ]
    assert lines[-1] == "  version   major (the schema differs)"

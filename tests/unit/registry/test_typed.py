"""Columns of every type, of tables and files, in two releases: as cards, Croissant, diff and whohas have them."""

import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import mlcroissant
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Audio, ClassLabel, Features, Image, List, Value, load_dataset
from PIL import Image as Picture
from unit.registry.lineage_world import World
from unit.registry.typed_world import make_typed_world

pytestmark = pytest.mark.extended

CATS, TONES = ClassLabel(names=["cat", "dog"]), ClassLabel(names=["a", "c"])
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
    "tones": Features(audio=Audio(), label=TONES),
    "blobs": Features(data=Value("binary")),
}
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

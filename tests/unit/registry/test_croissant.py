"""croissant.json of each shape of data: mlcroissant finds it valid and reads from it what the release has."""

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import mlcroissant
import pyarrow as pa
import pytest
import yaml
from data_registry.releases.versions import Version
from data_registry.training.sample_files import read_table
from registry.cards.croissant import croissant_of
from registry.datasets import Dataset
from unit.registry.croissants import records
from unit.registry.lineage_world import Made, greetings, make_world, notes, parquet, rows, wines, xrays

V = Version(1, 2, 3)
UNKNOWN = "datePublished"  # the only thing that the same bytes on every machine cannot say
JPEG = bytes.fromhex(  # of one grey pixel
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912130f141d1a1f1e1d1a"
    "1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b080001000101011100ffc4001f0000010501010101"
    "010100000000000000000102030405060708090a0bffc400b5100002010303020403050504040000017d010203000411051221314106135161"
    "07227114328191a1082342b1c11552d1f02433627282090a161718191a25262728292a3435363738393a434445464748494a53545556575859"
    "5a636465666768696a737475767778797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6"
    "c7c8c9cad2d3d4d5d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f00fbd3ffd9"
)
ODD = pa.schema(
    [
        ("a name with spaces", pa.string()),
        ("image", pa.list_(pa.list_(pa.uint8()))),
        ("turns", pa.list_(pa.struct([("from", pa.string()), ("number", pa.int64())]))),
        ("box", pa.struct([("x", pa.float64()), ("on", pa.bool_())])),
        ("vector", pa.list_(pa.float32(), 2)),
    ]
)
ODD_ROWS = [
    ("é", [[0, 255]], [{"from": "a", "number": 1}, {"from": "b", "number": 2}], {"x": 0.5, "on": True}, [1.0, -1.0]),
    (None, [[1], [2]], [{"from": "c", "number": 3}], {"x": 1.5, "on": False}, [0.25, 0.0]),
]


def odd() -> Made:
    batch = rows(ODD, ODD_ROWS)
    return Made(
        ODD, [], {"processed/odd table.parquet": parquet(batch)}, [("all", "processed/odd table.parquet", batch)]
    )


def made(folder: Path, shape: Made, **dataset: Any) -> Path:
    """Write a dataset as its stages would, and its croissant.json; return its folder."""
    parts = [file for _, file, _ in shape.parts]
    whole: dict[str, Any] = {"splits": {}, "summary": {"num_samples": sum(each.num_rows for *_, each in shape.parts)}}
    figures = whole if shape.parts[0][0] == "all" else {}
    sizes = {
        file: {"sha256": hashlib.sha256(shape.files[file]).hexdigest(), "bytes": len(shape.files[file])}
        for file in parts
    }
    schema = {"features": {each.name: {"dtype": str(each.type)} for each in shape.schema}}
    if "image" in schema["features"] and len(schema["features"]) == 2:
        schema["features"]["image"] = {"dtype": "jpeg"}
    where = make_world(folder).build("x", shape, files=sizes, schema=schema, **figures)
    params = {"dataset": {"name": "x", **dataset}, "card": {"tasks": ["other"], "authors": ["A. B."]}}
    (where / "params.yaml").write_text(yaml.safe_dump(params))
    (where / "croissant.json").write_bytes(croissant_of(Dataset("x", where), V))
    return where


def opened(folder: Path, caplog: pytest.LogCaptureFixture) -> mlcroissant.Dataset:
    """Return what mlcroissant makes of it, without an error or a warning but the one."""
    caplog.set_level(logging.WARNING)
    found = mlcroissant.Dataset(jsonld=str(folder / "croissant.json"))
    assert UNKNOWN in caplog.text
    assert [line for line in caplog.text.splitlines() if "  -  " in line and UNKNOWN not in line] == []
    return found


def read(folder: Path, shape: Made, split: str) -> list[dict[str, Any]]:
    """Return the samples of a split as the client gives them."""
    paths = {each.relative_to(folder).as_posix(): each for each in folder.rglob("*") if each.is_file()}
    files = [file for part, file, _ in shape.parts if part == split]
    found: list[dict[str, Any]] = read_table(files, paths, shape.schema).to_pylist()
    return found


def test_splits_of_parquet_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = made(tmp_path, shape := greetings())
    found = opened(folder, caplog)
    assert [each.uuid for each in found.metadata.record_sets] == ["splits", "train", "val"]
    assert records(found, "splits") == [
        {"name": "train", "url": "cr:TrainingSplit"},
        {"name": "val", "url": "cr:ValidationSplit"},
    ]
    for split in ("train", "val"):
        assert records(found, split) == read(folder, shape, split)


def test_a_table_without_splits(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = made(tmp_path, shape := wines())
    found = opened(folder, caplog)
    assert [each.uuid for each in found.metadata.record_sets] == ["samples"]
    assert records(found, "samples") == read(folder, shape, "all")


def test_conversations_about_images(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = made(tmp_path, shape := xrays((JPEG, JPEG, JPEG)))
    found = opened(folder, caplog)
    for split in ("train", "test"):
        names = [record["image"] for record in records(found, split)]
        assert [record["conversations"] for record in records(found, split)] == [
            each["conversations"] for each in read(folder, shape, split)
        ]
        images = records(found, f"{split}-images")
        assert [each["name"] for each in images] == names and {each["content"].size for each in images} == {(1, 1)}


def test_documents(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = {".a_README.md": "# A\n\nfirst — line\n", "b_README.md": "# B\n", "with space.md": ""}
    folder = made(tmp_path, shape := notes(texts))
    (folder / "raw" / "left.txt").write_text("of nobody")
    found = opened(folder, caplog)
    assert records(found, "samples") == read(folder, shape, "all")


def test_odd_names_and_nested_values(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = made(tmp_path, shape := odd())
    read_back = [
        {("a name with spaces" if key == "a_name_with_spaces" else key): value for key, value in record.items()}
        for record in records(opened(folder, caplog), "samples")
    ]
    assert read_back == read(folder, shape, "all")


def test_a_file_that_was_changed_is_not_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = made(tmp_path, wines())
    with (folder / "processed/wines.csv").open("ab") as file:
        file.write(b"1,1\n")
    with pytest.raises(mlcroissant.GenerationError):
        list(opened(folder, caplog).records("samples"))


def test_it_says_what_is_known_and_where_it_comes_from(tmp_path: Path) -> None:
    words = {"licence": "CC-BY-4.0", "source": "https://example.org/x", "citation": ""}
    folder = made(tmp_path, wines(), **words)
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["dataset"] |= words
    (folder / "metadata.json").write_text(json.dumps(metadata))
    found = json.loads(croissant_of(Dataset("x", folder), V))
    assert {key: value for key, value in found.items() if isinstance(value, str)} == {
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "The x",
        "description": "Made by hand. " * 9,
        "license": "https://spdx.org/licenses/CC-BY-4.0.html",
        "url": "https://example.org/x",
        "citeAs": "A. B. The x, version 1.2.3. https://example.org/x",
        "version": "1.2.3",
    }
    (file,) = found["distribution"]
    size = (folder / "processed/wines.csv").stat().st_size
    assert (file["contentUrl"], file["contentSize"], len(file["sha256"])) == ("processed/wines.csv", f"{size} B", 64)
    assert croissant_of(Dataset("x", folder), V) == croissant_of(Dataset("x", folder), V)
    assert json.loads(croissant_of(Dataset("x", folder), Version(2, 0, 0)))["version"] == "2.0.0"


def named(**names: str) -> Made:
    """Return two splits with names of their own."""
    shape = greetings()
    files = {file: file.replace(split, names[split]) for split, file, _ in shape.parts}
    parts = [(names[split], files[file], batch) for split, file, batch in shape.parts]
    return Made(shape.schema, shape.key, {files[file]: data for file, data in shape.files.items()}, parts)


@pytest.mark.parametrize(
    ("train", "val", "told"),
    [
        ("validation", "dev", [["validation", "cr:ValidationSplit"], ["dev", "cr:ValidationSplit"]]),
        ("test", "held-out", [["test", "cr:TestSplit"], ["held-out", ""]]),
        ("one", "two", [["one"], ["two"]]),
    ],
)
def test_each_split_has_the_purpose_of_its_name(
    train: str, val: str, told: list[list[str]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = opened(made(tmp_path, named(train=train, val=val)), caplog)
    assert [list(each.values()) for each in records(found, "splits")] == told


def test_records_can_be_read_twice(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    found = opened(made(tmp_path, greetings()), caplog)
    assert records(found, "train") == records(found, "train") != []


def test_no_two_things_have_one_id(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    schema = pa.schema([("a b", pa.string()), ("a_b", pa.string())])
    batch = rows(schema, [("one", "two")])
    files = {split: f"processed/{split}/{split}.parquet" for split in ("splits", "val")}
    shape = Made(
        schema,
        ["a b"],
        {file: parquet(batch) for file in files.values()},
        [(split, file, batch) for split, file in files.items()],
    )
    found = opened(made(tmp_path, shape), caplog)
    assert [dict(each) for each in found.records("splits")] == [{"splits/a_b": b"one", "splits/a_b_": b"two"}]
    assert [each["splits_/name"] for each in found.records("splits_")] == ["splits", "val"]


def test_documents_in_folders_are_found_by_any_reader(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    texts = {"flat.md": "# A\n", "deep/er/nested.md": "# B\n"}
    folder = made(tmp_path, shape := notes(texts))
    assert records(opened(folder, caplog), "samples") == read(folder, shape, "all")
    *_, files = json.loads((folder / "croissant.json").read_text())["distribution"]
    found = {path for pattern in files["includes"] for path in folder.glob(pattern)}
    assert found == {folder / "raw" / name for name in texts}


@pytest.mark.parametrize("shape", [greetings(), wines(), xrays((JPEG, JPEG, JPEG)), notes({"a.md": "# A\n"})])
def test_a_file_has_one_format(shape: Made, tmp_path: Path) -> None:
    found = json.loads((made(tmp_path, shape) / "croissant.json").read_text())
    assert all(isinstance(each["encodingFormat"], str) for each in found["distribution"])


@pytest.mark.parametrize(
    ("licence", "told"),
    [
        ("for research only", {"@type": "sc:CreativeWork", "name": "for research only"}),
        ("https://example.org/terms", "https://example.org/terms"),
        ("cc0-1.0", "https://spdx.org/licenses/CC0-1.0.html"),
    ],
)
def test_a_licence_is_an_address_or_a_work(
    licence: str, told: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = made(tmp_path, wines())
    metadata = json.loads((folder / "metadata.json").read_text())
    metadata["dataset"]["licence"] = licence
    (folder / "metadata.json").write_text(json.dumps(metadata))
    (folder / "croissant.json").write_bytes(croissant_of(Dataset("x", folder), V))
    assert json.loads((folder / "croissant.json").read_text())["license"] == told
    opened(folder, caplog)

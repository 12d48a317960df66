import gzip
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from parquetizer.kinds.idx import IdxSettings, parquetize_idx
from unit.stats.data_sets import (
    CLASSES,
    IMAGE,
    IMAGE_COLUMNS,
    SAMPLES,
    describe,
    ids,
    lay_images,
    measure,
    measured,
    parquet,
    pixels,
    refusal,
    sign,
    table_of,
)

LINE = [(pixels(number), number % 3) for number in range(9)]
ROW = st.tuples(
    st.lists(st.lists(st.integers(0, 255), min_size=3, max_size=3), min_size=2, max_size=2), st.integers(0, 2)
)


def figures(images: Any) -> dict[str, float]:
    values = np.asarray(images, np.float64) / 255
    return {
        "pixel_mean": values.mean(),
        "pixel_std": values.std(),
        "pixel_min": values.min(),
        "pixel_max": values.max(),
        "pixel_median": np.median(values),
    }


def idx(path: Path, values: np.ndarray[Any, np.dtype[np.uint8]]) -> None:
    head = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape)
    path.write_bytes(gzip.compress(head + values.tobytes()))


def test_what_the_parquetizer_made_is_measured_with_the_keys_that_consumers_read(folder: Path):
    chance = np.random.default_rng(5)
    images = {
        "train": chance.integers(0, 256, (2500, 5, 4), np.uint8),
        "val": chance.integers(9, 99, (7, 5, 4), np.uint8),
    }
    labels = {split: np.arange(len(images[split]), dtype=np.uint8) % 3 for split in images}
    Path("raw").mkdir()
    for split in images:
        idx(Path(f"raw/{split}-images.gz"), images[split])
        idx(Path(f"raw/{split}-labels.gz"), labels[split])
    columns = [{**IMAGE_COLUMNS[0], "shape": [5, 4]}, IMAGE_COLUMNS[1]]
    describe(columns=columns, citation="someone, 2020")
    document = yaml.safe_load(Path("params.yaml").read_text())
    inputs = [{"images": f"{each}-images.gz", "labels": f"{each}-labels.gz", "split": each} for each in images]
    document["parquetizer"] = {"key": ["image"], "inputs": inputs}
    Path("params.yaml").write_text(yaml.safe_dump(document))
    parquetize_idx(Path("raw"), Path("processed"), SAMPLES, IdxSettings.read(Path("params.yaml")))

    found = measured("images", "--tool", "stats=s:1")
    assert list(found) == [
        "dataset", "schema", "splits", "metrics", "checks", "files", "provenance", "logical_hash",
    ]  # fmt: skip
    assert list(found["dataset"]) == ["name", "title", "description", "source", "citation", "licence"]
    assert found["schema"] == {
        "features": {
            "image": {"dtype": "uint8", "shape": [5, 4], "description": "grey values"},
            "label": {
                "dtype": "uint8",
                "shape": [],
                "description": "what it shows",
                "classes": {"0": "bag", "1": "coat", "2": "shoe"},
            },
        }
    }
    assert list(found["splits"]) == list(found["metrics"]) == ["train", "val"]
    for split in images:
        assert found["splits"][split] == {
            "num_samples": len(images[split]),
            "num_features": 20,
            "class_distribution": {str(label): int((labels[split] == label).sum()) for label in range(3)},
        }
        assert list(found["metrics"][split]) == list(figures(images[split]))
        assert found["metrics"][split] == pytest.approx(figures(images[split]), rel=1e-11)
    assert found["checks"]["warnings"] == []
    assert list(found["files"]) == ["processed/train/train.parquet", "processed/val/val.parquet"]
    assert found["provenance"]["tools"] == {"stats": "s:1"}


@given(st.lists(ROW, min_size=1, max_size=40), st.integers(1, 9))
@settings(max_examples=60, deadline=None)
def test_every_figure_is_numpys(tmp_path_factory: pytest.TempPathFactory, rows: list[Any], rows_of_group: int):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("images", numbered=True))
        lay_images({"train": rows}, rows_of_group=rows_of_group)
        found = measured("images")
    assert found["metrics"]["train"] == pytest.approx(figures([image for image, _ in rows]), rel=1e-11)
    counts = found["splits"]["train"]["class_distribution"]
    assert counts == {str(label): [mark for _, mark in rows].count(label) for label in range(3)}


def test_splits_stand_in_the_order_of_the_manifest(folder: Path):
    lay_images([("val", LINE[:2]), ("train", LINE[2:5]), ("val", LINE[5:6]), ("extra", LINE[6:]), ("train", LINE[:1])])
    found = measured("images")
    assert {split: counts["num_samples"] for split, counts in found["splits"].items()} == {
        "val": 3, "train": 4, "extra": 3,
    }  # fmt: skip
    assert list(found["splits"]) == list(found["metrics"]) == ["val", "train", "extra"]


def test_a_class_that_a_split_lacks_is_reported(folder: Path):
    lay_images({"train": [LINE[0], LINE[1], LINE[2]], "val": [LINE[4]]})
    found = measured("images")
    assert found["splits"]["val"]["class_distribution"] == {"0": 0, "1": 1, "2": 0}
    assert found["checks"]["warnings"] == ["val has no sample of bag, shoe"]


def test_duplicates_conflicts_and_leaks_are_told_by_the_image(folder: Path):
    one, two, three = pixels(1), pixels(2), pixels(3)
    train = [(one, 0), (one, 0), (two, 1), (two, 2), (three, 0)]
    lay_images({"train": train, "val": [(three, 1), (one, 0), (pixels(9), 2)]})
    found = measured("images")["checks"]
    assert found["duplicates"] == {"samples": 2, "groups": 1, "ids": sorted(ids()[place] for place in (0, 1, 6))}
    assert found["conflicts"] == {"samples": 4, "groups": 2, "ids": sorted(ids()[2:6])}
    assert found["split_leaks"] == {"val in train": {"samples": 2, "ids": sorted(ids()[5:7])}}
    assert found["warnings"] == [
        "2 of 8 samples repeat an earlier one",
        "4 of 8 samples have the same image as another that differs",
        "samples of val that are in train too, by their image: 2",
    ]


def test_an_image_of_one_shade_has_no_spread(folder: Path):
    lay_images({"train": [([[51] * 3] * 2, label) for label in range(3)]})
    assert list(measured("images")["metrics"]["train"].values()) == [0.2, 0.0, 0.2, 0.2, 0.2]


# --- refusals


@pytest.mark.parametrize(
    "columns",
    [
        [],
        [IMAGE_COLUMNS[0]],
        list(reversed(IMAGE_COLUMNS)),
        [{**IMAGE_COLUMNS[0], "type": "float32"}, IMAGE_COLUMNS[1]],
        [{**IMAGE_COLUMNS[0], "shape": []}, IMAGE_COLUMNS[1]],
        [{**IMAGE_COLUMNS[0], "shape": [0, 3]}, IMAGE_COLUMNS[1]],
        [IMAGE_COLUMNS[0], {**IMAGE_COLUMNS[1], "classes": []}],
        [*IMAGE_COLUMNS, IMAGE_COLUMNS[1]],
    ],
    ids=["none", "one", "order", "type", "shape", "empty", "classes", "three"],
)
def test_what_is_not_declared_as_images_and_labels_is_refused(folder: Path, columns: list[dict[str, Any]]):
    lay_images({"train": LINE})
    describe(columns=columns)
    assert refusal("images") == (
        2,
        "error: dataset.columns: expected a column of images and one of labels; fix: declare both, as in fashion-mnist",
    )


def test_columns_that_are_not_as_declared_are_refused(folder: Path):
    lay_images({"train": LINE}, columns=[{**IMAGE_COLUMNS[0], "name": "picture"}, IMAGE_COLUMNS[1]])
    code, line = refusal("images")
    assert (code, line) == (
        22,
        "error: processed: expected columns [['picture', 'list<item: list<item: uint8>>'], ['label', 'uint8']], got "
        "[['image', 'list<item: list<item: uint8>>'], ['label', 'uint8']]; fix: correct dataset.columns",
    )


@pytest.mark.parametrize("names", [["image", "mark"], ["label", "image"]])
def test_a_file_whose_columns_are_not_its_manifests_is_refused(folder: Path, names: list[str]):
    lay_images({"train": LINE})
    table = pq.read_table(parquet("train"))
    other = table.rename_columns(names) if "mark" in names else table.select(names)
    pq.write_table(other, parquet("train"))
    sign(IMAGE, [("train", parquet("train").as_posix(), table_of(IMAGE, LINE))], ["image"])
    code, line = refusal("images")
    assert code == 22
    assert line.startswith("error: processed/train/train.parquet: expected columns [['image', ")
    assert f"as in the manifest, got [['{names[0]}', " in line
    assert line.endswith("; fix: run the parquetizer again")


@pytest.mark.parametrize(
    ("image", "label", "what"),
    [
        (pixels(1), 3, "unknown label, or null"),
        (pixels(1), 255, "unknown label, or null"),
        (pixels(1), None, "unknown label, or null"),
        (None, 0, "expected images of shape (2, 3)"),
        ([[1, 2, 3]], 0, "expected images of shape (2, 3)"),
        ([[1, 2, 3]] * 3, 0, "expected images of shape (2, 3)"),
        ([[1, 2, 3], [4, 5]], 0, "expected images of shape (2, 3)"),
        ([[1, 2, 3], None], 0, "expected images of shape (2, 3)"),
        ([], 0, "expected images of shape (2, 3)"),
        ([[1, 2, 3], [4, None, 6]], 0, "a pixel is null"),
    ],
)
def test_what_is_no_image_with_a_label_is_refused(folder: Path, image: Any, label: Any, what: str):
    lay_images({"val": LINE, "train": [*LINE, (image, label), *LINE]})
    assert refusal("images") == (
        22,
        f"error: processed/train/train.parquet: {what}; fix: run the parquetizer again",
    )


def test_a_column_of_nothing_is_refused(folder: Path):
    lay_images({"train": [(None, None)] * 3})
    assert refusal("images")[0] == 22


def test_a_split_without_samples_is_refused(folder: Path):
    lay_images({"train": LINE, "val": []})
    assert refusal("images") == (
        21,
        "error: processed/val/val.parquet: no samples; fix: run the parquetizer again",
    )


def test_a_data_set_without_samples_is_refused(folder: Path):
    lay_images({"train": []})
    assert refusal("images") == (21, "error: samples.parquet: no samples; fix: run the parquetizer again")


@pytest.mark.parametrize(("rows", "count"), [(LINE[:4], 4), ([*LINE, LINE[0]], 10)], ids=["fewer", "more"])
def test_a_file_of_other_length_than_in_the_manifest_is_refused(folder: Path, rows: list[Any], count: int):
    lay_images({"train": LINE, "val": rows})
    parts = [(split, parquet(split).as_posix(), table_of(IMAGE, LINE)) for split in ("train", "val")]
    sign(IMAGE, parts, ["image"])
    assert refusal("images") == (
        23,
        f"error: samples.parquet: 9 samples for {count} rows of processed/val/val.parquet; "
        "fix: run the parquetizer again",
    )


@pytest.mark.parametrize("rows", [9, 1 << 16], ids=["in one step", "in two steps"])
def test_a_split_of_several_files_is_refused(folder: Path, rows: int):
    lay_images({"train": LINE, "more": LINE})
    many = table_of(IMAGE, LINE).take([0] * rows)
    parts = [("train", parquet(split).as_posix(), many) for split in ("train", "more")]
    sign(IMAGE, parts, ["image"])
    assert refusal("images") == (
        22,
        "error: samples.parquet: split train has several files; fix: use stats table",
    )


def test_a_file_without_a_hash_is_refused(folder: Path):
    lay_images({"train": LINE, "val": LINE})
    parts = [(split, parquet(split).as_posix(), table_of(IMAGE, LINE)) for split in ("train", "val")]
    measured("images")
    hashes = {name: each["sha256"] for name, each in measured("images")["files"].items() if "train" in name}
    sign(IMAGE, parts, ["image"], hashes)
    assert refusal("images") == (
        23,
        "error: samples.parquet: no SHA-256 of processed/val/val.parquet; fix: run the parquetizer again",
    )


def test_the_result_is_printed_as_one_json_object(folder: Path):
    lay_images({"train": [LINE[0], LINE[0]]})
    result = measure("images", "-q")
    assert result.stdout.startswith('{"output": "metadata.json", "rows": 2, "duplicates": 1, "warnings": 2, "logical_h')
    assert result.stderr.splitlines() == [
        "tiny: 1 of 2 samples repeat an earlier one",
        f"tiny: train has no sample of {', '.join(CLASSES[1:])}",
    ]
    assert pa.default_memory_pool().backend_name == "system", "which gives memory back sooner"

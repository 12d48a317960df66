"""IDX files become the Parquet files of their splits: what is written, and what is refused (Q10, Q11)."""

import gzip
import hashlib
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from parquetizer.raw.compression import BLOCK
from samples import read_manifest
from unit.parquetizer.folders import (
    PARAMS,
    PROCESSED,
    SAMPLES,
    found,
    gzip_of,
    idx,
    made,
    outputs,
    pixels,
    refused,
    rows,
    run,
    run_with,
    samples,
    write,
    write_params,
    zipped,
)

CLASSES = ["shirt", "shoe", "bag"]
TRAIN = {"images": "train-images", "labels": "train-labels", "split": "train"}
VAL = {"images": "val-images", "labels": "val-labels", "split": "val"}
AGAIN = "fetch it again"


def settings(shape=(2, 3), classes=CLASSES, inputs=(TRAIN,), **rest):
    columns = [
        {"name": "image", "type": "uint8", "shape": [*shape]},
        {"name": "label", "type": "uint8", "classes": [*classes]},
    ]
    write_params(columns, inputs=[*inputs], **rest)


def raw(count=4, shape=(2, 3), split="train", pack=bytes):
    images, labels = pixels(count, *shape), np.arange(count) % 3
    write({f"raw/{split}-images": pack(idx(images)), f"raw/{split}-labels": pack(idx(labels))})
    return list(zip(images.tolist(), labels.tolist(), strict=True))


def test_images_and_labels_become_the_files_of_their_splits():
    settings(inputs=(VAL, TRAIN), key=["image"])
    train, val = raw(4), raw(2, split="val")
    result = made("idx")
    assert sorted(found(PROCESSED)) == ["processed/train/train.parquet", "processed/val/val.parquet"]
    assert (rows("train"), rows("val")) == (train, val)
    files = {name: hashlib.sha256(data).hexdigest() for name, data in found(PROCESSED).items()}
    assert result == {"output": "processed", "rows": {"val": 2, "train": 4}, "files": files}
    schema = pq.read_schema(PROCESSED / "train/train.parquet")
    assert schema.equals(pa.schema([("image", pa.list_(pa.list_(pa.uint8()))), ("label", pa.uint8())]))
    assert not schema.metadata


def test_the_manifest_names_split_file_row_and_source_of_every_image():
    settings(inputs=(VAL, TRAIN), key=["image"])
    raw(2)
    raw(2, split="val")  # the same images
    files = made("idx")["files"]
    manifest = read_manifest(SAMPLES)
    assert (manifest.files, manifest.key, manifest.rows) == (files, ["image"], 4)
    assert manifest.columns == [["image", "list<item: list<item: uint8>>"], ["label", "uint8"]]
    assert samples("split", "file", "row", "source") == [
        ("val", "processed/val/val.parquet", 0, "val-images"),
        ("val", "processed/val/val.parquet", 1, "val-images"),
        ("train", "processed/train/train.parquet", 0, "train-images"),
        ("train", "processed/train/train.parquet", 1, "train-images"),
    ]
    keys = [key for (key,) in samples("key_hash")]
    assert keys[:2] == keys[2:] and keys[0] != keys[1]
    assert len(set(samples("sample_id"))) == 4


@pytest.mark.parametrize("shape", [(6,), (2, 3, 1), (1, 1)])
def test_an_image_has_as_many_dimensions_as_declared(shape):
    settings(shape=shape)
    written = raw(3, shape)
    made("idx")
    assert rows("train") == written


def test_many_images_are_read_in_steps_and_written_in_row_groups_of_one_size():
    settings(shape=(28, 28))
    written = raw(6000, (28, 28), pack=zipped)
    assert made("idx")["rows"] == {"train": 6000}
    metadata = pq.read_metadata(PROCESSED / "train/train.parquet")
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [5349, 651]  # of 4 MiB
    assert rows("train") == written


def test_gzip_makes_no_difference():
    settings()
    raw(5)
    made("idx")
    plain = outputs()
    raw(5, pack=zipped)
    made("idx")
    assert outputs() == plain


@pytest.mark.parametrize("level", [0, 1, 9])
@pytest.mark.parametrize("count", [1, 7, 60_000])
def test_gzip_is_read_to_the_byte(level, count):
    """A decompressor may hold back bytes for which the caller had no room."""
    settings(shape=(5,))
    images, labels = pixels(count, 5), np.zeros(count)
    write(
        {
            "raw/train-images": gzip.compress(idx(images), level, mtime=0),
            "raw/train-labels": gzip.compress(idx(labels), level, mtime=0),
        }
    )
    made("idx")
    table = pq.read_table(PROCESSED / "train/train.parquet")
    assert np.array_equal(table["image"].combine_chunks().flatten().to_numpy(), images.ravel())


def test_gzip_with_all_its_optional_fields_is_read():
    settings()
    written = raw(3)
    body = zipped(idx(pixels(3, 2, 3)))[10:]
    head = bytes([0x1F, 0x8B, 8, 0b11100, 0, 0, 0, 0, 0, 255])
    write({"raw/train-images": head + b"\x03\x00abc" + b"name.idx\0" + b"a comment\0" + body})
    made("idx")
    assert rows("train") == written


@pytest.mark.parametrize(("fraction", "taken"), [(0.6, 60), (0.5, 50), (0.999, 99), (0.001, 1), (1, 100)])
def test_a_fraction_is_what_random_state_draws_in_the_order_of_the_file(fraction, taken):
    settings(shape=(3,), fraction=fraction, seed=7)
    written = raw(100, (3,))
    assert made("idx")["rows"] == {"train": taken}
    chosen = sorted(np.random.RandomState(7).choice(100, taken, replace=False))
    assert rows("train") == [written[place] for place in chosen]


def test_a_fraction_is_drawn_over_all_steps_of_reading():
    settings(shape=(28, 28), fraction=0.1)
    written = raw(3000, (28, 28))
    made("idx")
    chosen = sorted(np.random.RandomState(42).choice(3000, 300, replace=False))
    assert rows("train") == [written[place] for place in chosen]


def test_a_fraction_leaves_nothing_unchecked():
    """A label that is not drawn is looked at all the same."""
    settings(fraction=0.01)
    raw(100)
    labels = np.zeros(100)
    labels[[3, 80]] = 9
    write({"raw/train-labels": idx(labels)})
    what = "raw/train-labels item 3: unknown label 9: there are 3 classes; fix: correct the file, or dataset.columns"
    refused("idx", 20, what)


def test_a_rerun_gives_the_same_bytes_and_takes_away_what_is_no_longer_made():
    settings(inputs=(TRAIN, VAL))
    raw()
    raw(split="val")
    made("idx")
    first = outputs()
    made("idx")
    assert outputs() == first
    settings(inputs=(TRAIN,))
    made("idx")
    assert [*found(PROCESSED)] == ["processed/train/train.parquet"]


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "LC_ALL": "tr_TR.UTF-8", "OMP_NUM_THREADS": "1", "ARROW_NUM_THREADS": "1"},
    ],
    ids=["C locale", "Turkish locale"],
)
def test_the_outputs_are_the_same_anywhere(elsewhere, monkeypatch):
    """Q16."""
    settings(fraction=0.5)
    raw(50, pack=zipped)
    made("idx")
    first = outputs()
    for name, value in elsewhere.items():
        monkeypatch.setenv(name, value)
    script = "from parquetizer.cli import cli; cli()"
    arguments = ["idx", "raw", "processed", "samples.parquet", "--params", "params.yaml"]
    subprocess.run([sys.executable, "-c", script, *arguments], check=True, capture_output=True)
    assert outputs() == first


def damaged(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


GOOD = idx(pixels(4, 2, 3))
STORED = gzip.compress(GOOD, 0, mtime=0)  # uncompressed inside: a changed byte is seen by the CRC alone
NO_GZIP = "damaged gzip file: "


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (zipped(GOOD)[:-1], NO_GZIP + "truncated"),
        (zipped(GOOD)[:-8], NO_GZIP + "truncated"),
        (zipped(GOOD)[:25], NO_GZIP + "truncated"),
        (zipped(GOOD)[:2], NO_GZIP + "truncated"),
        (damaged(STORED, -12), NO_GZIP + "Error -3 while decompressing data: incorrect data check"),
        (damaged(STORED, -1), NO_GZIP + "Error -3 while decompressing data: incorrect length check"),
        (damaged(STORED, 2), NO_GZIP + "Error -3 while decompressing data: unknown compression method"),
        (zipped(GOOD) + b"\0", NO_GZIP + "data after the end"),
        (zipped(GOOD) + b"x" * 300_000, NO_GZIP + "data after the end"),
        (zipped(GOOD[:20]) + zipped(GOOD[20:]), NO_GZIP + "data after the end"),
        (zipped(GOOD) + zipped(b""), NO_GZIP + "data after the end"),
        (zipped(GOOD + b"x"), "data after its 4 items"),
        (zipped(GOOD[:-1]), "truncated in its 4 items"),
        (zipped(b""), "truncated in the header"),
        (GOOD[:-1], "truncated in its 4 items"),
        (GOOD + b"\0", "data after its 4 items"),
        (GOOD[:3], "truncated in the header"),
        (GOOD[:15], "truncated in the header"),
        (b"\0\0\x08\0" + GOOD[4:], "not an IDX file: invalid magic number"),
        (b"\0\1" + GOOD[2:], "not an IDX file: invalid magic number"),
        (b"<!DOCTYPE html><html></html>", "not an IDX file: invalid magic number"),
        (b"PK\3\4" + GOOD, "not an IDX file: invalid magic number"),
    ],
)
def test_a_damaged_file_is_refused(data, what):
    """Q10 and Q11: zlib alone returns what there is of a cut file, gzip passes over zeros and further members."""
    settings()
    raw()
    write({"raw/train-images": data})
    refused("idx", 23, f"raw/train-images: {what}; fix: {AGAIN}")


def test_a_damaged_end_of_a_file_is_seen_after_its_last_item():
    """Q10: whatever is read last, labels or images, in the middle of a step or at its end."""
    settings(shape=(1024,))
    raw(1024, (1024,))  # one step
    write({"raw/train-labels": damaged(zipped(idx(np.zeros(1024))), -6)})
    what = "damaged gzip file: Error -3 while decompressing data: incorrect data check"
    refused("idx", 23, f"raw/train-labels: {what}; fix: {AGAIN}")


def test_what_follows_the_last_label_is_refused():
    """Q11."""
    settings()
    raw()
    write({"raw/train-labels": idx(np.zeros(4)) + b"\0"})
    refused("idx", 23, f"raw/train-labels: data after its 4 items; fix: {AGAIN}")


@pytest.mark.parametrize("size", [BLOCK - 1, BLOCK, BLOCK + 1])
def test_what_follows_compressed_data_is_seen_at_the_edge_of_a_block(size):
    """Q10: the file is read in blocks, and the decompressor knows of one alone."""
    settings()
    written = raw()
    whole = gzip_of(GOOD, name=b"x")
    whole = gzip_of(GOOD, name=b"x" * (size - len(whole) + 1))
    assert len(whole) == size
    write({"raw/train-images": whole})
    made("idx")
    assert rows("train") == written
    write({"raw/train-images": whole + b"\0"})
    what = "damaged gzip file: data after the end"
    refused("idx", 23, f"raw/train-images: {what}; fix: {AGAIN}")


@pytest.mark.parametrize("kind", [0x09, 0x0B, 0x0C, 0x0D, 0x0E, 0xFF])
def test_items_of_another_type_are_refused(kind):
    """Q11."""
    settings()
    raw()
    write({"raw/train-images": idx(pixels(4, 2, 3), kind)})
    what = f"unsupported IDX type 0x{kind:02x}"
    refused("idx", 22, f"raw/train-images: {what}; fix: convert it to unsigned bytes (0x08)")


@pytest.mark.parametrize("shape", [(3, 2), (6,), (1, 2, 3), (2, 4)])
def test_items_of_another_shape_are_refused(shape):
    """Q11."""
    settings()
    raw()
    write({"raw/train-images": idx(pixels(4, *shape))})
    what = f"expected items of shape (2, 3), got {shape}"
    refused("idx", 22, f"raw/train-images: {what}; fix: correct the shape")


def test_labels_of_more_than_one_dimension_are_refused():
    settings()
    raw()
    write({"raw/train-labels": idx(pixels(4, 1))})
    refused("idx", 22, "raw/train-labels: expected items of shape (), got (1,); fix: correct the shape")


@pytest.mark.parametrize("labels", [3, 5])
def test_other_numbers_of_labels_and_images_are_refused(labels):
    """Q11."""
    settings()
    raw()
    write({"raw/train-labels": idx(np.zeros(labels))})
    fix = "fetch both again, or correct parquetizer.inputs"
    refused("idx", 20, f"raw/train-labels: {labels} labels for 4 images; fix: {fix}")


@pytest.mark.parametrize("at", [0, 3, 2999])
def test_a_label_that_is_no_class_is_refused_with_its_place(at):
    """Q11."""
    settings(shape=(28, 28))
    raw(3000, (28, 28))
    labels = np.zeros(3000)
    labels[at:] = 3
    write({"raw/train-labels": idx(labels)})
    what = f"raw/train-labels item {at}: unknown label 3: there are 3 classes"
    refused("idx", 20, f"{what}; fix: correct the file, or dataset.columns")


def test_any_label_may_be_a_class():
    settings(classes=[f"c{n}" for n in range(256)])
    raw(256)
    write({"raw/train-labels": idx(np.arange(256))})
    made("idx")
    assert [label for _, label in rows("train")] == [*range(256)]


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (idx(pixels(4, 2, 3), dimensions=(0xFFFFFFFF, 2, 3)), idx(np.zeros(4), dimensions=(0xFFFFFFFF,))),
        (zipped(idx(pixels(4, 2, 3), dimensions=(1 << 30, 2, 3))), zipped(idx(np.zeros(4), dimensions=(1 << 30,)))),
        (idx(pixels(4, 2, 3), dimensions=(0xFFFFFFFF,) * 255), idx(np.zeros(4))),
    ],
    ids=["plain", "gzip", "every dimension"],
)
@pytest.mark.parametrize("fraction", [1.0, 0.5])
def test_a_header_that_promises_too_much_takes_no_memory(images, labels, fraction, limited):
    """Q11: the size of the file says that it lies."""
    settings(fraction=fraction)
    write({"raw/train-images": images, "raw/train-labels": labels})
    refused(
        "idx",
        23,
        f"raw/train-images: truncated in its {struct.unpack('>I', gunzipped(images)[4:8])[0]} items; fix: {AGAIN}",
    )


def gunzipped(data: bytes) -> bytes:
    return zlib.decompress(data, 31) if data.startswith(b"\x1f\x8b") else data


@pytest.mark.parametrize(
    ("data", "what", "fix"),
    [
        (b"", "the file is empty", "check that the source sent the whole file"),
        (idx(np.zeros((0, 2, 3))), "no items: the dimensions are (0, 2, 3)", AGAIN),
        (idx(np.zeros((4, 0, 3))), "no items: the dimensions are (4, 0, 3)", AGAIN),
    ],
)
def test_an_empty_file_is_refused(data, what, fix):
    """Q8."""
    settings()
    raw()
    write({"raw/train-images": data})
    refused("idx", 21, f"raw/train-images: {what}; fix: {fix}")


def test_one_bad_input_among_several_leaves_nothing_written():
    """Q15: the good one was written first."""
    settings(inputs=(TRAIN, VAL))
    raw()
    raw(split="val")
    write({"raw/val-images": GOOD[:-1]})
    refused("idx", 23, f"raw/val-images: truncated in its 4 items; fix: {AGAIN}")


@pytest.mark.parametrize("missing", ["train-images", "train-labels"])
def test_a_raw_file_that_is_not_there_is_named(missing):
    settings()
    raw()
    Path("raw", missing).unlink()
    refused("idx", 10, f"raw/{missing}: not found; fix: run the fetcher, or correct parquetizer.inputs")


DECLARE = "declare the images (type uint8, with a shape), then the labels (type uint8, with their classes)"
NOT_IMAGES = f"params.yaml dataset.columns: expected images and their labels; fix: {DECLARE}"
IMAGE = {"name": "image", "type": "uint8", "shape": [2, 3]}
LABEL = {"name": "label", "type": "uint8", "classes": CLASSES}


@pytest.mark.parametrize(
    ("columns", "changes", "message"),
    [
        ([LABEL, IMAGE], {}, NOT_IMAGES),
        ([IMAGE], {}, NOT_IMAGES),
        ([IMAGE, LABEL, {"name": "x", "type": "int8"}], {}, NOT_IMAGES),
        ([{**IMAGE, "type": "float32"}, LABEL], {}, NOT_IMAGES),
        ([IMAGE, {**LABEL, "classes": []}], {}, NOT_IMAGES),
        (
            [{**IMAGE, "shape": [2, 0]}, LABEL],
            {},
            "params.yaml dataset.columns: invalid shape of column image: [2, 0]; fix: correct the column",
        ),
        (
            [IMAGE, {**LABEL, "classes": ["bag", "bag"]}],
            {},
            "params.yaml dataset.columns: duplicate class in column label; fix: correct the column",
        ),
        (
            [IMAGE, LABEL],
            {"inputs": []},
            "params.yaml parquetizer: no inputs; fix: list images, labels and split of each in inputs",
        ),
        (
            [IMAGE, LABEL],
            {"inputs": [{"images": "a", "labels": "b"}]},
            "params.yaml parquetizer.inputs[0]: split is missing; fix: add split:",
        ),
        (
            [IMAGE, LABEL],
            {"inputs": [TRAIN, TRAIN]},
            "params.yaml parquetizer.inputs: duplicate split; fix: use one input per split",
        ),
        *(
            (
                [IMAGE, LABEL],
                {"inputs": [{**TRAIN, "split": name}]},
                f"params.yaml parquetizer.inputs: invalid split name {name!r}; "
                "fix: use lowercase letters, digits, - and _, as in train",
            )
            for name in ("../x", "", "Train", "a/b", ".", "x" * 64, "-a", "a\n")
        ),
        *(
            (
                [IMAGE, LABEL],
                {"fraction": fraction},
                f"params.yaml parquetizer: invalid fraction {fraction}: expected 0 < fraction <= 1; fix: correct it",
            )
            for fraction in (0.0, -0.5, 1.01, float("nan"))
        ),
        *(
            (
                [IMAGE, LABEL],
                {"seed": seed},
                f"params.yaml parquetizer: invalid seed {seed}: expected 0 to 4294967295; fix: correct it",
            )
            for seed in (-1, 1 << 32)
        ),
        (
            [IMAGE, LABEL],
            {"key": ["x"]},
            "params.yaml parquetizer key: unknown column x; fix: use one of: image, label",
        ),
    ],
)
def test_settings_that_describe_no_images_are_refused(columns, changes, message):
    write_params(columns, **{"inputs": [TRAIN], **changes})
    raw()
    refused("idx", 2, message)


def test_columns_are_declared_in_one_place():
    settings()
    params = PARAMS.read_text()
    PARAMS.write_text(params.replace("parquetizer:\n", "parquetizer:\n  columns: []\n"))
    raw()
    refused("idx", 2, "params.yaml parquetizer: unknown key columns; fix: declare them in dataset.columns")


@pytest.mark.parametrize("output", ["raw", ".", "raw/../raw"])
def test_an_output_that_would_take_the_place_of_the_raw_files_is_refused(output):
    settings()
    raw()
    before = found()
    outcome = run_with("idx", "raw", output, "elsewhere/samples.parquet", "--params", "params.yaml")
    assert outcome.code == 2
    assert outcome.error.endswith("which is replaced as a whole; fix: write to another folder")
    assert found() == before


@pytest.mark.parametrize("manifest", ["processed", "processed/samples.parquet", "processed/train/x.parquet"])
def test_a_manifest_inside_the_output_is_refused(manifest):
    settings()
    raw()
    outcome = run_with("idx", "raw", "processed", manifest, "--params", "params.yaml")
    what = f"{manifest}: is inside processed, which is replaced as a whole; fix: write to another folder"
    assert (outcome.code, outcome.error) == (2, what)
    assert not PROCESSED.exists()


def test_an_output_that_is_a_file_stays_one():
    settings()
    raw()
    write({"processed": b"not a folder", "samples.parquet": b"a manifest"})
    before = found()
    outcome = run("idx")
    assert outcome.code == 2
    assert found() == before

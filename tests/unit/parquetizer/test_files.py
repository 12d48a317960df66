"""Files that are samples: images, audio and others, with their classes or metadata, into the splits."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile
from PIL import Image
from unit.parquetizer.folders import (
    PROCESSED,
    SAMPLES,
    encoded_table,
    found,
    jpeg,
    made,
    outputs,
    refused,
    rows,
    run,
    samples,
    write,
    write_params,
)
from unit.parquetizer.media_files import RATE, picture, sound, turned

CLASSES = ["cat", "dog"]
IMAGE = {"name": "image", "type": "image"}
LABEL = {"name": "label", "type": "int64", "classes": CLASSES}
FOLDERS = {
    f"{split}/{name}/{number}.png": picture(number + 10 * len(split) + 100 * len(name))
    for split in ("train", "test")
    for name in CLASSES
    for number in range(3)
}


def settings(columns=(IMAGE, LABEL), **rest):
    given = {"media": "image", "inputs": [{"file": "**/*"}], "labels": "folder", **rest}
    write_params([*columns], **{key: value for key, value in given.items() if value is not None})


def raw(files):
    write({f"raw/{name}": data for name, data in files.items()})


def zipped(files):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return file.getvalue()


def tarred(files, mode="w:gz"):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def loaded(split, kind="parquet"):
    return datasets.load_dataset(kind, data_files=str(PROCESSED / split / f"{split}.parquet"), split="train")


def table(lines):
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(lines)
    return file.getvalue().encode()


@pytest.fixture(autouse=True)
def cache(here, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", here / ".datasets")


def test_class_and_split_are_the_folders(here):
    settings(split_folders=True)
    raw(FOLDERS)
    result = made("files")
    assert result["rows"] == {"test": 6, "train": 6}
    assert result["formats"] == {"PNG": 12} and result["notes"] == {}
    for split in ("train", "test"):
        names = sorted(name for name in FOLDERS if name.startswith(split))
        assert rows(split) == [
            ({"bytes": FOLDERS[name], "path": name}, CLASSES.index(name.split("/")[1])) for name in names
        ]
    assert samples("split", "row", "source")[0] == ("test", 0, "test/cat/0.png")
    assert sorted(source for (source,) in samples("source")) == sorted(FOLDERS)


def test_datasets_reads_what_its_imagefolder_reads():
    settings(split_folders=True)
    raw(FOLDERS)
    made("files")
    ours = loaded("train")
    assert ours.features == datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=CLASSES)})
    theirs = datasets.load_dataset("imagefolder", data_dir="raw", split="train")
    assert ours.features == theirs.features and len(ours) == len(theirs)
    wanted = {(np.asarray(row["image"]).tobytes(), row["label"]) for row in theirs}
    assert {(np.asarray(row["image"]).tobytes(), row["label"]) for row in ours} == wanted


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tar.gz"])
def test_an_archive_gives_the_samples_of_its_folder(name):
    settings(split_folders=True)
    raw(FOLDERS)
    made("files")
    wanted = {split: rows(split) for split in ("train", "test")}
    shutil.rmtree("raw")
    files = {f"top/{name}": data for name, data in sorted(FOLDERS.items())}
    mac = {"__MACOSX/top/train/cat/._0.png": b"x", "top/train/.DS_Store": b"x"}
    raw({name: zipped({**files, **mac}) if name == "a.zip" else tarred(files, "w:gz" if name.endswith("gz") else "w")})
    settings(inputs=[{"file": name, "members": "top/**/*.png"}], split_folders=True)
    made("files")
    assert {split: rows(split) for split in ("train", "test")} == wanted
    assert ("train", f"{name}/top/train/cat/0.png") in samples("split", "source")


def test_splits_are_those_of_inputs_or_all_is_train():
    raw(FOLDERS)
    settings()
    assert made("files")["rows"] == {"train": 12}
    settings(inputs=[{"file": "train/**/*.png", "split": "train"}, {"file": "test/*/*.png", "split": "val"}])
    assert made("files")["rows"] == {"train": 6, "val": 6}
    assert rows("val")[0][0]["path"] == "cat/0.png"  # below the folder where the wildcards begin


def test_seeded_splits_stay_when_files_are_added():
    files = {f"{name}/{number}.png": picture(number + 50 * len(name)) for name in CLASSES for number in range(30)}
    settings(splits={"train": 0.7, "test": 0.3}, key=["image"])
    raw(files)
    made("files")
    before = {source: split for split, source in samples("split", "source")}
    assert {*before.values()} == {"train", "test"}
    raw({f"cat/new-{number}.png": picture(1000 + number) for number in range(10)})
    made("files")
    after = {source: split for split, source in samples("split", "source")}
    assert before.items() < after.items() and len(after) == 70


@pytest.mark.parametrize("format", ["csv", "jsonl", "parquet"])
def test_metadata_describes_the_files_beside_it(format):
    columns = [IMAGE, LABEL, {"name": "text", "type": "string"}, {"name": "size", "type": "float64"}]
    names = ["a.png", "b/c.png", "a.png", "./d.png"]  # two captions of one image
    labels, texts, sizes = ["cat", "dog", "cat", "dog"], ["one", "two, three", "four", "üx"], [1.5, 2.5, -3.5, 4.5]
    listed = [*zip(names, labels, texts, sizes, strict=True)]
    header = ["file_name", "label", "text", "size"]
    data = {
        "csv": table([header, *listed]),
        "jsonl": "".join(json.dumps(dict(zip(header, row, strict=True))) + "\n" for row in listed),
        "parquet": encoded_table(pa.table(dict(zip(header, [names, labels, texts, sizes], strict=True)))),
    }[format]
    pictures = {name: picture(number) for number, name in enumerate(["a.png", "b/c.png", "d.png"])}
    raw({"x/" + name: data for name, data in {**pictures, f"metadata.{format}": data}.items()})
    settings(columns, labels="metadata", metadata=f"metadata.{format}")
    made("files")
    assert rows("train") == [
        ({"bytes": pictures["a.png"], "path": "x/a.png"}, 0, "one", 1.5),
        ({"bytes": pictures["a.png"], "path": "x/a.png"}, 0, "four", -3.5),
        ({"bytes": pictures["b/c.png"], "path": "x/b/c.png"}, 1, "two, three", 2.5),
        ({"bytes": pictures["d.png"], "path": "x/d.png"}, 1, "üx", 4.5),
    ]


def test_metadata_of_every_split_and_in_archives():
    pictures = {name: picture(number) for number, name in enumerate(["train/0.png", "test/0.png"])}
    labels = {"train": 1, "test": "cat"}
    lines = {f"{split}/metadata.csv": table([["file_name", "label"], ["0.png", labels[split]]]) for split in labels}
    settings(labels="metadata", split_folders=True)
    raw({**pictures, **lines})
    made("files")
    wanted = [rows(split) for split in ("train", "test")]
    assert [row[0][1] for row in wanted] == [1, 0]
    shutil.rmtree("raw")
    for data in (zipped({**pictures, **lines}), tarred({**pictures, **lines})):
        raw({"a.bin": data})
        settings(inputs=[{"file": "a.bin", "members": "**/*"}], labels="metadata", split_folders=True)
        made("files")
        assert [rows(split) for split in ("train", "test")] == wanted
    raw({"a.bin": zipped(pictures), "metadata.csv": table([["file_name", "label"], *((name, 1) for name in pictures)])})
    made("files")
    assert [rows(split)[0][1] for split in ("train", "test")] == [1, 1]


def test_a_column_of_the_metadata_splits_and_groups():
    names = [f"{number}.png" for number in range(40)]
    header = ["file_name", "label", "patient", "fold"]
    lines = [
        [name, number % 2, f"p{number % 8}", "test" if number % 4 else "train"] for number, name in enumerate(names)
    ]
    raw({"metadata.csv": table([header, *lines]), **{name: picture(number) for number, name in enumerate(names)}})
    settings(labels="metadata", split_column="fold", ignore=["patient"])
    assert made("files")["rows"] == {"test": 30, "train": 10}
    patient = {"name": "patient", "type": "string"}
    settings(
        [IMAGE, LABEL, patient],
        labels="metadata",
        ignore=["fold"],
        group=["patient"],
        splits={"train": 0.5, "test": 0.5},
        seed=1,
    )
    made("files")
    patients = [{row[2] for row in rows(split)} for split in ("train", "test")]
    assert len(patients[0]) + len(patients[1]) == 8 and not patients[0] & patients[1]


@pytest.mark.parametrize(
    ("files", "rest", "code", "error"),
    [
        ({"dgo/a.png": picture()}, {}, 20, "raw/dgo/a.png: unknown class 'dgo'; expected one of cat, dog"),
        ({"a.png": picture()}, {}, 20, "raw/a.png: is in no folder of a class"),
        ({"cat/a.png": picture()}, {"split_folders": True}, 20, "raw/cat/a.png: is in no folder of a class"),
        ({"a.png": picture()}, {"split_folders": True}, 20, "raw/a.png: is in no folder of a split"),
        ({"Train/cat/a.png": picture()}, {"split_folders": True}, 20, "raw/Train/cat/a.png: invalid split name"),
        ({"cat/a.png": picture()[:-9]}, {}, 23, "raw/cat/a.png: damaged PNG image"),
        ({"cat/a.png": jpeg()}, {}, 23, "raw/cat/a.png: is JPEG, not PNG as its suffix .png says"),
        ({"cat/a.txt": b"text"}, {}, 23, "raw/cat/a.txt: not a JPEG or PNG or WebP image"),
        ({"cat/a.png": b""}, {}, 21, "raw/cat/a.png: the file is empty"),
        ({"cat/a.png": picture()}, {"max_file_bytes": 100}, 23, "raw/cat/a.png: larger than 100 bytes"),
        ({"cat/a.png": picture()}, {"inputs": [{"file": "**/*.jpg"}]}, 10, "raw/**/*.jpg: not found"),
        ({"cat/a.png": picture()}, {"inputs": [{"file": "../*"}]}, 14, "parquetizer.inputs: path"),
        (
            {"cat/a.png": picture()},
            {"inputs": [{"file": "**/*"}, {"file": "cat/*.png"}]},
            20,
            "raw/cat/a.png: is in two inputs",
        ),
        ({"cat/a.png": picture()}, {"splits": {"a": 0.5, "b": 0.5}}, 21, "split "),
    ],
)
def test_files_that_are_not_as_declared_are_refused(files, rest, code, error):
    settings(**rest)
    raw(files)
    outcome = run("files")
    assert (outcome.code, outcome.error[: len(error)]) == (code, error)
    assert not PROCESSED.exists() and not SAMPLES.exists()


@pytest.mark.parametrize(
    ("lines", "code", "error"),
    [
        ([["b.png", "cat"]], 20, "raw/a.png: has no row in metadata.csv"),
        ([["a.png", "cat"], ["b.png", "cat"]], 20, "metadata.csv: 1 rows without a file: b.png"),
        ([["a.png", "cow"]], 20, "raw/metadata.csv row 1: unknown class 'cow' of label; expected one of cat, dog"),
        ([["a.png", 2]], 20, "raw/metadata.csv row 1: unknown class '2' of label"),
        ([["", "cat"]], 20, "raw/metadata.csv row 1: file_name is empty"),
        ([["../a.png", "cat"]], 14, "raw/metadata.csv row 1: invalid file_name '../a.png'"),
        ([["/etc/passwd", "cat"]], 14, "raw/metadata.csv row 1: invalid file_name"),
        ([["file://a.png", "cat"]], 14, "raw/metadata.csv row 1: invalid file_name"),
    ],
)
def test_metadata_that_does_not_match_is_refused(lines, code, error):
    settings(labels="metadata")
    raw({"a.png": picture(), "metadata.csv": table([["file_name", "label"], *lines])})
    outcome = run("files")
    assert (outcome.code, outcome.error[: len(error)]) == (code, error)
    assert not SAMPLES.exists()


def test_an_undeclared_column_of_the_metadata_is_refused():
    settings(labels="metadata")
    raw({"a.png": picture(), "metadata.csv": table([["file_name", "label", "more"], ["a.png", 1, 2]])})
    assert run("files").code == 22
    Path("raw/metadata.csv").unlink()
    assert run("files").code == 10


@pytest.mark.parametrize(
    ("columns", "rest", "what"),
    [
        ((IMAGE, LABEL), {"media": "video"}, "unknown media video"),
        ((IMAGE, LABEL), {"labels": "name"}, "unknown labels name"),
        ((IMAGE, LABEL), {"inputs": []}, "no inputs"),
        ((LABEL,), {}, "expected one column of type image"),
        ((IMAGE, {**IMAGE, "name": "more"}, LABEL), {}, "expected one column of type image"),
        ((IMAGE,), {}, "expected one column with the classes"),
        ((IMAGE, LABEL), {"labels": "none"}, "no source of column label"),
        ((IMAGE,), {"labels": "metadata"}, "no columns of the metadata"),
        ((IMAGE, LABEL, {"name": "file_name", "type": "int64"}), {}, "expected type string for file_name"),
        ((IMAGE, LABEL), {"rate": 16000}, "rate is for media: audio"),
        ((IMAGE, LABEL), {"max_file_bytes": 0}, "invalid max-file-bytes"),
        ((IMAGE, LABEL), {"split_folders": True, "splits": {"a": 1.0}}, "both splits and official splits"),
        ((IMAGE, LABEL), {"split_column": "x"}, "split-column without metadata"),
        ((IMAGE, LABEL), {"key": ["x"]}, "unknown column x"),
    ],
)
def test_settings_that_describe_no_files_are_refused(columns, rest, what):
    settings(columns, **rest)
    raw(FOLDERS)
    outcome = run("files")
    assert outcome.code == 2 and what in outcome.error


def test_images_that_readers_show_differently_are_kept_and_named_or_normalised():
    files = {"cat/a.jpg": jpeg(1), "cat/b.jpg": jpeg(2, "CMYK"), "dog/c.jpg": turned(6), "dog/d.png": turned(3, "PNG")}
    raw(files)
    settings()
    result = made("files")
    assert result["notes"] == {"CMYK": 1, "rotated by EXIF": 2}
    assert [row[0]["bytes"] for row in rows("train")] == [*files.values()]
    settings(normalise=True)
    assert made("files")["notes"] == {"CMYK": 1, "rotated by EXIF": 2}
    contents = [row[0]["bytes"] for row in rows("train")]
    assert contents[0] == files["cat/a.jpg"] and len({*contents} - {*files.values()}) == 3
    with Image.open(io.BytesIO(contents[1])) as image:
        assert (image.mode, image.format) == ("RGB", "JPEG")


def test_audio_is_read_by_datasets_and_soundfile():
    files = {
        "cat/a.wav": sound(),
        "cat/b.flac": sound("FLAC", number=1),
        "dog/c.mp3": sound("MP3", number=2),
        "dog/d.ogg": sound("OGG", number=3),
    }
    raw(files)
    settings([{"name": "audio", "type": "audio"}, LABEL], media="audio", rate=RATE, channels=1)
    assert made("files")["formats"] == {"WAV": 1, "FLAC": 1, "MP3": 1, "Ogg": 1}
    ours = loaded("train")
    assert ours.features == datasets.Features({"audio": datasets.Audio(), "label": datasets.ClassLabel(names=CLASSES)})
    for row, data in zip(ours.cast_column("audio", datasets.Audio(decode=False)), files.values(), strict=True):
        assert row["audio"]["bytes"] == data
        assert soundfile.info(io.BytesIO(row["audio"]["bytes"])).samplerate == RATE
    for rest, what in (({"rate": 16000}, "a rate of 16000"), ({"channels": 2}, "channels: 2")):
        settings([{"name": "audio", "type": "audio"}, LABEL], media="audio", **rest)
        outcome = run("files")
        assert outcome.code == 22 and f"raw/cat/a.wav: expected {what}" in outcome.error
    settings([{"name": "audio", "type": "audio"}, LABEL], media="audio", max_seconds=0.1)
    assert run("files").code == 23


def test_any_bytes_are_taken_as_they_are():
    files = {"a.bin": b"\0\1\2", "b.gz": zipped({"x": b"y"}), "c": b"text"}
    raw(files)
    columns = [{"name": "data", "type": "binary"}, {"name": "file_name", "type": "string"}]
    settings(columns, media="binary", labels="none", key=["file_name"])
    made("files")
    assert rows("train") == [(data, name) for name, data in files.items()]


def test_a_file_that_links_out_of_raw_is_refused():
    raw(FOLDERS)
    Path("secret.png").write_bytes(picture())
    Path("raw/train/cat/link.png").symlink_to(Path("secret.png").absolute())
    settings(split_folders=True)
    assert run("files").code == 14


@pytest.mark.parametrize("name", ["../a.png", "/a.png", "cat/../../a.png"])
def test_a_member_that_leaves_the_archive_is_refused(name):
    raw({"a.zip": zipped({"cat/a.png": picture(), name: picture()})})
    settings(inputs=[{"file": "a.zip", "members": "**/*"}])
    assert run("files").code == 14


def test_outputs_of_an_earlier_run_stay_where_a_file_is_damaged():
    raw({**FOLDERS, "train/cat/9.png": picture()[:200]})
    settings(split_folders=True)
    error = run("files").error
    refused("files", 23, error)


@pytest.mark.parametrize("prefix", [["taskset", "-c", "0"], []], ids=["one core", "all cores"])
def test_the_bytes_are_the_same_on_any_number_of_cores(prefix):
    settings(split_folders=True)
    raw({**FOLDERS, **{f"train/dog/{number}.jpg": jpeg(number) for number in range(40)}})
    made("files")
    first = outputs()
    program = [sys.executable, "-c", "from parquetizer.cli import cli; cli()"]
    command = [*program, "files", "raw", "processed", "samples.parquet", "--params", "params.yaml"]
    environment = {**os.environ, "PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C"}
    subprocess.run([*(prefix if shutil.which("taskset") else []), *command], check=True, env=environment)
    assert outputs() == first and not [name for name in found() if ".tmp" in name]


def test_row_groups_are_bounded_in_bytes():
    """A reader holds one of them in memory."""
    blob = np.random.RandomState(0).bytes(4 << 20)
    raw({f"{number:02}.bin": bytes([number]) + blob for number in range(24)})
    settings([{"name": "data", "type": "binary"}], media="binary", labels="none")
    made("files")
    with pq.ParquetFile(PROCESSED / "train/train.parquet") as file:
        groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    assert max(group.total_byte_size for group in groups) < 24 << 20 and len(groups) > 2
    assert [row for (row,) in samples("row")] == [*range(24)]

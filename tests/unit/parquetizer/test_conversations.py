"""Captioned images become conversations: what is written, and what is refused (Q12 to Q14)."""

import hashlib
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from parquetizer.kinds.jpeg import read_jpeg
from PIL import Image
from samples import read_manifest
from stage.errors import CorruptFile
from unit.parquetizer.folders import (
    PROCESSED,
    SAMPLES,
    encoded,
    found,
    jpeg,
    made,
    outputs,
    refused,
    run_with,
    samples,
    write,
    write_params,
)

PROMPT = "Describe the image,\nin ‘plain’ words."
PINNED = {"name": "radiology-prompt", "version": 3, "sha256": hashlib.sha256(PROMPT.encode()).hexdigest()}
OPTION = ("--prompt", "prompt.txt")
CAPTIONS = ["a chest", 'the "left" hand\n\tin two lines', "ein Fuß 🙂 \u2028\x7f\x1c", " a caption ", "a chest"]
AGAIN = "fetch it again"


def settings(splits=None, prompt=PINNED, **rest):
    write_params(prompt=prompt, splits=splits or {"train": 0.6, "test": 0.4}, stem="radiology", **rest)


def raw(captions=CAPTIONS, **changes):
    """Write raw files; a change replaces an image, as b_jpg=..., or leaves it out."""
    names = [f"{letter}.jpg" for letter in "abcdefghijklmnopqrstuvwxyz"[: len(captions)]]
    entries = [{"image": name, "caption": caption} for name, caption in zip(names, captions, strict=True)]
    write({"raw/captions.json": json.dumps(entries), "prompt.txt": PROMPT})
    write({f"raw/images/{name}": jpeg(number) for number, name in enumerate(names)})
    write({f"raw/images/{name.replace('_jpg', '.jpg')}": data for name, data in changes.items()})
    return entries


def test_each_image_becomes_a_conversation():
    settings()
    raw()
    result = made("conversations", *OPTION)
    files = found(PROCESSED)
    assert [*files] == [
        "processed/process_stats.json",
        "processed/test/annotations.json",
        "processed/test/images/test_radiology_000003.jpg",
        "processed/test/images/test_radiology_000004.jpg",
        "processed/train/annotations.json",
        "processed/train/images/train_radiology_000000.jpg",
        "processed/train/images/train_radiology_000001.jpg",
        "processed/train/images/train_radiology_000002.jpg",
    ]
    for split, numbers in (("train", (0, 1, 2)), ("test", (3, 4))):
        wanted = [
            {
                "image": f"{split}_radiology_{number:06d}.jpg",
                "conversations": [
                    {"from": "human", "value": f"<image>\n{PROMPT}"},
                    {"from": "gpt", "value": CAPTIONS[number]},
                ],
            }
            for number in numbers
        ]
        assert files[f"processed/{split}/annotations.json"] == json.dumps(wanted, indent=2).encode()
        for number in numbers:
            assert files[f"processed/{split}/images/{split}_radiology_{number:06d}.jpg"] == jpeg(number)
    sha256 = {
        f"processed/{split}/annotations.json": hashlib.sha256(files[f"processed/{split}/annotations.json"]).hexdigest()
        for split in ("train", "test")
    }
    assert result == {"output": "processed", "rows": {"train": 3, "test": 2}, "files": sha256}


def test_process_stats_hold_counts_and_prompt():
    settings()
    raw()
    made("conversations", *OPTION)
    stats = {
        "train_samples": 3,
        "test_samples": 2,
        "train_split": 0.6,
        "prompt": {
            "prompt_name": "radiology-prompt",
            "prompt_version": 3,
            "prompt_uri": "prompts:/radiology-prompt/3",
            "prompt_text": PROMPT,
        },
    }
    written = (PROCESSED / "process_stats.json").read_bytes()
    assert written == (json.dumps(stats, indent=2, ensure_ascii=False) + "\n").encode()


def test_the_manifest_names_split_file_row_and_source_of_every_image():
    settings(key=["image"])
    raw(e_jpg=jpeg(0))  # as a.jpg
    files = made("conversations", *OPTION)["files"]
    manifest = read_manifest(SAMPLES)
    assert (manifest.files, manifest.key, manifest.rows) == (files, ["image"], 5)
    assert manifest.columns == [
        ["image", "binary"],
        ["conversations", "list<item: struct<from: string, value: string>>"],
    ]
    train, test = "processed/train/annotations.json", "processed/test/annotations.json"
    assert samples("split", "file", "row", "source") == [
        ("train", train, 0, "images/a.jpg"),
        ("train", train, 1, "images/b.jpg"),
        ("train", train, 2, "images/c.jpg"),
        ("test", test, 0, "images/d.jpg"),
        ("test", test, 1, "images/e.jpg"),
    ]
    keys = [key for (key,) in samples("key_hash")]
    assert keys[0] == keys[4] and len(set(keys)) == 4
    contents = [content for (content,) in samples("content_hash")]
    assert contents[0] == contents[4]  # the caption is the same, too


def test_grey_and_progressive_images_are_copied_byte_for_byte():
    settings({"train": 1.0})
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 1, "an upright image"
    images = {
        "a_jpg": jpeg(1, "L"),
        "b_jpg": jpeg(1, progressive=True),
        "c_jpg": jpeg(1, exif=exif),
        "d_jpg": jpeg(1, quality=100, subsampling=0) + b"trailing bytes",
        "e_jpg": jpeg(1, comment=b"a comment", dpi=(300, 300)),
    }
    raw(**images)
    made("conversations", *OPTION)
    copied = [*found(PROCESSED / "train/images").values()]
    assert copied == [*images.values()]


def test_other_names_of_raw_files_and_images_can_be_declared():
    settings({"all": 1.0}, captions="c.json", images="pictures")
    write(
        {
            "raw/c.json": json.dumps([{"image": "A B.JPEG", "caption": "x"}]),
            "raw/pictures/A B.JPEG": jpeg(),
            "prompt.txt": PROMPT,
        }
    )
    made("conversations", *OPTION)
    assert samples("source") == [("pictures/A B.JPEG",)]
    assert "processed/all/images/all_radiology_000000.jpg" in outputs()


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"PYTHONHASHSEED": "1", "TZ": "Asia/Kathmandu", "LC_ALL": "C"},
        {"PYTHONHASHSEED": "2", "LC_ALL": "tr_TR.UTF-8"},
    ],
    ids=["C locale", "Turkish locale"],
)
@pytest.mark.parametrize("split", ["sequential", "seeded"])
def test_a_rerun_gives_the_same_bytes_anywhere(elsewhere, split):
    """Q16."""
    settings(split=split, seed=3)
    raw()
    made("conversations", *OPTION)
    first = outputs()
    made("conversations", *OPTION)
    assert outputs() == first
    arguments = ["conversations", "raw", "processed", "samples.parquet", "--params", "params.yaml", *OPTION]
    command = [sys.executable, "-c", "from parquetizer.cli import cli; cli()", *arguments]
    subprocess.run(command, env={**os.environ, **elsewhere}, check=True, capture_output=True)
    assert outputs() == first
    assert sorted(path.name for path in Path().iterdir()) == [
        "params.yaml",
        "processed",
        "prompt.txt",
        "raw",
        "samples.parquet",
    ]


def refused_image(data, what, fix, name="c.jpg"):
    settings()
    raw(**{name.replace(".jpg", "_jpg"): data})
    refused("conversations", 23, f"raw/images/{name}: {what}; fix: {fix}", *OPTION)


@pytest.mark.parametrize("options", [{}, {"mode": "L"}, {"progressive": True}], ids=["colour", "grey", "progressive"])
def test_an_image_that_is_cut_anywhere_is_refused(options, tmp_path):
    """Q12: Pillow's verify passes an image cut in half."""
    whole = jpeg(1, **options)
    path = tmp_path / "x.jpg"
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        with pytest.raises(CorruptFile) as caught:
            read_jpeg(path)
        assert caught.value.code == 23
    path.write_bytes(whole)
    assert read_jpeg(path) == whole


def test_an_image_cut_in_half_is_refused():
    """Q12."""
    data = jpeg(2, size=(64, 64))
    what = "damaged JPEG image: image file is truncated ("
    settings()
    raw(c_jpg=data[: len(data) // 2])
    outcome = run_with("conversations", "raw", "processed", "samples.parquet", "--params", "params.yaml", *OPTION)
    assert outcome.code == 23
    assert outcome.error.startswith(f"raw/images/c.jpg: {what}")
    assert outcome.error.endswith(f"; fix: {AGAIN}")
    assert not PROCESSED.exists() and not SAMPLES.exists()


@pytest.mark.parametrize("kind", ["PNG", "GIF", "BMP", "WEBP", "TIFF", "JPEG2000"])
def test_an_image_of_another_format_is_refused(kind):
    """Q12: whatever it is called."""
    data = encoded(Image.new("RGB", (8, 8)), kind)
    refused_image(data, "not a JPEG image", f"{AGAIN}, or convert it")


@pytest.mark.parametrize(
    "data", [b"", b"\xff\xd8", b"<html>no</html>", b"\0" * 100], ids=["empty", "mark", "page", "zeros"]
)
def test_what_is_no_image_is_refused(data):
    """Q12."""
    settings()
    raw(c_jpg=data)
    outcome = run_with("conversations", "raw", "processed", "samples.parquet", "--params", "params.yaml", *OPTION)
    assert outcome.code == 23
    assert outcome.error == f"raw/images/c.jpg: not a JPEG image; fix: {AGAIN}, or convert it"


def test_colours_that_readers_show_differently_are_refused():
    """Q12."""
    refused_image(jpeg(1, "CMYK"), "unsupported colour mode CMYK", "convert it to grayscale or RGB")


@pytest.mark.parametrize("orientation", [2, 3, 6, 8])
def test_a_rotation_in_exif_is_refused(orientation):
    """Q12."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    refused_image(jpeg(1, exif=exif), f"rotated by EXIF (orientation {orientation})", "rotate its pixels")


def test_several_pictures_in_one_file_are_refused():
    """Q12: MPO, the format of stereo cameras."""
    one = Image.new("RGB", (8, 8))
    data = encoded(one, "MPO", save_all=True, append_images=[one, one])
    refused_image(data, "contains 3 images", "keep one of them")


def sized(width, height, data=None):
    """Return a JPEG that claims another size."""
    data = bytearray(data or jpeg(1))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(data)


@pytest.mark.parametrize(
    ("width", "height", "what"),
    [
        (14_000, 14_000, "more than 33554432 pixels"),
        (65_500, 65_500, "more than 33554432 pixels"),
        (9_000, 9_000, "9000 x 9000 pixels, more than 33554432"),
        (65_500, 513, "65500 x 513 pixels, more than 33554432"),
    ],
)
def test_more_pixels_than_memory_is_for_are_refused_before_they_are_decoded(width, height, what, limited):
    """Q12: the file has 900 bytes."""
    refused_image(sized(width, height), what, "shrink it")


def test_an_image_of_no_pixels_is_refused():
    """Q12."""
    for size in ((0, 12), (16, 0), (0, 0)):
        refused_image(sized(*size), "not a JPEG image", f"{AGAIN}, or convert it")


def test_a_file_too_large_to_be_an_image_is_refused():
    settings()
    raw()
    with Path("raw/images/c.jpg").open("ab") as file:
        file.truncate((1 << 26) + 1)
    outcome = run_with("conversations", "raw", "processed", "samples.parquet", "--params", "params.yaml", *OPTION)
    assert (outcome.code, outcome.error) == (23, "raw/images/c.jpg: larger than 67108864 bytes; fix: shrink it")


@pytest.mark.parametrize("split", ["sequential", "seeded"])
def test_a_bad_last_image_leaves_nothing_written(split):
    settings(split=split)
    raw(e_jpg=b"no image")
    what = f"raw/images/e.jpg: not a JPEG image; fix: {AGAIN}, or convert it"
    refused("conversations", 23, what, *OPTION)


def refused_captions(entries, faults, code=20, **files):
    settings()
    raw()
    text = entries if isinstance(entries, (str, bytes)) else json.dumps(entries)
    write({"raw/captions.json": text, **files})
    refused("conversations", code, faults, *OPTION)


def several(*faults):
    number = "1 error" if len(faults) == 1 else f"{len(faults)} errors"
    return f"raw/captions.json: {number}: {'; '.join(faults)}; fix: correct the captions or the images"


ENTRIES = [{"image": f"{letter}.jpg", "caption": "x"} for letter in "abcde"]


@pytest.mark.parametrize(
    ("last", "faults"),
    [
        ([], ["e.jpg has no caption"]),
        ([{"image": "z.jpg", "caption": "x"}], ["z.jpg has a caption but no file", "e.jpg has no caption"]),
        ([{"image": "e.jpg", "caption": "x"}] * 2, ["e.jpg is listed 2 times"]),
        ([{"image": "e.jpg", "caption": ""}], ["the caption of e.jpg is empty"]),
        ([{"image": "e.jpg", "caption": " \n\u00a0"}], ["the caption of e.jpg is empty"]),
        ([{"image": "e.jpg", "caption": "an <image> in it"}], ["the caption of e.jpg contains <image>"]),
        ([{"image": "e.jpg", "caption": "a\0b"}], ["the caption of e.jpg contains NUL or a lone surrogate"]),
        ([{"image": "e.jpg", "caption": "a\ud83d"}], ["the caption of e.jpg contains NUL or a lone surrogate"]),
        ([{"image": "e.jpg"}], ["entry 4: expected an object with image and caption", "e.jpg has no caption"]),
        (
            [{"image": "e.jpg", "caption": None}],
            ["entry 4: expected an object with image and caption", "e.jpg has no caption"],
        ),
        (
            [{"image": 5, "caption": "x"}],
            ["entry 4: expected an object with image and caption", "e.jpg has no caption"],
        ),
        (["e.jpg"], ["entry 4: expected an object with image and caption", "e.jpg has no caption"]),
        ([{**ENTRIES[4], "id": "1"}], ["entry 4: expected an object with image and caption", "e.jpg has no caption"]),
        ([{"image": "e.png", "caption": "x"}], ["e.png: expected suffix .jpg or .jpeg", "e.jpg has no caption"]),
        ([{"image": "", "caption": "x"}], [": expected suffix .jpg or .jpeg", "e.jpg has no caption"]),
        ([{"image": "E.jpg", "caption": "x"}], ["E.jpg has a caption but no file", "e.jpg has no caption"]),
    ],
)
def test_captions_and_images_that_do_not_belong_together_are_refused(last, faults):
    """Q13 and Q7."""
    refused_captions([*ENTRIES[:4], *last], several(*faults))


def test_the_first_twenty_faults_are_named_and_all_are_counted():
    """Q13."""
    entries = [{"image": f"n{number}.jpg", "caption": "x"} for number in range(30)]
    told = "; ".join(f"n{number}.jpg has a caption but no file" for number in range(20))
    # The five images have no caption.
    what = f"raw/captions.json: 35 errors: {told}; and 15 more; fix: correct the captions or the images"
    refused_captions(entries, what)
    refused_captions(entries[:15], several(
        *(f"n{number}.jpg has a caption but no file" for number in range(15)),
        *(f"{letter}.jpg has no caption" for letter in "abcde"),
    ))  # fmt: skip


def test_a_file_beside_the_images_is_refused():
    """Q13."""
    files = {"raw/images/notes.txt": "x", "raw/images/.DS_Store": "x"}
    refused_captions(ENTRIES, several(".DS_Store has no caption", "notes.txt has no caption"), **files)


def test_a_folder_called_as_an_image_is_refused():
    settings()
    raw()
    Path("raw/images/c.jpg").unlink()
    Path("raw/images/c.jpg").mkdir()
    refused("conversations", 20, several("c.jpg is not a regular file"), *OPTION)


def test_a_link_is_as_good_as_the_image_that_it_leads_to():
    """As dvc leaves them where its cache.type is symlink."""
    settings()
    raw()
    cached = Path("cache/files/md5/01/23456789abcdef0123456789abcdef")
    cached.parent.mkdir(parents=True)
    Path("raw/images/c.jpg").rename(cached)
    Path("raw/images/c.jpg").symlink_to(cached.absolute())
    made("conversations", *OPTION)
    copied = PROCESSED / "train/images/train_radiology_000002.jpg"
    assert not copied.is_symlink() and copied.read_bytes() == jpeg(2)
    cached.unlink()
    refused("conversations", 20, several("c.jpg is not a regular file"), *OPTION)


@pytest.mark.parametrize(
    "name", ["../c.jpg", "/etc/x.jpg", "sub/c.jpg", "..", ".", "c.jpg/", ".c.jpg", "c\0.jpg", "c\n.jpg", "\ud83d.jpg"]
)
def test_a_name_that_leads_elsewhere_is_refused(name):
    """Q13; F15 for the code."""
    what = f"raw/images: invalid image name {name!r}: outside the folder; fix: correct the name"
    refused_captions([{"image": name, "caption": "x"}], what, 14)


@pytest.mark.parametrize(
    ("text", "where", "what", "fix"),
    [
        ("{}", "", "expected a JSON array", "write an array of objects with image and caption"),
        ("null", "", "expected a JSON array", "write an array of objects with image and caption"),
        ('[{"image": "a.jpg", "caption": NaN}]', "", "invalid JSON: unsupported number NaN", "correct it"),
        (
            '[{"image": "a.jpg", "caption": "x", "image": "b.jpg"}]',
            "",
            "invalid JSON: duplicate name in an object",
            "correct it",
        ),
        ("[" * 100_000, "", "invalid JSON: nested too deeply", "correct it"),
        (
            json.dumps(ENTRIES)[:-1],
            "",
            "invalid JSON: Expecting ',' delimiter: line 1 column 180 (char 179)",
            "correct it",
        ),
        ("", "", "invalid JSON: Expecting value: line 1 column 1 (char 0)", "correct it"),
        (b"[\xff]", "@1", "invalid utf-8: invalid start byte", "correct the file"),
        (
            b"\xef\xbb\xbf[]",
            "",
            "invalid JSON: Unexpected UTF-8 BOM (decode using utf-8-sig): line 1 column 1 (char 0)",
            "correct it",
        ),
    ],
    ids=["object", "null", "NaN", "twice", "deep", "cut", "empty", "Latin-1", "mark"],
)
def test_a_file_that_is_no_json_array_is_refused(text, where, what, fix):
    """Q9's faults, in one document."""
    code = 21 if text == "" else 20
    if text == "":
        what, fix = "the file is empty", "check that the source sent the whole file"
    refused_captions(text, f"raw/captions.json{where}: {what}; fix: {fix}", code)


def test_an_array_without_captions_is_refused():
    """Q8."""
    refused_captions("[]", "raw/captions.json: no captions; fix: check that the source sent the whole file", 21)


@pytest.mark.parametrize("missing", ["raw/captions.json", "raw/images"])
def test_raw_files_that_are_not_there_are_missing_input(missing):
    settings()
    raw()
    Path(missing).rename("elsewhere")
    refused(
        "conversations", 10, f"{missing}: not found; fix: run the fetcher, or correct the section parquetizer", *OPTION
    )


def test_a_prompt_that_is_missing_is_never_replaced():
    """Q14."""
    settings()
    raw()
    Path("prompt.txt").unlink()
    what = "prompt.txt: text of prompt radiology-prompt/3 not found; fix: make prompts PIN=radiology-prompt/3"
    refused("conversations", 10, what, *OPTION)


@pytest.mark.parametrize("text", [PROMPT + "\n", PROMPT.upper(), "", PROMPT.replace("\n", "\r\n")])
def test_a_prompt_that_is_not_the_pinned_one_is_refused_with_its_hash(text):
    """Q14."""
    settings()
    raw()
    write({"prompt.txt": text})
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    fix = f"restore the pinned text, or pin this one: parquetizer.prompt.sha256: {sha256}"
    what = f"prompt.txt: differs from the pinned text of prompt radiology-prompt/3; fix: {fix}"
    refused("conversations", 11, what, *OPTION)


def test_the_prompt_has_no_default():
    """Q14."""
    settings()
    raw()
    outcome = run_with("conversations", "raw", "processed", "samples.parquet", "--params", "params.yaml")
    what = "parquetizer conversations: missing option '--prompt'; fix: see parquetizer conversations --help"
    assert (outcome.code, outcome.error) == (2, what)
    write_params(splits={"train": 1.0})
    what = "params.yaml parquetizer: prompt is missing; fix: add prompt:"
    refused("conversations", 2, what, *OPTION)


@pytest.mark.parametrize("text", ["", " \n", "see <image>", "a\0b"])
def test_a_pinned_prompt_that_is_no_prompt_is_refused(text):
    settings(prompt={**PINNED, "sha256": hashlib.sha256(text.encode()).hexdigest()})
    raw()
    write({"prompt.txt": text})
    what = "prompt.txt: the prompt is empty, or contains <image> or NUL"
    refused("conversations", 2, f"{what}; fix: pin another text; <image> is added before it", *OPTION)


def test_a_pinned_prompt_that_is_no_utf_8_is_refused():
    settings(prompt={**PINNED, "sha256": hashlib.sha256(b"abc\xff").hexdigest()})
    raw()
    write({"prompt.txt": b"abc\xff"})
    refused("conversations", 20, "prompt.txt@3: invalid utf-8: invalid start byte; fix: pin a text in UTF-8", *OPTION)


@pytest.mark.parametrize("output", ["raw", ".", "raw/.."])
def test_an_output_that_would_take_the_place_of_the_inputs_is_refused(output):
    settings()
    raw()
    before = found()
    outcome = run_with("conversations", "raw", output, "../samples.parquet", "--params", "params.yaml", *OPTION)
    what = f"raw: is inside {Path(output)}, which is replaced as a whole; fix: write to another folder"
    assert (outcome.code, outcome.error) == (2, what)
    assert found() == before


def test_an_output_that_would_take_the_place_of_the_prompt_is_refused():
    settings()
    raw()
    write({"processed/prompt.txt": PROMPT})
    arguments = ["raw", "processed", "samples.parquet", "--params", "params.yaml", "--prompt", "processed/prompt.txt"]
    outcome = run_with("conversations", *arguments)
    what = "processed/prompt.txt: is inside processed, which is replaced as a whole"
    assert (outcome.code, outcome.error) == (2, f"{what}; fix: write to another folder")
    assert [*found(PROCESSED)] == ["processed/prompt.txt"]


WHERE = "params.yaml parquetizer"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "random"}, f"{WHERE}: unknown split random; fix: use one of: sequential, seeded"),
        ({"seed": -1}, f"{WHERE}: invalid seed -1: expected 0 to 2^63 - 1; fix: correct it"),
        ({"stem": "a/b"}, f"{WHERE}: invalid stem 'a/b'; fix: use lowercase letters, digits, - and _"),
        ({"stem": ""}, f"{WHERE}: invalid stem ''; fix: use lowercase letters, digits, - and _"),
        ({"splits": {}}, f"{WHERE}: no splits; fix: add shares, such as splits: {{train: 0.8, test: 0.2}}"),
        ({"splits": {"train": 0.8}}, f"{WHERE}.splits: the shares sum to 0.8; fix: use shares that sum to 1"),
        ({"key": ["caption"]}, f"{WHERE} key: unknown column caption; fix: use one of: image, conversations"),
        (
            {"prompt": {**PINNED, "version": "3"}},
            f"{WHERE}.prompt.version: expected an integer, got '3'; fix: write an integer",
        ),
        ({"prompt": {"name": "x", "version": 1}}, f"{WHERE}.prompt: sha256 is missing; fix: add sha256:"),
    ],
)
def test_settings_that_describe_no_conversations_are_refused(changes, message):
    write_params(**{"prompt": PINNED, "splits": {"train": 1.0}, **changes})
    raw()
    refused("conversations", 2, message, *OPTION)


def test_many_images_are_numbered_through_all_splits():
    settings({"train": 0.5, "val": 0.25, "test": 0.25})
    raw(["x"] * 20)
    made("conversations", *OPTION)
    names = [Path(name).name for split in ("train", "val", "test") for name in found(PROCESSED / split / "images")]
    assert [int(name[-10:-4]) for name in names] == [*range(20)]
    assert np.array_equal(samples("row"), [(n,) for n in [*range(10), *range(5), *range(5)]])

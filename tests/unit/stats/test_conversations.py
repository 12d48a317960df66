import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from parquetizer.kinds.conversations import parquetize_conversations
from parquetizer.kinds.conversations_settings import ConversationsSettings, Prompt
from stats.cli import cli
from unit.stats.data_sets import (
    CONVERSATION,
    METADATA,
    PROMPT,
    SAMPLES,
    TEXT,
    annotations,
    describe,
    ids,
    jpeg,
    lay_conversations,
    measured,
    refusal,
    resign,
    sign,
    table_of,
)

TRAIN = [(jpeg(8, 6, 1), "a knee"), (jpeg(16, 9, 2), "größer 😀"), (jpeg(8, 7, 3), "chest, frontal")]
TEST = [(jpeg(11, 5, 4), "skull")]
IMAGES = Path("processed/train/images")


@pytest.fixture
def laid(folder: Path) -> Path:
    """annotations.json of train."""
    lay_conversations({"train": TRAIN, "test": TEST})
    return annotations("train")


def change(path: Path, change: Any) -> None:
    """Change a JSON file, and sign it."""
    document = json.loads(path.read_text())
    path.write_text(json.dumps(change(document)))
    resign()


def test_what_the_parquetizer_made_is_measured_with_the_keys_that_consumers_read(folder: Path):
    lay_conversations({"train": TRAIN, "test": TEST})  # for params.yaml and sources.csv
    shutil.rmtree("processed")
    Path("raw/images").mkdir(parents=True)
    pairs = [*TRAIN, *TEST, (jpeg(20, 10, 9), "abdomen")]
    for number, (image, _) in enumerate(pairs):
        Path(f"raw/images/{number}.jpg").write_bytes(image)
    captions = [{"image": f"{number}.jpg", "caption": caption} for number, (_, caption) in enumerate(pairs)]
    Path("raw/captions.json").write_text(json.dumps(captions))
    prompt = Path("prompt.txt")
    prompt.write_text("What is\nshown?")
    pinned = Prompt("radiology", 3, "8d4a3")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Prompt, "read", lambda self, path: path.read_text())
        shares = {"train": 0.8, "test": 0.2}
        parquetize_conversations(
            Path("raw"),
            prompt,
            Path("processed"),
            SAMPLES,
            ConversationsSettings(pinned, splits=shares, key=("image",)),
        )

    found = measured("conversations")
    assert list(found) == [
        "dataset", "prompt", "schema", "splits", "metrics", "checks", "files", "provenance", "logical_hash",
    ]  # fmt: skip
    assert list(found["dataset"]) == [
        "name", "title", "description", "source", "citation", "licence", "format",
    ]  # fmt: skip
    assert found["prompt"] == {
        "prompt_name": "radiology",
        "prompt_version": 3,
        "prompt_uri": "prompts:/radiology/3",
        "prompt_text": "What is\nshown?",
    }
    assert found["schema"] == {
        "features": {
            "image": {"dtype": "jpeg", "description": "the image, by its file's name below images/"},
            "conversations": {
                "dtype": "list<item: struct<from: string, value: string>>",
                "description": "the prompt, and the caption",
            },
        }
    }
    assert found["splits"] == {"train": {"num_samples": 4}, "test": {"num_samples": 1}}
    assert list(found["metrics"]["train"].items()) == [
        ("caption_length_mean", 8.25),
        ("caption_length_min", 5),
        ("caption_length_max", 14),
        ("image_width_mean", 10.75),
        ("image_height_mean", 6.75),
    ]
    assert list(found["metrics"]["test"].values()) == [7.0, 7, 7, 20.0, 10.0]
    assert list(found["files"]) == ["processed/test/annotations.json", "processed/train/annotations.json"]
    assert found["checks"]["warnings"] == []


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40), st.text(max_size=30)), min_size=1, max_size=6))
@settings(max_examples=25, deadline=None)
def test_every_figure_is_that_of_python(
    tmp_path_factory: pytest.TempPathFactory, given_rows: list[tuple[int, int, str]]
):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("conversations", numbered=True))
        lay_conversations({"train": [(jpeg(width, height), caption) for width, height, caption in given_rows]})
        found = measured("conversations")["metrics"]["train"]
    lengths = [len(caption) for _, _, caption in given_rows]
    assert (found["caption_length_min"], found["caption_length_max"]) == (min(lengths), max(lengths))
    for name, values in (
        ("caption_length", lengths),
        ("image_width", [width for width, _, _ in given_rows]),
        ("image_height", [height for _, height, _ in given_rows]),
    ):
        assert found[f"{name}_mean"] == pytest.approx(sum(values) / len(values), rel=1e-11)


def test_splits_stand_in_the_order_of_the_manifest(folder: Path):
    lay_conversations({"train": TRAIN, "extra": TEST, "a": TEST})
    assert list(measured("conversations")["splits"]) == ["train", "extra", "a"]


def test_one_image_with_two_captions_is_a_conflict_and_in_two_splits_a_leak(folder: Path):
    image, caption = TRAIN[0]
    lay_conversations({"train": [*TRAIN, (image, "an elbow")], "test": [*TEST, (image, caption)]})
    found = measured("conversations")["checks"]
    assert found["duplicates"] == {"samples": 1, "groups": 1, "ids": sorted([ids()[0], ids()[-1]])}
    of_image = sorted([ids()[0], ids()[len(TRAIN)], ids()[-1]])
    assert found["conflicts"] == {"samples": 3, "groups": 1, "ids": of_image}
    assert found["split_leaks"] == {"test in train": {"samples": 1, "ids": [ids()[5]]}}
    assert found["warnings"] == [
        "1 of 6 samples repeat an earlier one",
        "3 of 6 samples have the same image as another that differs",
        "samples of test that are in train too, by their image: 1",
    ]


def test_further_keys_of_entries_and_of_the_prompt_are_allowed(laid: Path):
    before = measured("conversations")
    change(laid, lambda entries: [{**entry, "id": number} for number, entry in enumerate(entries)])
    found = measured("conversations")
    assert found["metrics"] == before["metrics"]
    assert found["logical_hash"] == before["logical_hash"]


# --- refusals: images


def test_an_image_that_changed_or_went_is_refused(laid: Path):
    path = IMAGES / "train_000001.jpg"
    path.write_bytes(jpeg(16, 9, 77))
    assert refusal("conversations") == (
        11,
        "error: processed/train/images/train_000001.jpg: image or conversation differs from the manifest; "
        "fix: run the parquetizer again",
    )
    path.unlink()
    assert refusal("conversations") == (
        10,
        "error: processed/train/images/train_000001.jpg: file not found; fix: run the parquetizer",
    )
    path.mkdir()
    assert refusal("conversations")[0] == 10


@pytest.mark.parametrize(
    "content",
    [b"", b"no image", jpeg(8, 8)[:10], b"\xff\xd8\xff\xc0\x00\x03" + bytes(40)],
    ids=["empty", "text", "cut", "wrong"],
)
def test_what_is_no_jpeg_is_refused_though_the_manifest_has_it(folder: Path, content: bytes):
    lay_conversations({"train": [(content, "a knee")]})
    code, line = refusal("conversations")
    assert code == 23
    assert line.startswith("error: processed/train/images/train_000000.jpg: invalid JPEG image: ")


@pytest.mark.parametrize(
    ("side", "message"),
    [
        (7000, "7000 x 7000 pixels, more than 33554432"),
        (14_000, "Image size (196000000 pixels) exceeds limit"),
        (65_535, "Image size (4294836225 pixels) exceeds limit"),
    ],
)
def test_an_image_of_more_pixels_than_a_decoder_should_take_is_refused(
    side: int, message: str, folder: Path, recwarn: pytest.WarningsRecorder
):
    content = bytearray(jpeg(8, 8))
    size = content.index(b"\xff\xc0") + 5
    content[size : size + 4] = side.to_bytes(2) * 2
    lay_conversations({"train": [(bytes(content), "a knee")]})
    code, line = refusal("conversations")
    assert code == 23
    assert message in line and not recwarn


# --- refusals: annotations.json


def test_annotations_that_were_not_signed_are_refused(laid: Path):
    laid.write_text(laid.read_text() + " ")
    assert refusal("conversations") == (
        11,
        "error: processed/train/annotations.json: not the file in the manifest samples.parquet; "
        "fix: run the parquetizer again",
    )
    laid.unlink()
    assert refusal("conversations") == (
        10,
        "error: processed/train/annotations.json: file not found; fix: run the parquetizer",
    )


@pytest.mark.parametrize(
    ("changed", "count"),
    [(lambda entries: entries[:-1], 2), (lambda entries: [*entries, entries[0]], 4), (lambda entries: [], 0)],
    ids=["fewer", "more", "none"],
)
def test_annotations_of_other_length_than_in_the_manifest_are_refused(laid: Path, changed: Any, count: int):
    change(laid, changed)
    assert refusal("conversations") == (
        23,
        f"error: samples.parquet: 3 samples for {count} rows of processed/train/annotations.json; "
        "fix: run the parquetizer again",
    )


def test_an_entry_moved_to_another_split_is_refused(laid: Path):
    """All hashes would fit, one after another; only their splits do not."""
    entries, others = json.loads(laid.read_text()), json.loads(annotations("test").read_text())
    shutil.copy(IMAGES / "train_000002.jpg", "processed/test/images")
    laid.write_text(json.dumps(entries[:2]))
    annotations("test").write_text(json.dumps([entries[2], *others]))
    resign()
    assert refusal("conversations") == (
        23,
        "error: samples.parquet: 3 samples for 2 rows of processed/train/annotations.json; "
        "fix: run the parquetizer again",
    )


@pytest.mark.parametrize(
    "changed",
    [
        lambda entries: list(reversed(entries)),
        lambda entries: [{**entries[0], "image": entries[1]["image"]}, *entries[1:]],
        lambda entries: [{**entries[0], "conversations": entries[1]["conversations"]}, *entries[1:]],
    ],
    ids=["order", "image", "caption"],
)
def test_entries_that_are_not_the_manifests_are_refused(laid: Path, changed: Any):
    change(laid, changed)
    code, line = refusal("conversations")
    assert code == 11
    assert line.endswith(": image or conversation differs from the manifest; fix: run the parquetizer again")


ENTRY = {"image": "a.jpg", "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "!"}]}
TURNS = ENTRY["conversations"]


@pytest.mark.parametrize(
    "entry",
    [
        7,
        None,
        "text",
        [],
        {},
        {"image": "a.jpg"},
        {"conversations": TURNS},
        {**ENTRY, "image": 7},
        {**ENTRY, "image": None},
        {**ENTRY, "image": "../a.jpg"},
        {**ENTRY, "image": "/a.jpg"},
        {**ENTRY, "conversations": None},
        {**ENTRY, "conversations": "??"},
        {**ENTRY, "conversations": []},
        {**ENTRY, "conversations": [1, 2]},
        {**ENTRY, "conversations": TURNS[:1]},
        {**ENTRY, "conversations": [*TURNS, TURNS[1]]},
        {**ENTRY, "conversations": list(reversed(TURNS))},
        {**ENTRY, "conversations": [TURNS[0], {"from": "gpt"}]},
        {**ENTRY, "conversations": [TURNS[0], {"from": "gpt", "value": 3}]},
        {**ENTRY, "conversations": [TURNS[0], {"from": "gpt", "value": None}]},
        {**ENTRY, "conversations": [TURNS[0], {"from": "user", "value": "!"}]},
    ],
    ids=repr,
)
def test_an_entry_of_another_shape_is_refused(laid: Path, entry: Any):
    change(laid, lambda entries: [entries[0], entry, entries[2]])
    assert refusal("conversations") == (
        23,
        "error: processed/train/annotations.json entry 1: expected an image with a question and a caption; "
        "fix: run the parquetizer again",
    )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "invalid JSON: Expecting value"),
        (b"[", "invalid JSON: Expecting value"),
        (b"[1,]", "invalid JSON: "),
        (b"\xff\xfe[]", "invalid JSON: 'utf-8' codec can't decode byte 0xff"),
        (b"[" * 100_000, "invalid JSON: nested deeper than 64 levels"),
        (b"[NaN, 1, 2]", "invalid JSON: unsupported number NaN"),
        (b'["\\ud800", 1, 2]', "invalid JSON: 'utf-8' codec can't encode character"),
        (b"[" + b"9" * 5000 + b"]", "invalid JSON: Exceeds the limit"),
        (b"{}", "expected a JSON array"),
        (b"null", "expected a JSON array"),
        (b'"text"', "expected a JSON array"),
        (b"7", "expected a JSON array"),
    ],
    ids=[
        "empty",
        "open",
        "comma",
        "utf-16",
        "deep",
        "nan",
        "half a character",
        "long",
        "object",
        "null",
        "text",
        "number",
    ],
)
def test_what_is_no_json_array_is_refused(laid: Path, content: bytes, what: str):
    laid.write_bytes(content)
    resign()
    code, line = refusal("conversations")
    assert code == 23
    assert line.startswith(f"error: processed/train/annotations.json: {what}")


@pytest.mark.parametrize("name", ["\0", "x" * 300, "", "..", "images"], ids=["NUL", "long", "none", "above", "other"])
def test_a_name_that_no_file_has_is_refused(laid: Path, name: str):
    change(laid, lambda entries: [{**entries[0], "image": name}, *entries[1:]])
    code, line = refusal("conversations")
    assert code == 10
    assert line.endswith(": file not found; fix: run the parquetizer")


# --- refusals: process_stats.json


def test_an_absent_prompt_is_refused(laid: Path):
    Path("processed/process_stats.json").unlink()
    assert refusal("conversations") == (
        10,
        "error: processed/process_stats.json: file not found; fix: run the parquetizer",
    )


@pytest.mark.parametrize(
    "document",
    [
        [],
        7,
        None,
        {},
        {"prompt": None},
        {"prompt": "text"},
        {"prompt": {}},
        *({"prompt": {key: value for key, value in PROMPT.items() if key != name}} for name in
          ("prompt_name", "prompt_version", "prompt_text")),
        {"prompt": {**PROMPT, "prompt_version": "3"}},
        {"prompt": {**PROMPT, "prompt_name": 3}},
        {"prompt": {**PROMPT, "prompt_text": None}},
    ],
    ids=repr,
)  # fmt: skip
def test_a_prompt_of_another_shape_is_refused(laid: Path, document: Any):
    Path("processed/process_stats.json").write_text(json.dumps(document))
    assert refusal("conversations") == (
        23,
        "error: processed/process_stats.json: expected a prompt with name, version and text; "
        "fix: run the parquetizer again",
    )


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b'{"prompt": {"x": NaN}}', b'{"a": "\\udc00"}'])
def test_a_prompt_that_is_no_json_is_refused(laid: Path, content: bytes):
    Path("processed/process_stats.json").write_bytes(content)
    code, line = refusal("conversations")
    assert code == 23
    assert line.startswith("error: processed/process_stats.json: invalid JSON: ")


def test_a_prompt_that_is_not_that_of_the_conversations_is_refused(laid: Path):
    """The manifest has no hash of process_stats.json; what is asked of every image is in it."""
    changed = {"prompt": {**PROMPT, "prompt_text": "Describe it."}}
    Path("processed/process_stats.json").write_text(json.dumps(changed))
    assert refusal("conversations") == (
        11,
        "error: processed/train/images/train_000000.jpg: its prompt differs from process_stats.json; "
        "fix: run the parquetizer again",
    )


# --- refusals: the manifest


def test_another_kinds_manifest_is_refused(laid: Path):
    parts = [(split, annotations(split).as_posix(), table_of(TEXT, [("t", "l")])) for split in ("train", "test")]
    sign(TEXT, parts)
    code, line = refusal("conversations")
    assert code == 22
    assert line.endswith("; fix: write it with parquetizer conversations")


def test_a_manifest_of_another_folder_is_refused(laid: Path):
    shutil.copytree("processed", "other")
    command = ["conversations", "other", "samples.parquet", "metadata.json", "--params=params.yaml"]
    result = CliRunner().invoke(cli, [*command, "--sources=sources.csv"])
    assert result.exit_code == 11
    assert result.stderr.splitlines()[-1] == (
        "error: other: not the file in the manifest samples.parquet; fix: run the parquetizer again"
    )
    assert not METADATA.exists()


def test_a_manifest_of_no_samples_is_refused(laid: Path):
    sign(CONVERSATION, [("train", annotations("train").as_posix(), table_of(CONVERSATION, []))])
    describe()
    assert refusal("conversations") == (21, "error: samples.parquet: no samples; fix: run the parquetizer again")


def test_a_split_without_samples_is_refused(folder: Path):
    lay_conversations({"train": TRAIN, "test": []})
    assert refusal("conversations") == (
        21,
        "error: processed/test/annotations.json: no samples; fix: run the parquetizer again",
    )

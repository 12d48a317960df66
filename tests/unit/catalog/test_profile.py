"""What the page of a dataset shows of its data: of real small files of each form, and of odd values."""

import io
import itertools
import json
import math
import warnings
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from catalog.profile import Profile, captioned, data_of_release, data_of_working_copy, profile
from catalog.profile.histograms import Extent, edges_of
from data_registry.samples import ManifestWriter
from data_registry.stage.errors import CorruptFile
from PIL import Image
from registry.datasets import Dataset
from unit.registry.lineage_world import TURN, greetings, make_world, notes, parquet, wines, xrays

pytestmark = pytest.mark.filterwarnings("error")  # what NumPy only warns of, as truth values that are counted
IMAGES = pa.schema([("image", pa.list_(pa.list_(pa.uint8()))), ("label", pa.uint8())])


class Folder:
    """A dataset's folder, whose manifest knows its columns; the files of each split are one."""

    def __init__(self, path: Path) -> None:
        self.path, self.splits, self.paths = path, dict[str, list[str]](), dict[str, Path]()
        self.columns = pa.schema([])

    def file(self, file: str, data: bytes, split: str = "") -> None:
        self.paths[file] = self.path / file
        self.paths[file].parent.mkdir(parents=True, exist_ok=True)
        self.paths[file].write_bytes(data)
        if split:
            self.splits.setdefault(split, []).append(file)

    def table(self, split: str = "all", **columns: Any) -> None:
        table = pa.table(columns)
        self.columns = table.schema
        sink = pa.BufferOutputStream()
        pq.write_table(table, sink, row_group_size=1000)
        self.file(f"processed/{split}/{split}.parquet", sink.getvalue().to_pybytes(), split)

    def profile(self, *, media: Mapping[str, str] = MappingProxyType({}), **classes: Any) -> Profile:
        manifest = self.path / "samples.parquet"
        with ManifestWriter(manifest, self.columns) as writer:
            writer.finish({})
        features = {name: {"dtype": "string", "classes": each} for name, each in classes.items()}
        features |= {name: {"dtype": kind} for name, kind in media.items()}
        return profile(manifest, self.splits, self.paths, {"schema": {"features": features}})


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def bins(found: Profile, name: str, split: str = "") -> dict[float, int]:
    """The bins that are not empty, by their lower edge."""
    (one,) = [each for each in found.histograms if (each.name, each.split) == (name, split)]
    assert len(one.edges) == len(one.counts) + 1
    return {edge: number for edge, number in zip(one.edges, one.counts, strict=False) if number}


def image(colour: int = 7, size: tuple[int, int] = (30, 20), kind: str = "JPEG", mode: str = "L") -> bytes:
    sink = io.BytesIO()
    Image.new(mode, size, colour).save(sink, kind)
    return sink.getvalue()


def conversations(
    folder: Folder, split: str, images: Mapping[str, bytes], entries: Sequence[Any] | None = None
) -> None:
    turns = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A caption."}]
    entries = [{"image": name, "conversations": turns} for name in images] if entries is None else entries
    folder.columns = pa.schema([("image", pa.binary()), ("conversations", pa.list_(TURN))])
    folder.file(f"processed/{split}/annotations.json", json.dumps(entries).encode(), split)
    for name, data in images.items():
        folder.file(f"processed/{split}/images/{name}", data)


# Histograms


@pytest.mark.parametrize(
    ("low", "high", "whole", "first", "last", "most"),
    [
        (3, 9, True, 3, 10, 7),  # a bin for each number
        (0, 1, True, 0, 2, 2),
        (5, 5, True, 5, 6, 1),
        (7, 300, True, 0, 310, 31),
        (0, 300, True, 0, 310, 31),  # 300 belongs above its edge
        (0.98711, 1.03898, False, 0.986, 1.04, 27),
        (0.0, 1.0, False, 0, 1, 20),  # but the last edge belongs below it
        (0.5, 0.5, False, 0.5, 0.55, 1),
        (0.0, 0.25, False, 0, 0.25, 25),
        (-0.3, 0.3, False, -0.3, 0.3, 30),
        (-3.0, 3.0, True, -3, 4, 7),
    ],
)
def test_edges_are_round(low: float, high: float, whole: bool, first: float, last: float, most: int) -> None:
    edges = edges_of(Extent(low, high, whole))
    assert (edges[0], edges[-1], len(edges) - 1) == (first, last, most)


@pytest.mark.parametrize(
    "extent",
    [
        Extent(2**63 - 1, 2**63 - 1, True),
        Extent(-(2**63), 2**63 - 1, True),
        Extent(2**64 - 2, 2**64 - 1, True),
        Extent(2**53, 2**53 + 1, True),
        Extent(1e300, 1e300, True),
        Extent(-1.7976931348623157e308, 1.7976931348623157e308, True),
        Extent(5e-324, 5e-324, False),
        Extent(0.0, 5e-324, False),
        Extent(1.0, math.nextafter(1.0, 2), False),
        Extent(0.1, 0.1, False),
        Extent(-0.1, -0.1, False),
        Extent(0.30000001192092896, 123456.789, False),
    ],
    ids=str,
)
def test_edges_hold_any_extent_and_go_up(extent: Extent) -> None:
    edges = edges_of(extent)
    assert edges[0] <= extent.low and extent.high <= edges[-1]
    assert all(math.isfinite(edge) for edge in edges)
    assert all(low < high for low, high in itertools.pairwise(edges))
    assert len(edges) < 50


def test_numbers_on_edges_lie_above_them(folder: Folder) -> None:
    folder.table(share=[0.0, 0.1, 0.2, 0.3, 0.3, 0.7, 4.0])
    assert bins(folder.profile(), "share") == {0.0: 1, 0.1: 1, 0.2: 1, 0.3: 2, 0.7: 1, 3.9: 1}


def test_splits_have_the_same_edges(folder: Folder) -> None:
    folder.table("train", mark=[1, 2, 2], text=["a" * 10, "b" * 12, ""])
    folder.table("val", mark=[5, 5], text=["c" * 11, None])
    found = folder.profile()
    assert [(each.name, each.split) for each in found.histograms] == [
        ("mark", "train"),
        ("mark", "val"),
        ("characters of text", "train"),
        ("characters of text", "val"),
    ]
    assert {each.edges for each in found.histograms[:2]} == {(1, 2, 3, 4, 5, 6)}
    assert bins(found, "mark", "val") == {5: 2}
    assert bins(found, "characters of text", "train") == {0: 1, 10: 1, 12: 1}
    assert bins(found, "characters of text", "val") == {11: 1}


def test_values_that_are_missing_or_no_number_are_left_out(folder: Folder) -> None:
    folder.table(
        odd=[1.5, math.nan, None, math.inf, -math.inf, 2.5],
        nothing=pa.array([None] * 6, pa.int64()),
        nan=[math.nan] * 6,
        flag=[True, False, None, True, True, False],
        huge=pa.array([2**64 - 1, 0, 1, 2, 3, None], pa.uint64()),
        constant=[7] * 6,
    )
    found = folder.profile()
    assert sorted({each.name for each in found.histograms}) == ["constant", "flag", "huge", "odd"]
    assert sum(bins(found, "odd").values()) == 2
    assert bins(found, "flag") == {0: 2, 1: 3}
    assert bins(found, "huge") == {0: 4, 1.8e19: 1}
    assert bins(found, "constant") == {7: 6}


def test_lengths_are_in_characters_not_bytes(folder: Folder) -> None:
    folder.table(text=["", "é" * 4, "日本"])
    assert bins(folder.profile(), "characters of text") == {0: 1, 2: 1, 4: 1}


def test_names_and_labels_have_no_histogram(folder: Folder) -> None:
    folder.table(
        id=[f"{number:032}" for number in range(4)],  # all of the same length
        name=["a", "b", "cc", "ddd"],  # short beside the texts
        text=["long " * number for number in (1, 20, 30, 40)],
        label=["joy", "anger", "joy", "joy"],
        code=[0, 1, 1, 0],
    )
    found = folder.profile(label=["joy", "anger"], code={"0": "red", "1": "white"})
    assert [each.name for each in found.histograms] == ["characters of text"]


def test_only_the_first_columns_of_numbers_are_measured(folder: Folder) -> None:
    columns: dict[str, Any] = {f"n{number:02}": [number, 2 * number] for number in range(30)}
    folder.table(**columns)
    assert [each.name for each in folder.profile().histograms] == [f"n{number:02}" for number in range(24)]


def test_the_rows_of_all_batches_count(folder: Folder) -> None:
    rng = np.random.default_rng(1)
    values, texts = rng.normal(size=200_000), ["x" * length for length in rng.integers(0, 40, 200_000)]
    folder.table(value=values, text=texts)
    found = folder.profile()
    (value,) = [each for each in found.histograms if each.name == "value"]
    assert value.counts == tuple(np.histogram(values, value.edges)[0])
    assert sum(bins(found, "characters of text").values()) == 200_000


# Images in rows


def test_images_are_pictured_by_class_in_the_order_of_the_classes(folder: Folder) -> None:
    labels = [1, 0, 1, 1, 0, 1, 1, 1]
    pixels = [[[number, 255], [0, 0], [8, 0]] for number in range(8)]
    folder.table("train", image=pa.array(pixels, IMAGES.types[0]), label=pa.array(labels, pa.uint8()))
    folder.table("val", image=pa.array(pixels[:1], IMAGES.types[0]), label=pa.array([2], pa.uint8()))
    found = folder.profile(label={"0": "shirt", "1": "bag", "2": "shoe"})
    assert [each.caption for each in found.pictures] == ["shirt", "shirt", "bag", "bag", "bag", "bag"]
    assert {(each.split, each.suffix) for each in found.pictures} == {("train", ".png")}
    drawn = [np.asarray(Image.open(io.BytesIO(each.data))) for each in found.pictures]
    assert [each[0, 0] for each in drawn] == [1, 4, 0, 2, 3, 5]
    assert drawn[0].tolist() == pixels[1]
    assert bins(found, "grey value", "train") == {0: 8 * 4 + 8, 8: 8, 248: 8} | {0: 8 * 4, 8: 8, 248: 8}
    assert found.tables[0].rows[:2] == (("3 × 2", "bag (1)"), ("3 × 2", "shirt (0)"))


def test_images_are_found_wherever_they_are(folder: Folder) -> None:
    """In a file that is read in several parts."""
    pixels = np.random.default_rng(1).integers(0, 256, (120, 300, 300), np.uint8)
    pixels[:, :200] = np.arange(120)[:, None, None]
    column = pa.array(pixels.ravel())
    for _ in range(2):
        column = pa.ListArray.from_arrays(pa.array(range(0, len(column) + 1, 300), pa.int32()), column)
    folder.table(image=column, label=pa.array([1, *[0] * 118, 1], pa.uint8()))
    found = folder.profile(label={"1": "rare", "0": "often"})
    assert [each.caption for each in found.pictures] == ["rare", "rare", "often", "often", "often", "often"]
    corners = [np.asarray(Image.open(io.BytesIO(each.data)))[0, 0] for each in found.pictures]
    assert corners == [0, 119, 1, 2, 3, 4]


def test_a_class_is_found_far_behind(folder: Folder) -> None:
    labels, pixels = np.zeros(70_000, np.uint8), np.zeros(70_000, np.uint8)
    labels[69_000], pixels[69_000] = 1, 77
    lines = pa.ListArray.from_arrays(pa.array(range(70_001), pa.int32()), pa.array(pixels))
    folder.table(image=pa.ListArray.from_arrays(pa.array(range(70_001), pa.int32()), lines), label=labels)
    found = folder.profile(label={"1": "rare"})
    assert [np.asarray(Image.open(io.BytesIO(each.data))).item() for each in found.pictures] == [77]


def test_of_many_classes_there_are_fewer_pictures_each(folder: Folder) -> None:
    labels = [number % 80 for number in range(160)]
    folder.table(image=pa.array([[[1]]] * 160, IMAGES.types[0]), label=pa.array(labels, pa.uint8()))
    found = folder.profile(label={str(number): f"class {number}" for number in range(80)})
    assert [each.caption for each in found.pictures] == [f"class {number}" for number in range(60)]


def test_images_without_classes_are_the_first_ones(folder: Folder) -> None:
    folder.table(image=pa.array([[[number]] for number in range(40)], IMAGES.types[0]))
    pictures = folder.profile().pictures
    assert [np.asarray(Image.open(io.BytesIO(each.data))).item() for each in pictures] == list(range(24))


def test_what_is_no_rectangle_of_bytes_is_no_picture(folder: Folder) -> None:
    odd: list[Any] = [[[1, 2], [3]], None, [], [[]], [[1, None]], [None], [[5, 6]]]
    folder.table(image=pa.array(odd, IMAGES.types[0]), vector=pa.array([[1.0]] * 7, pa.list_(pa.float32())))
    found = folder.profile()
    assert len(found.pictures) == 1
    shapes = ["2 lists", "null", "0 lists", "1 × 0", "1 × 2", "1 list", "1 × 2"]
    assert [row[0] for row in found.tables[0].rows] == shapes
    assert sum(bins(found, "grey value").values()) == 6


def test_colours_are_pictured_and_large_images_made_small(folder: Folder) -> None:
    colours = np.full((400, 200, 3), (255, 0, 0), np.uint8).tolist()
    folder.table(image=pa.array([colours], pa.list_(pa.list_(pa.list_(pa.uint8())))))
    found = folder.profile()
    picture = Image.open(io.BytesIO(found.pictures[0].data))
    assert (picture.mode, picture.size, picture.getpixel((0, 0))) == ("RGB", (80, 160), (255, 0, 0))
    assert bins(found, "colour value") == {0: 160_000, 248: 80_000}


# Images with captions


def test_captioned_images_are_measured_and_pictured(folder: Folder) -> None:
    conversations(folder, "train", {"a.jpg": image(size=(300, 200)), "b.jpg": image(200, (20, 60))})
    conversations(folder, "test", {"c.jpg": image(size=(25, 25))})
    found = folder.profile()
    assert bins(found, "image width", "train") == {20: 1, 300: 1}
    assert bins(found, "image height", "test") == {25: 1}
    assert bins(found, "characters of the caption", "train") == {10: 2}
    assert [(each.split, each.suffix, each.caption) for each in found.pictures] == [
        *[("train", ".jpg", "A caption.")] * 2,
        ("test", ".jpg", "A caption."),
    ]
    assert [Image.open(io.BytesIO(each.data)).size for each in found.pictures] == [(160, 107), (20, 60), (25, 25)]
    assert found.tables[0].columns == ("image", "caption")
    assert found.tables[0].rows[0] == ("a.jpg, 300 × 200", "A caption.")
    assert [table.pictures for table in found.tables] == [(0, 1), (2,)]


@pytest.mark.parametrize("side", [6000, 14_000])
def test_an_image_of_too_many_pixels_is_left_out(side: int, folder: Folder) -> None:
    """It is not decoded: a file, whole or with a head that lies, and rows of lists."""
    bomb, small = image(0, (side, side), "PNG", "1"), image()
    lies = bytearray(small)
    size = lies.index(b"\xff\xc0") + 5
    lies[size : size + 4] = side.to_bytes(2) * 2
    conversations(folder, "train", {"a.png": bomb, "b.png": bomb[:-20], "c.jpg": bytes(lies), "d.jpg": small})
    found = folder.profile()
    assert [Image.open(io.BytesIO(each.data)).size for each in found.pictures] == [(30, 20)]


def test_rows_with_an_image_of_too_many_pixels_have_no_picture_of_it(folder: Folder) -> None:
    column = pa.array(np.zeros(6000 * 6000, np.uint8))
    for size in (6000, 6000):
        column = pa.ListArray.from_arrays(pa.array(range(0, len(column) + 1, size), pa.int32()), column)
    folder.table(image=pa.chunked_array([column, pa.array([[[5]]], IMAGES.types[0])]))
    (picture,) = folder.profile().pictures
    assert np.asarray(Image.open(io.BytesIO(picture.data))).item() == 5


def test_what_is_no_image_is_left_out(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    whole = image(size=(30, 30))
    images = {
        "text.jpg": b"no image",
        "empty.jpg": b"",
        "cut.jpg": whole[:-8],
        **odd_pngs(),
        "bomb.jpg": image(size=(300, 300)),
        "smaller bomb.jpg": image(size=(40, 40)),  # of which Pillow only warns
        "program.jpg": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        "whole.jpg": whole,
        "print.jpg": image(mode="CMYK", size=(9, 9)),
        "palette.png": image(mode="P", size=(9, 9), kind="PNG"),
        "transparent.webp": image(mode="RGBA", size=(9, 9), kind="WEBP"),
    }
    conversations(folder, "train", images)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        found = folder.profile()
    pictures = [Image.open(io.BytesIO(each.data)) for each in found.pictures]
    assert [(each.size, each.mode) for each in pictures] == [((30, 30), "L")] + [((9, 9), "RGB")] * 3
    assert bins(found, "image width") == {9: 3, 30: 3}  # the heads of two images are whole


def odd_pngs() -> dict[str, bytes]:
    """PNGs whose second chunk of data has no name, and whose comment unpacks to two megabytes."""
    whole = image(kind="PNG")
    head, data = whole[:33], whole[whole.index(b"IDAT") + 4 :]  # the signature and the first chunk
    comment = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 21)))
    return {"broken.png": head + chunk(b"IDAT", data[:4]) + bytes(99), "comment.png": head + comment + whole[33:]}


def chunk(name: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + name + data + zlib.crc32(name + data).to_bytes(4, "big")


def test_entries_that_are_odd_are_left_out_or_have_no_caption(folder: Folder) -> None:
    entries = [
        "no entry",
        {"image": 3, "conversations": []},
        {"image": "a.jpg"},
        {"image": "gone.jpg", "conversations": []},
        {"image": "../../secret.jpg", "conversations": [{"from": "gpt", "value": "a secret"}]},
        {"image": "a.jpg", "conversations": [{"from": "gpt", "value": 3}]},
    ]
    conversations(folder, "train", {"a.jpg": image(size=(5, 6))}, entries)
    (folder.path / "processed" / "secret.jpg").write_bytes(image())
    found = folder.profile()
    assert len(found.pictures) == 1
    (table,) = found.tables
    assert table.rows == (("gone.jpg", ""), ("../../secret.jpg", "a secret"), ("a.jpg, 5 × 6", ""))
    assert table.pictures == (None, None, 0)


def test_captions_of_pictures_are_short(folder: Folder) -> None:
    entry = {"image": "a.jpg", "conversations": [{"from": "gpt", "value": "long " * 100}]}
    conversations(folder, "train", {"a.jpg": image()}, [entry])
    assert len(folder.profile().pictures[0].caption) == 121


def test_nothing_but_no_images_at_all(folder: Folder) -> None:
    conversations(folder, "train", {})
    assert folder.profile() == Profile()


# First rows


def test_examples_are_short_and_readable(folder: Folder) -> None:
    folder.table(
        text=["two\nlines\tand \x1b[31mred\u202e", "x" * 201, "", None, "👩\u200d💻", "sixth"],
        vector=[[0.0123, -0.034, 1.0, 2.0], [1.5], [], None, [math.nan], []],
        data=[b"\xff\xfe", b"", b"", b"", b"", b""],
        number=pa.array([0.1, 1e-7, 7.4, math.nan, 16777216, 0], pa.float32()),
        turns=pa.array([[{"from": "me", "value": "a\nb"}], [], [], [], [], []], pa.list_(TURN)),
        flag=[True] * 6,
    )
    (found,) = folder.profile().tables
    assert found.split == ""
    assert found.rows == (
        (
            "two↵lines and \ufffd[31mred\ufffd",
            "4 numbers: 0.0123, -0.034, 1, …",
            "2 bytes: ff fe",
            "0.1",
            "me: a↵b",
            "true",
        ),
        ("x" * 200 + "…", "1 number: 1.5", "0 bytes", "1e-7", "no messages", "true"),
        ("", "no numbers", "0 bytes", "7.4", "no messages", "true"),
        ("null", "null", "0 bytes", "nan", "no messages", "true"),
        ("👩\u200d💻", "1 number: nan", "0 bytes", "16777216", "no messages", "true"),
        ("sixth", "no numbers", "0 bytes", "0", "no messages", "true"),
    )


def test_thousands_of_rows_are_shown_within_both_limits(folder: Folder) -> None:
    folder.table("train", text=[f"row {number}" for number in range(3000)])
    folder.table("val", text=["x" * 200] * 3000)
    train, val = folder.profile().tables
    assert (len(train.rows), train.rows[-1]) == (2000, ("row 1999",))
    assert len(val.rows) == 2000


def test_wide_rows_are_fewer(folder: Folder) -> None:
    columns: dict[str, Any] = {f"c{number}": ["x" * 200] * 3000 for number in range(20)}
    folder.table(**columns)
    (table,) = folder.profile().tables
    assert len(table.rows) == 1_000_000 // (20 * 200)


def test_captioned_images_beyond_the_limit_have_no_picture(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(captioned, "PICTURES", 3)
    for split in ("train", "test"):
        conversations(folder, split, {f"{number}.jpg": image(number) for number in range(5)})
    found = folder.profile()
    assert [table.pictures for table in found.tables] == [(0, 1, 2, None, None), (3, 4, 5, None, None)]
    assert [each.split for each in found.pictures] == ["train"] * 3 + ["test"] * 3


def test_text_that_is_no_utf8_is_shown_with_replacements(folder: Folder) -> None:
    bad = pa.Array.from_buffers(pa.string(), 1, pa.array([b"a\xffb"]).buffers())
    assert pc.utf8_length(bad).to_pylist() is not None
    folder.table(text=bad)
    assert folder.profile().tables[0].rows == (("a\ufffdb",),)


def test_of_many_columns_the_first_are_shown_and_the_rest_counted(folder: Folder) -> None:
    columns: dict[str, Any] = {f"c{number}": [number] for number in range(30)}
    folder.table(**columns)
    found = folder.profile()
    assert (found.tables[0].columns, found.tables[0].more) == (tuple(list(columns)[:24]), 6)
    assert (len(found.histograms), found.without_histogram) == (24, 6)
    assert found.tables[0].numbers == set(columns)


def test_splits_without_rows_have_nothing_to_show(folder: Folder) -> None:
    folder.table("train", text=pa.array([], pa.string()), mark=pa.array([], pa.int64()))
    folder.table("val", text=["one", "three"], mark=[1, 2])
    found = folder.profile()
    assert {each.split for each in found.histograms} == {"val"}
    assert [each.split for each in found.tables] == ["val"]


def test_a_dataset_without_files_has_nothing_to_show(folder: Folder) -> None:
    assert folder.profile() == Profile()


# Files


def test_a_table_of_text(folder: Folder) -> None:
    folder.columns = pa.schema([("text", pa.string()), ("mark", pa.float64())])
    lines = ['text,mark\n"two\nlines",1.5\n', ",\n", "nan,nan\n"]
    folder.file("processed/table.csv", "".join(lines).encode(), "all")
    found = folder.profile()
    assert sum(bins(found, "mark").values()) == 1
    assert found.tables[0].rows == (("two↵lines", "1.5"), ("", "null"), ("nan", "null"))


def test_lines_are_not_taken_for_rows_where_a_file_is_read_in_parts(folder: Folder) -> None:
    folder.columns = pa.schema([("text", pa.string())])
    row = '"' + "a line\n" * 200 + '"\n'
    folder.file("processed/table.csv", ("text\nshort\n" + row * 7000).encode(), "all")
    assert bins(folder.profile(), "characters of text") == {0: 1, 1400: 7000}


def test_documents(folder: Folder) -> None:
    folder.columns = pa.schema([("name", pa.string()), ("text", pa.string())])
    for name, data in {"a.md": b"# A\n", "b.md": b"\xff" + b"x" * 99}.items():
        folder.file(f"raw/{name}", data, "all")
    found = folder.profile()
    assert [each.name for each in found.histograms] == ["characters of text"]
    assert found.tables[0].rows[0] == ("a.md", "# A↵")


@pytest.mark.parametrize("file", ["processed/x.parquet", "processed/x.csv", "processed/x/annotations.json"])
@pytest.mark.parametrize("data", [b"", b"\xff\xfe no such thing", b"[" * 100_000, rb'["half \ud800"]'])
def test_a_file_that_cannot_be_read_is_named(file: str, data: bytes, folder: Folder) -> None:
    folder.columns = pa.schema([("text", pa.string())])
    folder.file(file, data, "all")
    with pytest.raises(CorruptFile, match=f"{file}: (does not match its manifest|invalid JSON)"):
        folder.profile()


def test_the_same_data_give_the_same_profile(folder: Folder) -> None:
    rng = np.random.default_rng(1)
    images = {f"{number}.jpg": image(number, (50 + number, 60)) for number in range(30)}
    conversations(folder, "train", images)
    assert folder.profile() == folder.profile()
    other = Folder(folder.path / "other")
    other.path.mkdir()
    other.table(value=rng.normal(size=100), text=["x" * number for number in range(100)])
    assert other.profile() == other.profile()


# Where the files are


@pytest.mark.parametrize("name", ["greetings", "wines", "xrays", "notes"])
def test_a_release_and_the_working_copy_show_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    images = (image(1), image(2), image(3))
    made = {"greetings": greetings(), "wines": wines(), "xrays": xrays(images), "notes": notes()}[name]
    world = make_world(tmp_path)
    release = world.release(name, "1.0.0", made)
    there = data_of_release(release, "")
    here = data_of_working_copy(Dataset(name, world.root / "data" / name))
    assert here is not None
    found = profile(there.manifest, there.splits, there.paths, release.metadata)
    assert found == profile(here.manifest, here.splits, here.paths, release.metadata)
    assert found.tables and len(found.pictures) == (3 if name == "xrays" else 0)


def test_a_working_copy_that_lacks_a_file_is_not_built(tmp_path: Path) -> None:
    world = make_world(tmp_path)
    folder = world.build("greetings", greetings())
    dataset = Dataset("greetings", folder)
    assert data_of_working_copy(dataset) is not None
    (folder / "processed" / "val" / "val.parquet").unlink()
    assert data_of_working_copy(dataset) is None
    (folder / "samples.parquet").unlink()
    assert data_of_working_copy(dataset) is None


def test_vectors_that_the_manifest_does_not_have_are_shown(folder: Folder) -> None:
    batch = pa.record_batch({"content": ["hello"], "embedding": pa.array([[0.5] * 4], pa.list_(pa.float32(), 4))})
    folder.columns = batch.select(["content"]).schema
    folder.file("embeddings.parquet", parquet(batch), "all")
    assert folder.profile().tables[0].rows == (("hello", "4 numbers: 0.5, 0.5, 0.5, …"),)

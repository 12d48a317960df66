"""What a page shows of values other than numbers and texts: times, bytes, nested values, images and sounds in files."""

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from catalog.profile import Picture, Sound, first_rows, rows, sounds
from catalog.profile.value_texts import display_texts
from data_registry.samples.arrow_types import MEDIA
from PIL import Image
from unit.catalog.test_profile import Folder, folder  # noqa: F401 (a fixture)
from unit.parquetizer.folders import jpeg
from unit.parquetizer.media_files import RATE, picture, sound, turned, wav

TIME = dt.datetime(2024, 2, 29, 12, 30)
DAY = 86_400
CHAT = pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())]))


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (TIME, pa.timestamp("ns"), "2024-02-29 12:30:00"),
        (TIME.replace(microsecond=120_300), pa.timestamp("us"), "2024-02-29 12:30:00.1203"),
        (TIME.replace(microsecond=100), pa.timestamp("us", "UTC"), "2024-02-29 12:30:00.0001Z"),
        (TIME, pa.timestamp("ms", "Asia/Tokyo"), "2024-02-29 21:30:00+0900"),
        (TIME, pa.timestamp("s", "Moon/Base"), "2024-02-29 12:30:00Z"),
        (dt.date(2024, 2, 29), pa.date32(), "2024-02-29"),
        (dt.time(9, 0, 10), pa.time64("ns"), "09:00:10"),
        (0, pa.duration("s"), "00:00:00"),
        (DAY, pa.duration("s"), "1 day 00:00:00"),
        (-90_061_500, pa.duration("ms"), "-1 day 01:01:01.5"),
        (2 * DAY * 10**9 + 1, pa.duration("ns"), "2 days 00:00:00.000000001"),
        (-(2**63) + 1, pa.duration("s"), f"-{(2**63 - 1) // DAY} days 15:30:07"),
        (Decimal("-10.50"), pa.decimal128(9, 2), "-10.50"),
        (Decimal(10) ** 40, pa.decimal256(50, 0), f"1{'0' * 40}"),
        (b"\0\xff", pa.binary(), "2 bytes: 00 ff"),
        (b"\1" * 9, pa.large_binary(), f"9 bytes: {'01 ' * 8}…"),
        (b"", pa.binary(), "0 bytes"),
        (None, pa.duration("s"), "null"),
        (None, pa.decimal128(9, 2), "null"),
        (None, CHAT, "null"),
        ({}, pa.struct([]), "{}"),
        ([b"\1", None], pa.list_(pa.binary()), '["1 byte: 01", null]'),
        ([[1, 2], None], pa.list_(pa.list_(pa.int8())), "2 lists"),
        ([{"a": [1.5], "b": None}], pa.list_(pa.struct([("a", pa.list_(pa.float32())), ("b", pa.bool_())])), None),
        (["\n\u202e"], pa.list_(pa.string()), '["↵\N{REPLACEMENT CHARACTER}"]'),
        (["x"] * 10**5, pa.list_(pa.string()), ('["x", ' + '"x", ' * 50)[:200] + "…"),
        ([{"role": "user", "content": "a\nb"}], CHAT, "user: a↵b"),
        ([{"role": None, "content": "x" * 201}, None], CHAT, f"null: {'x' * 200}…\nnull: null"),
        ([{"role": "a", "content": str(n)} for n in range(9)], CHAT, None),
        ([], CHAT, "no messages"),
        ({"bytes": b"no image", "path": "a\n/b.bin"}, MEDIA, "a↵/b.bin, 8 B"),
        ({"bytes": None, "path": "a.png"}, MEDIA, "a.png"),
        ({"bytes": None, "path": None}, MEDIA, "no file"),
        ({"bytes": picture(), "path": None}, MEDIA, f"16 × 12, {len(picture())} B"),
    ],
)
def test_texts_of_values(value: Any, kind: pa.DataType, text: str | None) -> None:
    if text is None:
        text = '[{"a": [1.5], "b": null}]' if "b" in value[0] else "\n".join(f"a: {n}" for n in range(8))
        text += "\nand 1 more message" * (len(value) == 9)
    assert display_texts(pa.array([value], kind), {}) == [text]


def test_nested_text_that_is_no_utf8_is_shown_with_replacements() -> None:
    wrong = pa.array([b"a\xff"]).view(pa.string())
    nested = pa.StructArray.from_arrays([wrong, wrong], ["role", "content"])
    chat = pa.ListArray.from_arrays(pa.array([0, 1], pa.int32()), nested)
    file = pa.StructArray.from_arrays([pa.array([b""]), wrong], ["bytes", "path"])
    texts = [display_texts(column, {})[0] for column in (nested, chat, file)]
    assert texts == ['{"role": "a\ufffd", "content": "a\ufffd"}', "a\ufffd: a\ufffd", "a\ufffd, 0 B"]


def files(*contents: bytes | None) -> pa.Array:
    values = [None if data is None else {"bytes": data, "path": f"{n}"} for n, data in enumerate(contents)]
    return pa.array(values, MEDIA)


def opened(shown: Picture) -> Image.Image:
    return Image.open(io.BytesIO(shown.data))


def test_images_of_every_mode_are_upright_and_as_bright_as_they_are(folder: Folder) -> None:  # noqa: F811
    dark = io.BytesIO()
    Image.fromarray(np.linspace(0, 4095, 256, dtype=np.uint16).reshape(16, 16)).save(dark, "PNG")
    clear = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(clear, "PNG")
    large = io.BytesIO()
    Image.new("RGB", (1600, 400), "red").save(large, "WEBP")
    images = [turned(6), dark.getvalue(), clear.getvalue(), large.getvalue(), jpeg(3, "CMYK"), picture(1)[:60], None]
    folder.table(image=files(*images), other=files(*reversed(images)))
    found = folder.profile(media={"image": "image"}).pictures
    assert [shown.caption for shown in found] == [f"image {n}" for n in range(1, 6)]
    assert {(shown.suffix, opened(shown).format) for shown in found} == {(".jpg", "JPEG")}
    assert opened(found[0]).size == (12, 16)
    assert opened(found[1]).getextrema() == pytest.approx((0, 255), abs=6)
    assert opened(found[2]).getpixel((4, 4)) == (255, 255, 255)
    assert opened(found[3]).size == (160, 40)
    both = folder.profile(media={"image": "image", "other": "image"}).pictures
    captions = [f"image {row}, {column}" for row, column in ((1, "image"), (2, "image"), (3, "image"), (3, "other"))]
    assert [shown.caption for shown in both[:4]] == captions


def test_sounds_are_those_that_browsers_play(folder: Folder) -> None:  # noqa: F811
    extensible = wav([(b"fmt ", b"\xfe\xff" + bytes(22) + b"\1\0" + bytes(14)), (b"data", bytes(8))])
    played = [
        *(sound(), sound(subtype="FLOAT"), sound(subtype="ULAW"), extensible, sound("FLAC"), sound("MP3")),
        *(sound("OGG", "VORBIS"), sound("OGG", "OPUS"), b"ID3\4" + sound("MP3")),
    ]
    others = [sound(subtype="IMA_ADPCM"), sound("AIFF"), b"\0", b"\xff", wav([(b"data", bytes(8))], b"RIFX")]
    folder.table(audio=files(*played, *others, None, b""))
    found = folder.profile(media={"audio": "audio"}).sounds
    suffixes = [*[".wav"] * 4, ".flac", ".mp3", ".ogg", ".ogg", ".mp3"]
    assert [shown.suffix for shown in found] == suffixes + [""] * len(others)
    assert [shown.data for shown in found] == played + [b""] * len(others)
    assert {shown.reason for shown in found[len(played) :]} == {"of a format that browsers do not play"}


def test_sounds_are_shown_within_limits_of_their_size(
    folder: Folder,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    one = sound()
    monkeypatch.setattr(sounds, "MAX_BYTES", len(one))
    monkeypatch.setattr(sounds, "MAX_TOTAL", 2 * len(one))
    folder.table(audio=files(sound(seconds=0.3), one, one, one))
    reasons = [shown.reason for shown in folder.profile(media={"audio": "audio"}).sounds]
    assert reasons == ["4.8 kB, too large for this page", "", "", "4.0 kB, too large for this page"]


def test_of_many_sounds_some_of_each_class_are_shown(folder: Folder) -> None:  # noqa: F811
    labels = pa.array([n // 50 for n in range(100)])
    folder.table(audio=files(*[sound(number=n, seconds=8 / RATE) for n in range(100)]), label=labels)
    shown = folder.profile(media={"audio": "audio"}, label={"0": "a", "1": "b"}).sounds
    assert [each.caption for each in shown] == [f"{'ab'[n // 50]}, {n}" for n in (0, 1, 2, 3, 50, 51, 52, 53)]
    assert len(folder.profile(media={"audio": "audio"}).sounds) == 24
    assert folder.profile().sounds == ()
    assert isinstance(shown[0], Sound)


def test_a_column_that_only_says_that_it_has_files_has_none(folder: Folder) -> None:  # noqa: F811
    folder.table(image=["a"], audio=[1])
    found = folder.profile(media={"image": "image", "audio": "audio"})
    assert found.pictures == () and found.sounds == ()


def test_of_large_files_fewer_rows_are_read(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setattr(rows, "BLOCK_ROWS", 1000)
    folder.table(image=files(*[b"x"] * 3000))
    assert len(folder.profile().tables[0].rows) == 2000
    monkeypatch.setattr(first_rows, "MAX_BYTES", 1)
    assert len(folder.profile().tables[0].rows) == 1000

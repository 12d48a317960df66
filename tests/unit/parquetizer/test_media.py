"""Images and sounds are decoded completely: what is cut, of another format or too large is refused."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import scipy.io
import soundfile
from parquetizer.media.audio import check_audio
from parquetizer.media.images import check_image, normalised
from PIL import Image
from stage.errors import CorruptFile
from unit.parquetizer.folders import encoded, jpeg
from unit.parquetizer.media_files import IMAGES, PCM, RATE, SOUNDS, picture, sound, turned, wav

SCIPY = Path(scipy.io.__file__).parent / "tests" / "data"


def audio(data: bytes):
    return check_audio(data, "a.wav", 60)


@pytest.mark.parametrize("data", IMAGES, ids=range(len(IMAGES)))
def test_an_image_is_accepted_whole_and_refused_wherever_it_is_cut(data):
    with Image.open(io.BytesIO(data)) as image:
        facts = check_image(data, "a.png")
        assert (facts.format, facts.mode, (facts.width, facts.height)) == (image.format, image.mode, image.size)
    for size in {*range(1, len(data), 1 + len(data) // 40), *range(len(data) - 12, len(data))}:
        with pytest.raises(CorruptFile, match=r"a\.png"):
            check_image(data[:size], "a.png")


@pytest.mark.parametrize("data", SOUNDS, ids=range(len(SOUNDS)))
def test_a_sound_is_accepted_whole_and_refused_wherever_it_is_cut(data):
    facts = audio(data)
    assert (facts.rate, facts.channels) in {(RATE, 1), (RATE, 2)}
    end = len(data) - 128 if data[-128:].startswith(b"TAG") else len(data)
    for size in {*range(1, end, 1 + len(data) // 40), *range(end - 12, end)}:
        with pytest.raises(CorruptFile, match=r"a\.wav"):
            audio(data[:size])


@pytest.mark.parametrize("format", ["FLAC", "OGG", "MP3"])
def test_a_hole_in_a_sound_is_found(format):
    data = sound(format, seconds=2)
    with pytest.raises(CorruptFile):
        audio(data[: len(data) // 3] + data[len(data) // 2 :])


@pytest.mark.parametrize("format", ["FLAC", "OGG"])
def test_a_flipped_bit_is_found_by_checksums(format):
    data = bytearray(sound(format, seconds=2))
    data[len(data) // 2] ^= 16
    with pytest.raises(CorruptFile):
        audio(bytes(data))


def test_rate_channels_and_duration_are_those_of_soundfile():
    for data in SOUNDS:
        facts, info = audio(data), soundfile.info(io.BytesIO(data))
        assert (facts.rate, facts.channels, facts.frames) == (info.samplerate, info.channels, info.frames)
        assert facts.seconds == info.frames / info.samplerate


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"x" * 100, "not a WAV, FLAC, MP3 or Ogg file"),
        (picture(), "not a WAV"),
        (sound("AIFF"), "not a WAV"),
        (b"\xff\xfb" + bytes(200), "not a WAV"),
        (wav([(b"fmt ", PCM)]), "no chunk 'data'"),
        (wav([(b"data", bytes(100))]), "no chunk 'fmt '"),
        (wav([(b"fmt ", PCM), (b"data", b"")]), "no samples"),
        (wav([(b"fmt ", PCM), (b"data", bytes(8))])[:-9] + b"\xff\xff\xff\xff" + bytes(8), "truncated"),
        (sound("OGG") + sound("OGG", number=2), "is missing|several streams"),
        (sound("OGG") + b"more", "truncated in page"),
        (sound("OGG") + bytes(100), "data after its last page"),
        (sound("MP3") + b"more", "no frame at byte"),
    ],
)
def test_what_is_no_whole_sound_is_refused(data, what):
    with pytest.raises(CorruptFile, match=what):
        audio(data)


def test_tags_padding_and_other_chunks_are_accepted():
    samples = struct.pack("<50h", *range(50))
    assert audio(wav([(b"LIST", b"odd"), (b"fmt ", PCM), (b"data", samples), (b"id3 ", b"x")])).frames == 50
    assert audio(wav([(b"fmt ", PCM), (b"data", samples)]) + b"trailing bytes").frames == 50
    assert audio(sound("MP3") + bytes(40)).frames == audio(sound("MP3") + b"APETAGEX" + bytes(24)).frames


@pytest.mark.parametrize(
    "name",
    [
        "test-44100Hz-2ch-32bit-float-le.wav",
        "test-8000Hz-le-1ch-1byte-ulaw.wav",
        "test-8000Hz-le-3ch-5S-24bit.wav",
        "test-44100Hz-be-1ch-4bytes.wav",
    ],
)
def test_recordings_of_scipy_are_accepted(name):
    data = (SCIPY / name).read_bytes()
    assert audio(data).frames == soundfile.info(io.BytesIO(data)).frames


@pytest.mark.parametrize("name", ["early-eof", "early-eof-no-data"])
def test_recordings_of_scipy_that_are_cut_are_refused(name):
    with pytest.raises(CorruptFile):
        audio((SCIPY / f"test-44100Hz-le-1ch-4bytes-{name}.wav").read_bytes())


def test_a_long_sound_is_refused_before_it_is_decoded():
    """An hour of silence takes a few kilobytes of FLAC, days of it not many more."""
    data = bytearray(sound("FLAC", seconds=0.1))
    streaminfo = int.from_bytes(data[18:26], "big")
    data[18:26] = (streaminfo & ~((1 << 36) - 1) | (1 << 36) - 1).to_bytes(8, "big")  # number of samples
    with pytest.raises(CorruptFile, match="values"):
        audio(bytes(data))
    with pytest.raises(CorruptFile, match=r"more than 0\.05"):
        check_audio(sound("FLAC", seconds=0.1), "a.flac", 0.05)


def png_of_size(width: int, height: int) -> bytes:
    """Return a PNG image of black pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress(bytes((1 + (width + 7) // 8) * height), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_before_it_is_decoded(limited):
    with pytest.raises(CorruptFile, match="pixels"):
        check_image(png_of_size(8000, 8000), "a.png")
    with pytest.raises(CorruptFile, match="pixels"):
        check_image(png_of_size(40_000, 40_000), "a.png")


def test_several_images_in_a_file_are_refused():
    pictures = [Image.new("RGB", (8, 8)), Image.new("RGB", (8, 8), "red")]
    for kind in ("PNG", "WEBP", "MPO"):
        with pytest.raises(CorruptFile, match="contains 2 images"):
            check_image(encoded(pictures[0], kind, save_all=True, append_images=pictures[1:]), "a")


def test_another_format_is_refused():
    for data in (encoded(Image.new("L", (4, 4)), "BMP"), encoded(Image.new("L", (4, 4)), "GIF"), b"text", sound()):
        with pytest.raises(CorruptFile, match="not a JPEG or PNG or WebP image"):
            check_image(data, "a")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_rotated_image_is_normalised_to_the_pixels_that_viewers_show(kind, orientation):
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    data = turned(orientation, kind, **options)
    facts = check_image(data, "a")
    assert (facts.notes, facts.orientation) == (("rotated by EXIF",), orientation)
    upright = normalised(data, "a")
    now = check_image(upright, "a")
    assert (now.notes, now.format) == ((), kind)
    steps = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE", 6: "ROTATE_270"}
    method = Image.Transpose[{**steps, 7: "TRANSVERSE", 8: "ROTATE_90"}[orientation]]
    with Image.open(io.BytesIO(data)) as before, Image.open(io.BytesIO(upright)) as after:
        wanted = np.asarray(before.transpose(method), int)
        assert np.abs(np.asarray(after, int) - wanted).max() <= (40 if kind == "JPEG" else 0)
        assert after.getexif().get(0x0112) is None


def test_cmyk_is_normalised_to_rgb():
    data = jpeg(3, "CMYK")
    assert check_image(data, "a").notes == ("CMYK",)
    with Image.open(io.BytesIO(normalised(data, "a"))) as after:
        assert (after.mode, after.format) == ("RGB", "JPEG")
    assert normalised(data, "a") == normalised(data, "a")

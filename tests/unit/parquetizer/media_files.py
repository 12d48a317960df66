"""Small images and sounds, whole ones and ones that decoders would accept although something is missing."""

import io
import struct
from typing import Any

import numpy as np
import soundfile
from PIL import Image
from unit.parquetizer.folders import encoded, jpeg

RATE = 8000  # hertz


def picture(number: int = 0, kind: str = "PNG", mode: str = "RGB", **options: Any) -> bytes:
    """Return an image that is another one for each number."""
    noise = np.random.RandomState(number).randint(0, 255, (12, 16, 3)).astype(np.uint8)
    return encoded(Image.fromarray(noise).convert(mode), kind, **options)


def turned(orientation: int, kind: str = "JPEG", **options: Any) -> bytes:
    """Return an image that EXIF says is rotated."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return picture(7, kind, exif=exif, **options)


def sound(
    format: str = "WAV", subtype: str | None = None, seconds: float = 0.25, channels: int = 1, number: int = 0
) -> bytes:
    """Return noise, another one for each number."""
    noise = np.random.RandomState(number).uniform(-0.5, 0.5, (int(RATE * seconds), channels))
    file = io.BytesIO()
    soundfile.write(file, noise, RATE, format=format, subtype=subtype)
    return file.getvalue()


def wav(chunks: list[tuple[bytes, bytes]], mark: bytes = b"RIFF") -> bytes:
    """Return a WAV file of these chunks."""
    order = "<" if mark == b"RIFF" else ">"
    body = b"".join(
        struct.pack(f"{order}4sI", name, len(data)) + data + b"\0" * (len(data) % 2) for name, data in chunks
    )
    return struct.pack(f"{order}4sI", mark, 4 + len(body)) + b"WAVE" + body


PCM = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)  # the chunk "fmt " of mono sound of 16 bits

IMAGES = (
    *(picture(1), picture(2, mode="RGBA"), picture(3, mode="P"), picture(4, mode="1"), picture(5, mode="I;16")),
    *(picture(6, "WEBP"), picture(6, "WEBP", lossless=True), picture(7, "WEBP", mode="RGBA")),
    *(jpeg(1), jpeg(2, "L", progressive=True), jpeg(3, "CMYK"), turned(6), turned(3, "PNG"), turned(8, "WEBP")),
)
SOUNDS = (
    *(sound(seconds=0.02), sound(subtype="FLOAT", channels=2, seconds=0.01), sound(subtype="IMA_ADPCM", seconds=0.05)),
    *(sound("FLAC", seconds=0.05), sound("OGG", "VORBIS", seconds=0.1), sound("OGG", "OPUS", channels=2, seconds=0.1)),
    *(sound("MP3", seconds=0.3), b"ID3\4\0\0\0\0\0\5" + bytes(5) + sound("MP3", seconds=0.3) + b"TAG" + bytes(125)),
)

"""Read the headers of images and audio: format and size, or format, duration, rate and channels."""

import io
import struct
import warnings
from collections import Counter

import numpy as np
import pyarrow as pa
from PIL import Image

from stats.median import Floats

SIZE = "bytes"
MEDIA = {"image": (SIZE, "width", "height"), "audio": (SIZE, "seconds", "rate", "channels")}  # measures
IMAGES = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
NAMES = {"MPO": "JPEG", "WAVEX": "WAV"}  # a JPEG with a preview, a WAV of more than 16 bits
UNKNOWN = "unknown"
# What Pillow raises for damaged images.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, ZeroDivisionError)


def read_media(column: pa.Array, media: str, formats: Counter[str]) -> list[Floats]:
    """Return the values of each measure in ``MEDIA`` of a column of files: bytes, pixels, seconds, hertz, channels.

    Their formats are counted; a file of an unknown one, or with a damaged header, has bytes only.
    """
    read = _image if media == "image" else _audio
    sizes: list[int] = []
    headers: list[tuple[float, ...]] = []
    for value in column.flatten()[0].filter(column.is_valid()):
        data = value.as_py() or b""  # of a file that has a path only
        sizes.append(len(data))
        try:
            name, *header = read(data)
        except ValueError:
            formats[UNKNOWN] += 1
            continue
        formats[NAMES.get(name, name)] += 1
        headers.append(tuple(header))
    rest = np.array(headers, np.float64).reshape(-1, len(MEDIA[media]) - 1)
    return [np.array(sizes, np.float64), *rest.T]


def image_header(data: bytes, formats: tuple[str, ...] = IMAGES) -> tuple[str, int, int]:
    """Return format, width and height of an image. Raises ValueError for another format, or a damaged header."""
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=formats) as image:
            return str(image.format), image.width, image.height
    except (*DAMAGED, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error


def _image(data: bytes) -> tuple[str, int, int]:
    return image_header(data)


def _audio(data: bytes) -> tuple[str, float, int, int]:
    """Return format, seconds, rate and channels of a sound. Raises ValueError as ``image_header`` does."""
    import soundfile  # slow to load, and a table may have no audio

    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            return str(sound.format), sound.frames / sound.samplerate, sound.samplerate, sound.channels
    except (soundfile.SoundFileError, TypeError, ZeroDivisionError) as error:
        raise ValueError(str(error)) from error

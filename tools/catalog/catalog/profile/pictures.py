"""Thumbnails of a dataset's images: of image files, and of images in rows, some of each class or the first ones."""

import dataclasses
import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image, ImageOps

from catalog.facts import training_split
from catalog.profile.examples import example_rows, read_rows
from catalog.profile.rows import Rows, dimensions, file_of, flat, is_image

SIDE = 160  # pixels of the longer side
MAX_PIXELS = 1 << 25  # of an image that is decoded: the parquetizer accepts none that is larger
FORMATS = ("JPEG", "PNG", "WEBP")  # others, such as EPS, can start programs
IMAGE_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)
MAX_PICTURES = 60  # of a dataset


@dataclasses.dataclass(frozen=True)
class Picture:
    """A thumbnail with its split and caption."""

    data: bytes
    suffix: str
    split: str
    caption: str


def pictures_of(rows: Rows) -> tuple[Picture, ...]:
    """Return images of the split ``train``, or the first, by class; invalid ones are left out. Raises CorruptFile."""
    files = rows.columns_of("image")
    columns = [*files, *(field.name for field in rows.schema() if is_image(field.type))][:MAX_PICTURES]
    if not columns or not rows.splits:
        return ()
    split = training_split(rows.splits)
    captions = example_rows(rows, split, MAX_PICTURES // len(columns))
    pictures = {}
    for name in columns:
        for row, value in read_rows(rows, split, name, sorted(captions)):
            data = _thumbnail_of_file(value) if name in files else _thumbnail_of_pixels(value)
            if data:
                parts = [captions[row] or f"image {row + 1}", *([name] if len(columns) > 1 else [])]
                suffix = ".jpg" if name in files else ".png"
                pictures[row, name] = Picture(data, suffix, split, ", ".join(parts))
    return tuple(pictures[row, name] for row in captions for name in columns if (row, name) in pictures)


def thumbnail(file: Path | io.BytesIO) -> bytes | None:
    """Return a small JPEG of an image file, upright and on white; None if it is invalid or too large to decode."""
    with _invalid_ignored(), Image.open(file, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            return None
        scaled: Image.Image = image
        if image.mode.startswith("I"):  # 16 bits, which Pillow would clip
            values = np.asarray(image)
            scaled = Image.fromarray((values * (255 / max(1, values.max()))).astype(np.uint8))
        scaled.thumbnail((SIDE, SIDE))
        scaled = ImageOps.exif_transpose(scaled)
        if scaled.has_transparency_data:
            scaled = Image.alpha_composite(Image.new("RGBA", scaled.size, "white"), scaled.convert("RGBA"))
        return _encoded(scaled if scaled.mode == "L" else scaled.convert("RGB"), "JPEG")
    return None


def image_size(file: Path | io.BytesIO) -> tuple[int, int] | None:
    """Return width and height from the header of an image file; None if it is invalid."""
    with _invalid_ignored(), Image.open(file, formats=FORMATS) as image:
        return image.size
    return None


@contextmanager
def _invalid_ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except IMAGE_ERRORS:
            return


def _encoded(image: Image.Image, kind: str) -> bytes:
    image.info.clear()  # comments and colour profiles
    sink = io.BytesIO()
    image.save(sink, kind, optimize=True)
    return sink.getvalue()


def _thumbnail_of_file(value: pa.Scalar) -> bytes | None:
    data, _ = file_of(value)
    return thumbnail(io.BytesIO(data)) if data else None


def _thumbnail_of_pixels(value: pa.Scalar) -> bytes | None:
    """Return a PNG of grey values, shape (height, width), or colours, shape (height, width, 3)."""
    if (pixels := _pixels(value)) is None:
        return None
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((SIDE, SIDE))
    return _encoded(image, "PNG")


def _pixels(image: pa.Scalar) -> npt.NDArray[Any] | None:
    shape = dimensions(image.values) if image.is_valid else []
    is_rectangle = len(shape) == 2 or (len(shape) == 3 and shape[2] in {1, 3})
    if not is_rectangle or not all(shape) or math.prod(shape[:2]) > MAX_PIXELS or flat(image.values).null_count:
        return None
    pixels = np.asarray(flat(image.values).to_numpy()).reshape(shape)
    return pixels.squeeze(2) if shape[2:] == [1] else pixels

"""Thumbnails of a dataset's images: of image files, and of images in rows, some of each class or the first ones."""

import dataclasses
import io
import itertools
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from PIL import Image

from catalog.facts import training_split
from catalog.profile.rows import Rows, dimensions, flat, is_image

SIDE = 160  # pixels of the longer side
MAX_PIXELS = 1 << 25  # of an image that is decoded: the parquetizer accepts none that is larger
FORMATS = ("JPEG", "PNG", "WEBP")  # others, such as EPS, can start programs
IMAGE_ERRORS = (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning)
MAX_PICTURES, PER_CLASS, WITHOUT_CLASSES = 60, 4, 24


@dataclasses.dataclass(frozen=True)
class Picture:
    """A thumbnail with its split and caption."""

    data: bytes
    suffix: str
    split: str
    caption: str


def pictures_of(rows: Rows) -> tuple[Picture, ...]:
    """Return images of the split ``train``, or the first, by class; invalid ones are left out. Raises CorruptFile."""
    schema = rows.schema()
    images = [field.name for field in schema if is_image(field.type)]
    if not images or not rows.splits:
        return ()
    split = training_split(rows.splits)
    labels = [name for name in schema.names if name in rows.classes]
    captions = (
        _rows_by_class(rows, split, labels) if labels else {row: f"image {row + 1}" for row in range(WITHOUT_CLASSES)}
    )
    thumbnails = {row: _png(pixels) for row, pixels in _read_images(rows, split, images[0], sorted(captions))}
    return tuple(Picture(thumbnails[row], ".png", split, text) for row, text in captions.items() if row in thumbnails)


def thumbnail(path: Path) -> bytes | None:
    """Return a small JPEG of an image file; None if it is invalid or too large to decode."""
    with _invalid_ignored(), Image.open(path, formats=FORMATS) as image:
        if image.width * image.height > MAX_PIXELS:
            return None
        image.thumbnail((SIDE, SIDE))
        return _encoded(image if image.mode == "L" else image.convert("RGB"), "JPEG")
    return None


def image_size(path: Path) -> tuple[int, int] | None:
    """Return width and height from the header of an image file; None if it is invalid."""
    with _invalid_ignored(), Image.open(path, formats=FORMATS) as image:
        return image.size
    return None


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return a thumbnail of grey values, shape (height, width), or colours, shape (height, width, 3)."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((SIDE, SIDE))
    return _encoded(image, "PNG")


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


def _rows_by_class(rows: Rows, split: str, labels: Sequence[str]) -> dict[int, str]:
    """Return the captions of the first rows of each class of the first label, in the order of classes."""
    classes = rows.classes[labels[0]]
    per_class = min(PER_CLASS, max(1, MAX_PICTURES // len(classes)))
    captions: dict[str | None, dict[int, str]] = {value: {} for value in classes}
    first = 0
    for batch in rows.read(split, labels):
        columns = [batch[name].cast(pa.string()).to_pylist() for name in labels]
        for row, values in enumerate(zip(*columns, strict=True), first):
            of_class = captions.get(values[0])
            if of_class is not None and len(of_class) < per_class:
                named = zip(labels, values, strict=True)
                of_class[row] = ", ".join(rows.classes[name].get(value, value or "") for name, value in named)
        first += batch.num_rows
        if all(len(of_class) == per_class for of_class in captions.values()):
            break
    return dict(itertools.islice(itertools.chain(*(of_class.items() for of_class in captions.values())), MAX_PICTURES))


def _read_images(rows: Rows, split: str, column: str, numbers: Sequence[int]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Yield the images of the given rows that are rectangular and not too large."""
    first = 0
    for batch in rows.read(split, [column]) if numbers else ():
        block = range(first, first + batch.num_rows)
        for row in (row for row in numbers if row in block):
            if (pixels := _pixels(batch[0][row - first])) is not None:
                yield row, pixels
        first = block.stop
        if first > numbers[-1]:
            break


def _pixels(image: pa.Scalar) -> npt.NDArray[Any] | None:
    shape = dimensions(image.values) if image.is_valid else []
    is_rectangle = len(shape) == 2 or (len(shape) == 3 and shape[2] in {1, 3})
    if not is_rectangle or not all(shape) or math.prod(shape[:2]) > MAX_PIXELS or flat(image.values).null_count:
        return None
    pixels = np.asarray(flat(image.values).to_numpy()).reshape(shape)
    return pixels.squeeze(2) if shape[2:] == [1] else pixels

"""Small pictures of a dataset's images, for the page that shows it."""

import dataclasses
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

SIDE = 160  # pixels, of the longer side
MOST_PIXELS = 1 << 25  # of an image that is decoded: the parquetizer lets none be larger
FORMATS = ("JPEG", "PNG", "WEBP")  # others can start programs, as EPS does
UNREADABLE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # Pillow, of broken images


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture, the split that it is from, and what it shows."""

    data: bytes
    suffix: str
    split: str
    caption: str


def drawn(pixels: npt.NDArray[np.uint8]) -> bytes:
    """Return grey values, shape (height, width), or colours, shape (height, width, 3), as PNG; large ones smaller."""
    image = Image.fromarray(np.ascontiguousarray(pixels))
    image.thumbnail((SIDE, SIDE))
    return _saved(image, "PNG")


def shrunk(path: Path) -> bytes | None:
    """Return the image of a file as a small JPEG; None where it is no image, or too large to open safely."""
    with _ignored(), Image.open(path, formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            return None
        image.thumbnail((SIDE, SIDE))
        return _saved(image if image.mode == "L" else image.convert("RGB"), "JPEG")
    return None


def size_of(path: Path) -> tuple[int, int] | None:
    """Return width and height by the head of an image file; None where it is no image."""
    with _ignored(), Image.open(path, formats=FORMATS) as image:
        return image.size
    return None


@contextmanager
def _ignored() -> Iterator[None]:
    """Let what cannot be read be left out."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            yield
        except (*UNREADABLE, Image.DecompressionBombWarning):
            return


def _saved(image: Image.Image, kind: str) -> bytes:
    image.info.clear()  # a camera's comments and colour tables
    sink = io.BytesIO()
    image.save(sink, kind, optimize=True)
    return sink.getvalue()

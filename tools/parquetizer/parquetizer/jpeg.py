"""Make sure that a file is a JPEG image that every reader shows alike."""

import io
import struct
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from stage.errors import CorruptFile

ORIENTATION = 0x0112  # EXIF tag
MODES = ("L", "RGB")
MOST_PIXELS = 1 << 25  # a decoder takes up to nine bytes for each
MOST_BYTES = 1 << 26
# What Pillow raises at bytes that are no image.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, ZeroDivisionError)


def read_jpeg(path: Path) -> bytes:
    """Return the bytes of a JPEG file that decodes to its last pixel.

    Raises CorruptFile for one that is cut or of another format, and for what readers show differently: CMYK colours,
    a rotation in EXIF, several pictures in one file; and for one of more than 2²⁵ pixels, before it is decoded.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise CorruptFile(path, f"larger than {MOST_BYTES} bytes", "shrink it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, of sizes and EXIF: both are looked at here
            with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
                what, fix = _trouble(image)
                if not what:
                    image.load()
    except UnidentifiedImageError as error:
        raise CorruptFile(path, "not a JPEG image", "fetch it again, or convert it") from error
    except Image.DecompressionBombError as error:  # Pillow's limit is above ours
        raise CorruptFile(path, f"more than {MOST_PIXELS} pixels", "shrink it") from error
    except DAMAGED as error:
        raise CorruptFile(path, f"not a whole JPEG image: {error}", "fetch it again") from error
    if what:
        raise CorruptFile(path, what, fix)
    return data


def _trouble(image: Image.Image) -> tuple[str, str]:
    width, height = image.size
    if width * height > MOST_PIXELS:
        return f"{width} x {height} pixels are more than {MOST_PIXELS}", "shrink it"
    if image.mode not in MODES:
        return f"its colours are {image.mode}", "convert it to grey or RGB"
    if getattr(image, "n_frames", 1) > 1:
        return f"it holds {getattr(image, 'n_frames', 1)} pictures", "keep one of them"
    if (turned := image.getexif().get(ORIENTATION, 1)) != 1:
        return f"EXIF turns it (orientation {turned})", "turn its pixels"
    return "", ""

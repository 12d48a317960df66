"""Check that a file is a JPEG image that all readers decode to the same pixels."""

import io
import struct
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from stage.errors import CorruptFile

ORIENTATION = 0x0112  # EXIF tag
MODES = ("L", "RGB")
MAX_PIXELS = 1 << 25  # a decoder takes up to nine bytes for each
MAX_BYTES = 1 << 26
# What Pillow raises for damaged images.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, ZeroDivisionError)


def read_jpeg(path: Path) -> bytes:
    """Return the bytes of a JPEG file that decodes completely.

    Raises CorruptFile for one that is truncated or of another format, and for what readers decode differently: CMYK
    colours, a rotation in EXIF, several images in one file; and, before decoding, for more than 2²⁵ pixels.
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise CorruptFile(path, f"larger than {MAX_BYTES} bytes", "shrink it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about sizes and EXIF: both are checked here
            with Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
                what, fix = _problem(image)
                if not what:
                    image.load()
    except UnidentifiedImageError as error:
        raise CorruptFile(path, "not a JPEG image", "fetch it again, or convert it") from error
    except Image.DecompressionBombError as error:  # Pillow's limit is above ours
        raise CorruptFile(path, f"more than {MAX_PIXELS} pixels", "shrink it") from error
    except DAMAGED as error:
        raise CorruptFile(path, f"damaged JPEG image: {error}", "fetch it again") from error
    if what:
        raise CorruptFile(path, what, fix)
    return data


def _problem(image: Image.Image) -> tuple[str, str]:
    width, height = image.size
    if width * height > MAX_PIXELS:
        return f"{width} x {height} pixels, more than {MAX_PIXELS}", "shrink it"
    if image.mode not in MODES:
        return f"unsupported colour mode {image.mode}", "convert it to grayscale or RGB"
    if getattr(image, "n_frames", 1) > 1:
        return f"contains {getattr(image, 'n_frames', 1)} images", "keep one of them"
    if (orientation := image.getexif().get(ORIENTATION, 1)) != 1:
        return f"rotated by EXIF (orientation {orientation})", "rotate its pixels"
    return "", ""

"""Check that a file is an image that decodes completely, and bring one that readers show differently into one form."""

import dataclasses
import io
import struct
import warnings
from collections.abc import Mapping
from typing import Any, Final

from PIL import Image, ImageOps, UnidentifiedImageError
from stage.errors import CorruptFile

FORMATS: Final = ("JPEG", "PNG", "WEBP")
SUFFIXES: Final = {".jpg": "JPEG", ".jpeg": "JPEG", ".png": "PNG", ".webp": "WEBP"}
NAMES: Final = {"JPEG": "JPEG", "MPO": "JPEG", "PNG": "PNG", "WEBP": "WebP"}
ORIENTATION: Final = 0x0112  # EXIF tag
UPRIGHT: Final = 1
MAX_PIXELS: Final = 1 << 25  # a decoder takes up to nine bytes for each
PNG_END: Final = b"IEND\xaeB`\x82"  # the last chunk and its CRC, which Pillow does not ask for
SAVED: Final[Mapping[str, Mapping[str, Any]]] = {
    "JPEG": {"quality": 95, "subsampling": 0},
    "PNG": {},
    "WEBP": {"lossless": True},
}
# What Pillow raises for damaged images.
DAMAGED = (OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, struct.error, ZeroDivisionError)


@dataclasses.dataclass(frozen=True)
class ImageFacts:
    """Format, colour mode and size of an image, and its orientation in EXIF (1 to 8; 1 is upright)."""

    format: str
    mode: str
    width: int
    height: int
    orientation: int

    @property
    def notes(self) -> tuple[str, ...]:
        """Why readers show the image differently: CMYK colours, a rotation in EXIF."""
        cmyk = ("CMYK",) if self.mode == "CMYK" else ()
        return cmyk if self.orientation == UPRIGHT else (*cmyk, "rotated by EXIF")


def check_image(data: bytes, where: object, formats: tuple[str, ...] = FORMATS) -> ImageFacts:
    """Return the facts of an image that decodes completely; ``formats`` are those of Pillow.

    Raises CorruptFile for one that is truncated, of another format, or one of several in the file; and, before
    decoding, for more than 2²⁵ pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's, about sizes and EXIF: both are checked here
            with Image.open(io.BytesIO(data), formats=formats) as image:
                facts = _facts(image, where)
                image.load()
    except UnidentifiedImageError as error:
        expected = " or ".join(NAMES[name] for name in formats)
        raise CorruptFile(where, f"not a {expected} image", "fetch it again, or convert it") from error
    except Image.DecompressionBombError as error:  # Pillow's limit is above ours
        raise CorruptFile(where, f"more than {MAX_PIXELS} pixels", "shrink it") from error
    except DAMAGED as error:
        name = next((NAMES[name] for name in formats if len(formats) == 1), "")
        raise CorruptFile(where, f"damaged {name} image: {error}".replace("  ", " "), "fetch it again") from error
    if facts.format == "PNG" and PNG_END not in data:
        raise CorruptFile(where, "damaged PNG image: truncated", "fetch it again")
    return facts


def normalised(data: bytes, where: object) -> bytes:
    """Return a checked image with upright pixels, and CMYK colours as RGB, in its own format.

    JPEG has quality 95 and all of its colours, the other formats lose nothing; of the metadata, the colour profile
    stays.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=FORMATS) as image:
            warnings.simplefilter("ignore")
            upright = ImageOps.exif_transpose(image)
            profile = image.info.get("icc_profile")
            if upright.mode == "CMYK":
                upright, profile = upright.convert("RGB"), None
            output = io.BytesIO()
            upright.save(output, image.format, icc_profile=profile, exif=b"", **SAVED[image.format or "PNG"])
    except DAMAGED as error:
        raise CorruptFile(where, f"cannot be normalised: {error}", "convert it, or set normalise: false") from error
    return output.getvalue()


def _facts(image: Image.Image, where: object) -> ImageFacts:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise CorruptFile(where, f"{width} x {height} pixels, more than {MAX_PIXELS}", "shrink it")
    if (frames := getattr(image, "n_frames", 1)) > 1:
        raise CorruptFile(where, f"contains {frames} images", "keep one of them")
    orientation = image.getexif().get(ORIENTATION, UPRIGHT)
    return ImageFacts(image.format or "", image.mode, width, height, orientation)

"""Read a JPEG image that all readers decode to the same pixels."""

from pathlib import Path

from stage.errors import CorruptFile

from parquetizer.media.images import UPRIGHT, check_image

MODES = ("L", "RGB")
MAX_BYTES = 1 << 26


def read_jpeg(path: Path) -> bytes:
    """Return the bytes of a JPEG file that decodes completely.

    Raises CorruptFile as ``check_image`` does, and for what readers decode differently: CMYK colours, a rotation in
    EXIF.
    """
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise CorruptFile(path, f"larger than {MAX_BYTES} bytes", "shrink it")
    facts = check_image(data, path, ("JPEG",))
    if facts.mode not in MODES:
        raise CorruptFile(path, f"unsupported colour mode {facts.mode}", "convert it to grayscale or RGB")
    if facts.orientation != UPRIGHT:
        raise CorruptFile(path, f"rotated by EXIF (orientation {facts.orientation})", "rotate its pixels")
    return data

"""Read the captions of images, and check that every image has one and every caption an image."""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stage.errors import BadRows, EmptyInput, InputMissing, PolicyViolation
from stage.inside import leaves

from parquetizer.formats.strict_json import parse

IMAGE = "<image>"
FIELDS = {"image", "caption"}
SUFFIXES = (".jpg", ".jpeg")
INVALID = re.compile("[\0\ud800-\udfff]")  # JSON allows a lone surrogate
MAX_ERRORS = 20  # in a message


@dataclasses.dataclass(frozen=True)
class Captioned:
    """The file name of an image, and its caption."""

    image: str
    caption: str


def read_captions(path: Path, images: Path) -> list[Captioned]:
    """Return the captions of the files in ``images`` from ``path``, a JSON array of ``{"image": …, "caption": …}``.

    Raises BadRows with the first errors: an entry without image, caption or file, a file without an entry, an image
    with two entries; PolicyViolation for a name that leaves the folder.
    """
    if not path.is_file() or not images.is_dir():
        missing = path if not path.is_file() else images
        raise InputMissing(missing, "not found", "run the fetcher, or correct the section parquetizer")
    if not path.stat().st_size:
        raise EmptyInput(path, "the file is empty", "check that the source sent the whole file")
    try:
        entries = parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise BadRows(f"{path}@{error.start}", f"invalid utf-8: {error.reason}", "correct the file") from error
    if not isinstance(entries, list):
        raise BadRows(path, "expected a JSON array", "write an array of objects with image and caption")
    if not entries:
        raise EmptyInput(path, "no captions", "check that the source sent the whole file")
    if errors := list(_errors(entries, images)):
        first = "; ".join(errors[:MAX_ERRORS])
        more = f"; and {len(errors) - MAX_ERRORS} more" if len(errors) > MAX_ERRORS else ""
        number = "1 error" if len(errors) == 1 else f"{len(errors)} errors"
        raise BadRows(path, f"{number}: {first}{more}", "correct the captions or the images")
    return [Captioned(**entry) for entry in entries]


def _errors(entries: list[Any], images: Path) -> Iterator[str]:
    files = {path.name for path in images.iterdir()}
    counts = Counter(entry["image"] for entry in entries if _well_formed(entry))
    for number, entry in enumerate(entries):
        if not _well_formed(entry):
            yield f"entry {number}: expected an object with image and caption"
            continue
        name, caption = entry["image"], entry["caption"]
        if Path(name).name != name or name.startswith(".") or not name.isprintable() or leaves(images / name, images):
            raise PolicyViolation(images, f"invalid image name {name!r:.80}: outside the folder", "correct the name")
        if not name.lower().endswith(SUFFIXES):
            yield f"{name}: expected suffix .jpg or .jpeg"
        elif name not in files:
            yield f"{name} has a caption but no file"
        elif not (images / name).is_file():
            yield f"{name} is not a regular file"
        if not caption.strip():
            yield f"the caption of {name} is empty"
        elif IMAGE in caption:
            yield f"the caption of {name} contains {IMAGE}"
        elif INVALID.search(caption):
            yield f"the caption of {name} contains NUL or a lone surrogate"
    yield from (f"{name} is listed {count} times" for name, count in counts.items() if count > 1)
    yield from (f"{name} has no caption" for name in sorted(files - counts.keys()))


def _well_formed(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.keys() == FIELDS and all(type(value) is str for value in entry.values())

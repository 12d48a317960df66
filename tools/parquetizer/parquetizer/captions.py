"""Read the captions of images, and make sure that images and captions belong together."""

import dataclasses
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stage.errors import BadRows, EmptyInput, InputMissing, PolicyViolation
from stage.inside import leaves

from parquetizer.strict_json import parse

IMAGE = "<image>"
FIELDS = {"image", "caption"}
SUFFIXES = (".jpg", ".jpeg")
NAMED = 20  # faults that a message names


@dataclasses.dataclass(frozen=True)
class Captioned:
    """An image, by its file's name, and what it shows."""

    image: str
    caption: str


def read_captions(path: Path, images: Path) -> list[Captioned]:
    """Return what ``path``, a JSON array of ``{"image": …, "caption": …}``, says of the files in ``images``.

    Raises BadRows naming the first faults: an entry without image, caption or file, a file without an entry, an image
    twice; PolicyViolation for a name that leaves the folder.
    """
    if not path.is_file() or not images.is_dir():
        missing = path if not path.is_file() else images
        raise InputMissing(missing, "no such file or folder", "run the fetcher, or correct parquetizer")
    if not path.stat().st_size:
        raise EmptyInput(path, "the file is empty", "check that the source sent the whole file")
    try:
        entries = parse(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise BadRows(f"{path}@{error.start}", f"not utf-8: {error.reason}", "correct the file") from error
    if not isinstance(entries, list):
        raise BadRows(path, "not a JSON array", "write an array of objects with image and caption")
    if not entries:
        raise EmptyInput(path, "no captions", "check that the source sent the whole file")
    if faults := list(_faults(entries, images)):
        told = "; ".join(faults[:NAMED])
        more = f"; and {len(faults) - NAMED} more" if len(faults) > NAMED else ""
        number = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        raise BadRows(path, f"{number}: {told}{more}", "correct captions or images")
    return [Captioned(**entry) for entry in entries]


def _faults(entries: list[Any], images: Path) -> Iterator[str]:
    files = {path.name for path in images.iterdir()}
    counts = Counter(entry["image"] for entry in entries if _well_formed(entry))
    for number, entry in enumerate(entries):
        if not _well_formed(entry):
            yield f"entry {number} is not an image and a caption"
            continue
        name, caption = entry["image"], entry["caption"]
        if Path(name).name != name or name.startswith(".") or not name.isprintable() or leaves(images / name, images):
            raise PolicyViolation(images, f"image name {name!r:.80} leads elsewhere", "correct the name")
        if not name.lower().endswith(SUFFIXES):
            yield f"{name} is not called .jpg"
        elif name not in files:
            yield f"{name} has a caption and no file"
        elif not (images / name).is_file():
            yield f"{name} is not a regular file"
        if not caption.strip():
            yield f"the caption of {name} is empty"
        elif IMAGE in caption:
            yield f"the caption of {name} holds {IMAGE}"
        elif "\0" in caption or not _encodable(caption):
            yield f"the caption of {name} holds a character that no file can"
    yield from (f"{name} stands {count} times" for name, count in counts.items() if count > 1)
    yield from (f"{name} has no caption" for name in sorted(files - counts.keys()))


def _well_formed(entry: Any) -> bool:
    return isinstance(entry, dict) and entry.keys() == FIELDS and all(type(each) is str for each in entry.values())


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, which JSON can write
        return False
    return True

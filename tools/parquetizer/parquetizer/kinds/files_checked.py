"""Check the content of one file, and count what was seen of all of them."""

import dataclasses
import logging
from collections import Counter
from pathlib import PurePosixPath

from stage.errors import CorruptFile, EmptyInput, SchemaMismatch
from stage.redaction import listed

from parquetizer.kinds.files_settings import FilesSettings
from parquetizer.media import audio, images

log = logging.getLogger(__name__)
MAX_NAMES = 20  # in a message


@dataclasses.dataclass(frozen=True)
class Checked:
    """The bytes of a file, its format, and why readers show it differently."""

    data: bytes
    format: str
    notes: tuple[str, ...] = ()


def checked(data: bytes, path: str, where: object, settings: FilesSettings) -> Checked:
    """Return the bytes of a file that is what the settings say, normalised if they ask for it.

    Raises EmptyInput, CorruptFile for a damaged file, another format or too many bytes, SchemaMismatch for another rate
    or number of channels than declared.
    """
    if not data:
        raise EmptyInput(where, "the file is empty", "check that the source sent the whole file")
    if len(data) > settings.max_file_bytes:
        raise CorruptFile(where, f"larger than {settings.max_file_bytes} bytes", "shrink it, or raise max-file-bytes")
    if settings.media == "image":
        image = images.check_image(data, where)
        _check_suffix(path, images.NAMES[image.format], images.SUFFIXES, images.NAMES, where)
        if image.notes and settings.normalise:
            data = images.normalised(data, where)
        return Checked(data, images.NAMES[image.format], image.notes)
    if settings.media == "audio":
        sound = audio.check_audio(data, where, settings.max_seconds)
        _check_suffix(path, audio.NAMES[sound.format], audio.SUFFIXES, audio.NAMES, where)
        for name, expected, got in (
            ("a rate of", settings.rate, sound.rate),
            ("channels:", settings.channels, sound.channels),
        ):
            if expected is not None and got != expected:
                raise SchemaMismatch(
                    where, f"expected {name} {expected}, got {got}", "convert it, or remove the setting"
                )
        return Checked(data, audio.NAMES[sound.format])
    return Checked(data, PurePosixPath(path).suffix.lower())


def _check_suffix(path: str, got: str, suffixes: dict[str, str], names: dict[str, str], where: object) -> None:
    suffix = PurePosixPath(path).suffix
    if (format := suffixes.get(suffix.lower())) and names[format] != got:
        raise CorruptFile(where, f"is {got}, not {names[format]} as its suffix {suffix} says", "rename it")


class Tally:
    """How many files are of each format, and how many readers show differently."""

    def __init__(self, normalised: bool) -> None:
        self.formats: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self._normalised = normalised
        self._first: dict[str, list[str]] = {}

    def add(self, file: Checked, source: str) -> None:
        """Count a file."""
        self.formats[file.format] += 1
        for note in file.notes:
            self.notes[note] += 1
            if len(first := self._first.setdefault(note, [])) < MAX_NAMES:
                first.append(source)

    def report(self) -> None:
        """Log the names of files that readers show differently."""
        for note, count in sorted(self.notes.items()):
            names = listed([*self._first[note], *[""] * (count - len(self._first[note]))], MAX_NAMES)
            how = "normalised" if self._normalised else "kept as they are (normalise: true converts them)"
            log.warning("%d images are %s, and %s: %s", count, note, how, names)

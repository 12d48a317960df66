"""List the raw files and the members of archives with what they seem to be, by their first bytes and suffix."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from parquetizer.inspect.encodings import EncodingFacts
from parquetizer.raw.files import RawFile, find_files
from parquetizer.raw.inputs import is_archive, members_of

HEAD: Final = 1 << 12  # bytes
COMPRESSED: Final = (".gz", ".bz2", ".xz", ".zst")
MEDIA: Final = {
    "image": (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    "audio": (".wav", ".flac", ".mp3", ".ogg", ".opus"),
}
DOCUMENTS: Final = (".md", ".rst", ".html")
JSON: Final = (".json", ".jsonl", ".ndjson")
TEXT: Final = (".csv", ".tsv", ".tab", ".psv", ".txt", ".data", ".dat", "")
ABOUT: Final = ("readme", "license", "licence", "copying", "changelog", "citation", "notice", "croissant")
SEPARATE: Final = "make a dataset of each: FROM= takes one file too"
SIGNATURES: Final = {b"PAR1": "parquet", b"ARROW1\0\0": "arrow", b"FEA1": "arrow", b"\xff\xff\xff\xff": "arrow"}


@dataclasses.dataclass(frozen=True)
class Item:
    """A raw file, or a member of the archive ``file``."""

    file: str
    member: str
    size: int
    kind: str  # csv, json, parquet, arrow, image, audio, document or other

    @property
    def path(self) -> str:
        """The path in its folder or archive."""
        return self.member or self.file

    @property
    def suffix(self) -> str:
        """The suffix of its name, without that of its compression."""
        return suffix_of(self.path)

    @property
    def is_about(self) -> bool:
        """Whether it is about the data: a README, a licence."""
        return self.path.lower().rpartition("/")[2].startswith(ABOUT)


class Items:
    """Some of the raw files, to be read in their order, more than once."""

    def __init__(self, raw: Path, items: Sequence[Item], advance: Callable[[int], None] = lambda _: None) -> None:
        """``advance`` is called with the bytes that have been read."""
        self.raw, self.items, self.advance = raw, items, advance

    def files(self) -> Iterator[RawFile]:
        """Yield the files; read each before the next."""
        for name, group in groupby(self.items, key=lambda item: item.file):
            (file,) = find_files(self.raw, name)
            items = {f"{file.name}/{item.member}" if item.member else file.name: item for item in group}
            for one in members_of(file, "**") if file.name not in items else [file]:
                if one.name in items:
                    yield one
                    self.advance(items[one.name].size)


def list_items(raw: Path) -> list[Item]:
    """Return the files in ``raw``, archives by their members. Raises InputMissing without any."""
    return [item for file in find_files(raw, "**") for item in _items(file, (raw / file.name).stat().st_size)]


def _items(file: RawFile, size: int) -> Iterator[Item]:
    if not is_archive(file) or suffix_of(file.name) == ".xlsx":
        yield Item(file.name, "", size, _kind(file))
        return
    for member in members_of(file, "**"):
        yield Item(file.name, member.name.removeprefix(f"{file.name}/"), member.size, _kind(member))


def _kind(file: RawFile) -> str:
    """Return what a file seems to be."""
    suffix = suffix_of(file.name)
    for kind, suffixes in MEDIA.items():
        if suffix in suffixes:
            return kind
    if suffix in DOCUMENTS:
        return "document"
    if suffix in JSON:
        return "json"
    head = file.head(HEAD)
    for signature, kind in SIGNATURES.items():
        if head.startswith(signature):
            return kind
    if not suffix and head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith((b"{", b"[")):
        return "json"
    is_text = EncodingFacts(head).marked or (head.isascii() and 0 not in head)
    return "csv" if suffix in TEXT or is_text else "other"


def suffix_of(path: str) -> str:
    """Return the last suffix of a path, without that of its compression."""
    name = path.lower().rpartition("/")[2]
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return Path(name).suffix

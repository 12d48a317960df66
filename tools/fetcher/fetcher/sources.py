"""Read sources.csv, which says what upstream must send, and write pins into it."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TextIO

from stage.errors import EmptyInput, PolicyViolation, UsageError
from stage.output import replacing

from fetcher.names import check_name, check_together

HEADER = ["name", "url", "sha256", "bytes"]
SHA256 = re.compile(r"[0-9a-f]{64}")
LONGEST = 1 << 16  # characters of a line
MOST_URLS = 100  # of one file
MOST = 1_000_000  # files: half a kilobyte of memory each
SIZE = re.compile(r"[0-9]{1,18}")
LARGEST = 10**18 - 1  # bytes that SIZE can say


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its name below the output, where to find it, and what it must be (None where it is unpinned)."""

    name: str
    urls: tuple[str, ...]
    sha256: str | None
    bytes: int | None
    path: Path | None = None  # that names it, and on which line
    line: int = 0

    @property
    def where(self) -> str:
        """Say where it is named."""
        return f"{self.path} line {self.line}" if self.path else "upstream"


@dataclass(frozen=True)
class Pin:
    """What a file must be."""

    sha256: str
    bytes: int


def read_sources(path: Path, allow_unpinned: bool = False) -> list[Source]:
    """Return the files that ``path`` names, in its order; rows of equal name are one file with several URLs.

    Raises UsageError for what is no sources.csv, EmptyInput for one without rows or with an empty file, and
    PolicyViolation for names that leave the output and, unless ``allow_unpinned``, for rows without a pin.
    """
    found: dict[str, Source] = {}
    for line, row in _rows(path):
        where = f"{path} line {line}"
        source = _source(row, where, allow_unpinned, path, line)
        before = found.setdefault(source.name, source)
        if before is not source:
            if (before.sha256, before.bytes) != (source.sha256, source.bytes):
                raise UsageError(where, f"{source.name} has another sha256 or size above", "make its rows agree")
            if len(before.urls) == MOST_URLS:
                raise UsageError(where, f"{source.name} has more than {MOST_URLS} URLs", "remove those beyond")
            found[source.name] = replace(before, urls=before.urls + source.urls)
        if len(found) > MOST:
            raise PolicyViolation(where, f"names more than {MOST} files", "have upstream pack them into archives")
    if not found:
        raise EmptyInput(path, "names no files", "add a row: name,url,sha256,bytes")
    sources = list(found.values())
    del found  # there may be millions
    check_together((source.name, source.where) for source in sources)
    return sources


def write_pins(path: Path, pins: Mapping[str, Pin]) -> None:
    """Fill in the sha256 and size of the named rows, leaving all else as it is."""
    rows: list[list[object]] = []
    for _, (name, url, *given) in _rows(path):
        pin = pins.get(name)
        rows.append([name, url, *([pin.sha256, pin.bytes] if pin else given)])
    _write(path, rows)


def write_sources(path: Path, sources: Iterable[Source]) -> None:
    """Write a sources.csv of these pinned files, a row for each URL."""
    _write(path, [[source.name, url, source.sha256, source.bytes] for source in sources for url in source.urls])


def _write(path: Path, rows: Iterable[Iterable[object]]) -> None:
    with replacing(path) as [temporary], temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([HEADER, *rows])


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows after the header, each with the number of its last line."""
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(_lines(file, path), strict=True)
        try:
            header = next(reader, [])
            if header != HEADER:
                raise UsageError(f"{path} line 1", f"header is {','.join(header)[:80]!r}", f"write {','.join(HEADER)}")
            for row in reader:
                if row:
                    yield reader.line_num, row
        except (csv.Error, UnicodeDecodeError) as error:
            raise UsageError(
                f"{path} line {reader.line_num + 1}", f"not readable: {error}", "save it as UTF-8 CSV"
            ) from error


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    for number, line in enumerate(iter(partial(file.readline, LONGEST), ""), 1):
        if len(line) == LONGEST:
            raise UsageError(f"{path} line {number}", f"longer than {LONGEST - 1} characters", "save it as UTF-8 CSV")
        yield line


def _source(row: list[str], where: str, allow_unpinned: bool, path: Path, line: int) -> Source:
    if len(row) != len(HEADER):
        raise UsageError(where, f"{len(row)} fields instead of {len(HEADER)}", f"write {','.join(HEADER)}")
    name, url, sha256, size = row
    check_name(name, where)
    if not sha256 and not size:
        if not allow_unpinned:
            raise PolicyViolation(
                where, f"{name} has no sha256 and bytes", "pin it; --allow-unpinned fetches it and writes the pin"
            )
        return Source(name, (url,), None, None, path, line)
    if not SHA256.fullmatch(sha256):
        raise UsageError(
            where, f"sha256 {sha256[:80]!r} is not 64 lower-case hex digits", "write what sha256sum prints"
        )
    if not SIZE.fullmatch(size):
        raise UsageError(where, f"bytes {size[:80]!r} is not a whole number", "write the size in bytes")
    if int(size) == 0:
        raise EmptyInput(where, f"{name} is pinned as an empty file", "pin a file with content, or remove the row")
    return Source(name, (url,), sha256, int(size), path, line)

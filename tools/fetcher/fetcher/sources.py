"""Read sources.csv, the list of files that upstream must send, and write pins into it."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TextIO

from stage.errors import EmptyInput, PolicyViolation, UsageError
from stage.output import replacing

from fetcher.names import check_distinct, check_name

HEADER = ["name", "url", "sha256", "bytes"]
SHA256 = re.compile(r"[0-9a-f]{64}")
MAX_LINE = 1 << 16  # characters
MAX_URLS = 100  # of one file
MAX_FILES = 1_000_000  # half a kilobyte of memory each
SIZE = re.compile(r"[0-9]{1,18}")
MAX_SIZE = 10**18 - 1  # bytes that match SIZE


@dataclass(frozen=True, slots=True)
class Source:
    """One file: its name in the output, its URLs, and its pin (None if it is unpinned)."""

    name: str
    urls: tuple[str, ...]
    sha256: str | None
    bytes: int | None
    path: Path | None = None  # the sources.csv that lists it
    line: int = 0  # there

    @property
    def where(self) -> str:
        """Return where it is listed, for messages."""
        return f"{self.path} line {self.line}" if self.path else "upstream"


@dataclass(frozen=True)
class Pin:
    """What a file must be."""

    sha256: str
    bytes: int

    def __str__(self) -> str:
        return f"{self.sha256} ({self.bytes} bytes)"


def read_sources(path: Path, allow_unpinned: bool = False) -> list[Source]:
    """Return the files that ``path`` lists, in its order; rows with the same name are one file with several URLs.

    Raises UsageError for an invalid sources.csv, EmptyInput for one without rows or with an empty file, and
    PolicyViolation for names that leave the output and, unless ``allow_unpinned``, for rows without a pin.
    """
    by_name: dict[str, Source] = {}
    for line, row in _rows(path):
        where = f"{path} line {line}"
        source = _source(row, where, allow_unpinned, path, line)
        before = by_name.setdefault(source.name, source)
        if before is not source:
            if (before.sha256, before.bytes) != (source.sha256, source.bytes):
                fix = "use the same in all of its rows"
                raise UsageError(where, f"conflicting sha256 or bytes for {source.name}", fix)
            if len(before.urls) == MAX_URLS:
                raise UsageError(where, f"more than {MAX_URLS} URLs for {source.name}", "remove some")
            by_name[source.name] = replace(before, urls=before.urls + source.urls)
        if len(by_name) > MAX_FILES:
            raise PolicyViolation(where, f"more than {MAX_FILES} files", "use archives instead")
    if not by_name:
        raise EmptyInput(path, "no files listed", "add a row: name,url,sha256,bytes")
    sources = list(by_name.values())
    del by_name  # there may be a million
    check_distinct((source.name, source.where) for source in sources)
    return sources


def write_pins(path: Path, pins: Mapping[str, Pin]) -> None:
    """Fill in sha256 and bytes of the named rows; leave the other rows as they are."""
    rows: list[list[object]] = []
    for _, (name, url, *old) in _rows(path):
        pin = pins.get(name)
        rows.append([name, url, *([pin.sha256, pin.bytes] if pin else old)])
    _write(path, rows)


def write_sources(path: Path, sources: Iterable[Source]) -> None:
    """Write a sources.csv of pinned files, a row per URL."""
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
                what = f"expected header {','.join(HEADER)}, got {','.join(header)[:80]!r}"
                raise UsageError(f"{path} line 1", what, "correct the header")
            for row in reader:
                if row:
                    yield reader.line_num, row
        except (csv.Error, UnicodeDecodeError) as error:
            fix = "save it as UTF-8 CSV"
            raise UsageError(f"{path} line {reader.line_num + 1}", f"invalid CSV: {error}", fix) from error


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    for number, line in enumerate(iter(partial(file.readline, MAX_LINE), ""), 1):
        if len(line) == MAX_LINE:
            fix = "save it as UTF-8 CSV"
            raise UsageError(f"{path} line {number}", f"line longer than {MAX_LINE - 1} characters", fix)
        yield line


def _source(row: list[str], where: str, allow_unpinned: bool, path: Path, line: int) -> Source:
    if len(row) != len(HEADER):
        raise UsageError(where, f"expected {len(HEADER)} fields, got {len(row)}", f"write {','.join(HEADER)}")
    name, url, sha256, size = row
    check_name(name, where)
    if not sha256 and not size:
        if not allow_unpinned:
            fix = "add them; --allow-unpinned fetches it and writes them"
            raise PolicyViolation(where, f"missing sha256 and bytes of {name}", fix)
        return Source(name, (url,), None, None, path, line)
    if not SHA256.fullmatch(sha256):
        fix = "use the output of sha256sum"
        raise UsageError(where, f"invalid sha256 {sha256[:80]!r}: expected 64 lowercase hex digits", fix)
    if not SIZE.fullmatch(size):
        raise UsageError(where, f"invalid bytes {size[:80]!r}: expected an integer", "set the size in bytes")
    if int(size) == 0:
        raise EmptyInput(where, f"empty file: bytes of {name} is 0", "pin a file with content, or remove the row")
    return Source(name, (url,), sha256, int(size), path, line)

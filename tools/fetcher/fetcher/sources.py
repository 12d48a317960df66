"""Read sources.csv, which says what upstream must send, and write pins into it."""

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from stage.errors import EmptyInput, PolicyViolation, UsageError
from stage.output import replacing

from fetcher.names import check_name, check_together

HEADER = ["name", "url", "sha256", "bytes"]
SHA256 = re.compile(r"[0-9a-f]{64}")
SIZE = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Source:
    """One file: its name below the output, where to find it, and what it must be (None where it is unpinned)."""

    name: str
    urls: tuple[str, ...]
    sha256: str | None
    bytes: int | None
    where: str


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
        source = _source(row, where, allow_unpinned)
        before = found.setdefault(source.name, source)
        if before is not source:
            if (before.sha256, before.bytes) != (source.sha256, source.bytes):
                raise UsageError(where, f"{source.name} has another sha256 or size above", "make its rows agree")
            found[source.name] = Source(
                source.name, before.urls + source.urls, before.sha256, before.bytes, before.where
            )
    if not found:
        raise EmptyInput(path, "names no files", "add a row: name,url,sha256,bytes")
    check_together((source.name, source.where) for source in found.values())
    return list(found.values())


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


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.reader(file, strict=True)
        try:
            header = next(reader, [])
            rows = [(reader.line_num, row) for row in reader if row]
        except (csv.Error, UnicodeDecodeError) as error:
            raise UsageError(
                f"{path} line {reader.line_num + 1}", f"not readable: {error}", "save it as UTF-8 CSV"
            ) from error
    if header != HEADER:
        raise UsageError(f"{path} line 1", f"header is {','.join(header)[:80]!r}", f"write {','.join(HEADER)}")
    return rows


def _source(row: list[str], where: str, allow_unpinned: bool) -> Source:
    if len(row) != len(HEADER):
        raise UsageError(where, f"{len(row)} fields instead of {len(HEADER)}", f"write {','.join(HEADER)}")
    name, url, sha256, size = row
    check_name(name, where)
    if not sha256 and not size:
        if not allow_unpinned:
            raise PolicyViolation(
                where, f"{name} has no sha256 and bytes", "pin it; --allow-unpinned fetches it and writes the pin"
            )
        return Source(name, (url,), None, None, where)
    if not SHA256.fullmatch(sha256):
        raise UsageError(
            where, f"sha256 {sha256[:80]!r} is not 64 lower-case hex digits", "write what sha256sum prints"
        )
    if not SIZE.fullmatch(size):
        raise UsageError(where, f"bytes {size[:80]!r} is not a whole number", "write the size in bytes")
    if int(size) == 0:
        raise EmptyInput(where, f"{name} is pinned as an empty file", "pin a file with content, or remove the row")
    return Source(name, (url,), sha256, int(size), where)

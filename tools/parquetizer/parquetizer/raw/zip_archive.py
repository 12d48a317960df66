"""Read zip archives by their central directory, member by member: https://pkware.cachefly.net/webdocs/APPNOTE.TXT.

Unlike Python's zipfile it holds neither the directory nor a Python object per member in memory, and rejects data after
the end, members that overlap, and a directory and local headers that differ.
"""

import io
import stat
import struct
import zlib
from array import array
from bz2 import BZ2Decompressor
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, BinaryIO, Final

import numpy as np
from stage.errors import CorruptFile, PolicyViolation

from parquetizer.raw.archives import REPACK, Index, Window, checked_name
from parquetizer.raw.compression import BLOCK, Decoder, Decompressed, Inflate, check_ratio
from parquetizer.raw.files import RawFile

ENTRY: Final = struct.Struct("<4s4B4HL2L5HLL")  # of the central directory
LOCAL: Final = struct.Struct("<4s5HL2L2H")  # header before the data of a member
END: Final = struct.Struct("<4s4H2LH")  # of the central directory
END64: Final = struct.Struct("<4sQ2H2L4Q")
LOCATOR: Final = struct.Struct("<4sLQL")
LONGEST_COMMENT: Final = (1 << 16) - 1
ENCRYPTED: Final = 1 | 1 << 6  # flags
UTF8: Final = 1 << 11
STORED: Final = 0
METHODS: Final[dict[int, Callable[[], Decoder]]] = {8: lambda: Inflate(-zlib.MAX_WBITS), 12: BZ2Decompressor}
UNIX: Final = 3  # the system whose modes are in the attributes


@dataclass(frozen=True, slots=True)
class Entry:
    """A member as the central directory has it."""

    name: str
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    header: int  # offset of its local header
    mode: int


def zip_members(archive: RawFile, matches: Callable[[str], bool]) -> Iterator[RawFile]:
    """Yield the members whose names match, sorted by name.

    Raises CorruptFile for a damaged archive, PolicyViolation for a member that is encrypted, a link, there twice, or
    has a name that leaves a folder.
    """
    index, headers, sizes, total = Index(archive), array("Q"), array("Q"), 0
    with archive.open_stored() as file:
        start, end = _directory(archive, file)
        for at, entry in _entries(archive, file, start, end):
            name = checked_name(archive, entry.name)
            if not entry.name.endswith(("/", "\\")) and matches(name):
                _check(archive, entry)
                index.add(name, at)
                headers.append(entry.header)
                sizes.append(LOCAL.size + entry.packed)
                total += entry.size
    _check_overlaps(archive, np.frombuffer(headers, np.uint64), np.frombuffer(sizes, np.uint64), start)
    check_ratio(archive, total, archive.size, archive.max_ratio)
    for name, at in index.sorted():
        with archive.open_stored() as file:
            _, entry = next(_entries(archive, file, at, end))
        yield archive.member(name, entry.size, partial(_open, archive, entry, name))


def _damaged(archive: object, what: str) -> CorruptFile:
    return CorruptFile(archive, f"damaged zip archive: {what}", "fetch it again")


def _directory(archive: RawFile, file: BinaryIO) -> tuple[int, int]:
    """Return start and end of the central directory."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - END.size - LONGEST_COMMENT))
    tail = file.read()
    at = len(tail)
    while (at := tail.rfind(b"PK\5\6", 0, at)) >= 0:
        if len(tail) - at >= END.size and at + END.size + END.unpack_from(tail, at)[-1] == len(tail):
            break
    else:
        raise _damaged(archive, "truncated, or data after the end")
    _, disk, first_disk, _, _, length, start, _ = END.unpack_from(tail, at)
    end = size - len(tail) + at
    if end >= LOCATOR.size + END64.size:
        file.seek(end - LOCATOR.size)
        signature, _, position, _ = LOCATOR.unpack(file.read(LOCATOR.size))
        if signature == b"PK\6\7" and position + END64.size <= end - LOCATOR.size:
            file.seek(position)
            signature, _, _, _, disk, first_disk, _, _, length, start = END64.unpack(file.read(END64.size))
            if signature != b"PK\6\6":
                raise _damaged(archive, "no end of the central directory")
            end = position
    if disk or first_disk:
        raise PolicyViolation(archive, "is one of several parts", "join the parts to one archive")
    if start + length != end:
        raise _damaged(archive, "data before its first member, or between its directory and the end")
    return start, end


def _entries(archive: RawFile, file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, Entry]]:
    """Yield the entries of the central directory, each with its offset."""
    file.seek(start)
    at = start
    while at < end:
        fixed = file.read(ENTRY.size)
        if len(fixed) < ENTRY.size or at + ENTRY.size > end or not fixed.startswith(b"PK\1\2"):
            raise _damaged(archive, f"invalid entry of the central directory at byte {at}")
        values = ENTRY.unpack(fixed)
        system, flags, method = values[2], values[5], values[6]
        crc, packed, size, name_size, extra_size, comment_size, disk = values[9:16]
        attributes, header = values[17:]
        rest = file.read(name_size + extra_size + comment_size)
        if disk not in (0, 0xFFFF) or len(rest) < name_size + extra_size + comment_size:
            raise _damaged(archive, f"invalid entry of the central directory at byte {at}")
        try:
            name = rest[:name_size].decode("utf-8" if flags & UTF8 else "cp437")
            size, packed, header = _wide(rest[name_size : name_size + extra_size], size, packed, header)
        except (UnicodeDecodeError, struct.error) as error:
            raise _damaged(archive, f"invalid entry of the central directory at byte {at}") from error
        mode = attributes >> 16 if system == UNIX else 0
        yield at, Entry(name, flags, method, crc, packed, size, header, mode)
        at += ENTRY.size + len(rest)
    if at != end:
        raise _damaged(archive, "the central directory is longer than declared")


def _wide(extra: bytes, *values: int) -> list[int]:
    """Return sizes and offset; those of 32 bits that are full are in the extra field 1, in their order."""
    result, at = list(values), 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            wide = iter(struct.unpack_from(f"<{size // 8}Q", extra, at + 4))
            result = [next(wide, value) if value == 0xFFFFFFFF else value for value in result]
        at += 4 + size
    return result


def _check(archive: RawFile, entry: Entry) -> None:
    """Raise PolicyViolation for a member that is not a file whose content all readers agree on."""
    where = f"{archive}/{entry.name}"
    if entry.flags & ENCRYPTED:
        raise PolicyViolation(where, "is encrypted", "pack the archive again without a password")
    if stat.S_IFMT(entry.mode) not in (0, stat.S_IFREG):
        raise PolicyViolation(where, "is not a regular file", REPACK)
    if entry.method != STORED and entry.method not in METHODS:
        raise PolicyViolation(where, f"unsupported compression method {entry.method}", "pack it again with deflate")
    if entry.method == STORED and entry.packed != entry.size:
        raise _damaged(where, f"{entry.packed} bytes are declared as {entry.size}")


def _check_overlaps(archive: RawFile, headers: Any, sizes: Any, end: int) -> None:
    """Raise PolicyViolation for members that share bytes, the trick of the densest bombs."""
    order = np.argsort(headers, kind="stable")
    ends = headers[order] + sizes[order]
    if len(order) and (ends > np.append(headers[order][1:], np.uint64(end))).any():
        raise PolicyViolation(archive, "members overlap", "pack the archive again")


def _open(archive: RawFile, entry: Entry, name: str) -> BinaryIO:
    where = f"{archive}/{name}"
    file = archive.open_stored()
    file.seek(entry.header)
    fixed = file.read(LOCAL.size)
    values = LOCAL.unpack(fixed) if len(fixed) == LOCAL.size else (b"",) * 11
    if values[0] != b"PK\3\4" or values[3] != entry.method or (values[2] ^ entry.flags) & (ENCRYPTED | UTF8):
        raise _damaged(where, "its header and the central directory differ")
    written = file.read(values[9])
    if written.decode("utf-8" if entry.flags & UTF8 else "cp437", "replace") != entry.name:
        raise _damaged(where, "its header and the central directory have different names")
    start = entry.header + LOCAL.size + values[9] + values[10]
    window = io.BufferedReader(Window(file, start, entry.packed, where), BLOCK)
    return io.BufferedReader(Member(window, where, entry, archive.max_ratio), BLOCK)


class Member(Decompressed):
    """The content of a member, whose size and CRC are checked at its end."""

    def __init__(self, source: BinaryIO, where: str, entry: Entry, max_ratio: int) -> None:
        super().__init__(source, "zip", where, max_ratio, METHODS.get(entry.method, BZ2Decompressor))
        self._entry, self._size, self._crc = entry, 0, 0

    def next_part(self, size: int) -> bytes:
        part = self.read_source(size) if self._entry.method == STORED else super().next_part(size)
        self._size += len(part)
        self._crc = zlib.crc32(part, self._crc)
        if self._size > self._entry.size or (not part and self._size < self._entry.size):
            raise self.corrupt(f"declared as {self._entry.size} bytes")
        if not part and self._crc != self._entry.crc:
            raise self.corrupt("invalid CRC")
        return part

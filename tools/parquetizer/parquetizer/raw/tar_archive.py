"""Read tar archives, compressed or not, as streams of headers and data."""

import io
import tarfile
from array import array
from collections.abc import Callable, Iterator
from functools import partial
from typing import BinaryIO, Final

from stage.errors import CorruptFile, PolicyViolation

from parquetizer.raw.archives import REPACK, Index, Window, checked_name, skip
from parquetizer.raw.compression import BLOCK
from parquetizer.raw.files import RawFile

MAX_HEADER: Final = 1 << 17  # bytes of a long name or of attributes; tarfile would read any size into memory
# Raised by tarfile for damaged headers.
DAMAGED: Final = (tarfile.TarError, ValueError, LookupError, OverflowError, EOFError, RecursionError)


def tar_members(archive: RawFile, matches: Callable[[str], bool]) -> Iterator[RawFile]:
    """Yield the members whose names match: sorted by name, but in the order of the archive if that is compressed.

    Open a member of a compressed archive before the next one is asked for; later, all before it is read again.

    Raises CorruptFile for a damaged archive, PolicyViolation for a member that is a link or a device, there twice, or
    has a name that leaves a folder.
    """
    with archive.open() as file:
        sortable = file.seekable()
    yield from (_sorted if sortable else _in_order)(archive, matches)


def _sorted(archive: RawFile, matches: Callable[[str], bool]) -> Iterator[RawFile]:
    index, starts, sizes = Index(archive), array("Q"), array("Q")
    with archive.open() as file:
        for name, info in _matching(archive, Forward(archive, file), matches):
            index.add(name, len(starts))
            starts.append(info.offset_data)
            sizes.append(info.size)
    for name, number in index.sorted():
        yield archive.member(name, sizes[number], partial(_open_part, archive, name, starts[number], sizes[number]))


def _in_order(archive: RawFile, matches: Callable[[str], bool]) -> Iterator[RawFile]:
    index = Index(archive)
    with archive.open() as file:
        forward = Forward(archive, file)
        for name, info in _matching(archive, forward, matches):
            index.add(name, 0)
            yield archive.member(name, info.size, partial(_open_next, archive, forward, name, info))
    index.check()


def _open_part(archive: RawFile, name: str, start: int, size: int) -> BinaryIO:
    return io.BufferedReader(Window(archive.open(), start, size, f"{archive}/{name}"), BLOCK)


def _open_next(archive: RawFile, forward: "Forward", name: str, info: tarfile.TarInfo) -> BinaryIO:
    """Open the member that the archive is at; or open the archive again, if it is further on."""
    where = f"{archive}/{name}"
    if forward.tell() == info.offset_data:
        return io.BufferedReader(Window(forward, None, info.size, where, owns=False), BLOCK)
    file = archive.open()
    skip(file, info.offset_data)
    return io.BufferedReader(Window(file, None, info.size, where), BLOCK)


class Forward(io.RawIOBase):
    """A stream as a file for tarfile, that is only read forward; headers are bounded."""

    def __init__(self, archive: RawFile, file: BinaryIO) -> None:
        self._archive, self._file, self._at = archive, file, 0
        self.last = b""  # what was read last
        self.in_header = False

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, origin: int = io.SEEK_SET, /) -> int:
        if origin != io.SEEK_SET or offset < self._at:
            raise ValueError("negative size")
        if self._file.seekable():
            self._at = self._file.seek(offset)
        else:
            self._at += skip(self._file, offset - self._at)
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        if self.in_header and size > MAX_HEADER:
            what = f"a header of {size} bytes, more than {MAX_HEADER}"
            raise PolicyViolation(self._archive, what, "pack the archive again without extended attributes")
        self.last = self._file.read(size)
        self._at += len(self.last)
        return self.last

    def check_end(self) -> None:
        """Raise CorruptFile unless a block of zeros was read last, and nothing but zeros follows."""
        if self.last != bytes(tarfile.BLOCKSIZE):
            raise _damaged(self._archive, "truncated, or an invalid header")
        while block := self._file.read(BLOCK):
            if block.strip(b"\0"):
                raise _damaged(self._archive, "data after the end")


def _damaged(archive: RawFile, what: object) -> CorruptFile:
    return CorruptFile(archive, f"damaged tar archive: {what}", "fetch it again")


def _matching(
    archive: RawFile, forward: Forward, matches: Callable[[str], bool]
) -> Iterator[tuple[str, tarfile.TarInfo]]:
    for info in _headers(archive, forward):
        name = checked_name(archive, info.name)
        if info.isdir() or not matches(name):
            continue
        if not info.isreg() or info.issparse():
            raise PolicyViolation(f"{archive}/{name}", "is not a regular file", REPACK)
        yield name, info


def _headers(archive: RawFile, forward: Forward) -> Iterator[tarfile.TarInfo]:
    tar = None
    while True:
        forward.in_header = True
        try:
            tar = tar or tarfile.TarFile(fileobj=forward, errors="surrogateescape")
            info = tar.next()
        except DAMAGED as error:
            raise _damaged(archive, error or type(error).__name__) from error
        forward.in_header = False
        tar.members.clear()  # type: ignore[attr-defined]  # else tarfile holds all of them
        tar.pax_headers = {}
        if info is None:
            return forward.check_end()
        if info.size < 0:
            raise _damaged(archive, "negative size")
        yield info

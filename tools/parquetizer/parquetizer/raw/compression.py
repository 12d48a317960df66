"""Decompress gzip, bzip2, xz and Zstandard, recognised by their first bytes, and reject damage and bombs."""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO, Final, Protocol

import pyarrow as pa
from stage.errors import CorruptFile, PolicyViolation, StageError

BLOCK: Final = 1 << 18
HEAD: Final = 16  # bytes that say the compression
MAX_RATIO: Final = 250  # of decompressed to compressed bytes; tables of constants compress so well, bombs better
FREE: Final = 64 << 20  # decompressed bytes from which the ratio counts
MAX_XZ_MEMORY: Final = 128 << 20  # xz -9 needs 65 MiB
AGAIN: Final = "fetch it again"


class Decoder(Protocol):
    """A decompressor of one stream, as of the modules bz2 and lzma."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Inflate:
    """Zlib's decompressor with the interface of the others."""

    def __init__(self, wbits: int) -> None:
        self._zlib = zlib.decompressobj(wbits)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)


# Signatures: https://en.wikipedia.org/wiki/List_of_file_signatures; that of bzip2 is followed by a block or the end.
DECODERS: Final[dict[str, tuple[tuple[bytes, ...], Callable[[], Decoder]]]] = {
    "gzip": ((b"\x1f\x8b",), lambda: Inflate(16 + zlib.MAX_WBITS)),  # 16: with gzip's header, CRC and length
    "bzip2": (
        tuple(b"BZh%d%s" % (level, block) for level in range(1, 10) for block in (b"1AY&SY", b"\x17rE8P\x90")),
        bz2.BZ2Decompressor,
    ),
    "xz": ((b"\xfd7zXZ\0",), lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, MAX_XZ_MEMORY)),
}
ZSTD: Final = b"\x28\xb5\x2f\xfd"


def compression_of(head: bytes) -> str:
    """Return the compression of a file with these first bytes, or "" for none."""
    for kind, (signatures, _) in DECODERS.items():
        if head.startswith(signatures):
            return kind
    return "zstd" if head.startswith(ZSTD) else ""


def decompressed(source: BinaryIO, kind: str, where: str, max_ratio: int, one_stream: bool = False) -> BinaryIO:
    """Return a stream of decompressed bytes; ``one_stream`` rejects further ones, which these formats allow.

    Reading raises CorruptFile for damage, a missing end or data after it, PolicyViolation for a bomb.
    """
    if kind == "zstd":
        return io.BufferedReader(Zstandard(source, where, max_ratio), BLOCK)
    signatures, new = DECODERS[kind]
    return io.BufferedReader(Decompressed(source, kind, where, max_ratio, new, () if one_stream else signatures), BLOCK)


def check_ratio(where: object, size: int, packed: int, max_ratio: int) -> None:
    """Raise PolicyViolation for a decompression bomb: many more bytes than the compressed ones."""
    if size > max(FREE, max_ratio * packed):
        what = f"{packed} bytes decompress to {size} or more, above {max_ratio} times as many"
        raise PolicyViolation(where, what, "raise max-ratio, unless it is a decompression bomb")


class Bounded(io.RawIOBase):
    """A stream of decompressed bytes, whose ratio to the compressed ones is bounded."""

    def __init__(self, source: BinaryIO, kind: str, where: str, max_ratio: int) -> None:
        self._source, self._kind, self._where, self._max_ratio = source, kind, where, max_ratio
        self._taken = self._given = 0  # bytes

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._source.close()
        super().close()

    def read_source(self, size: int) -> bytes:
        """Return compressed bytes, and count them."""
        block = self._source.read(size)
        self._taken += len(block)
        return block

    def readinto(self, buffer: Any, /) -> int:
        size = 0
        with memoryview(buffer) as view:
            while size < len(view) and (part := self.next_part(len(view) - size)):
                view[size : size + len(part)] = part
                size += len(part)
        self._given += size
        check_ratio(self._where, self._given, self._taken, self._max_ratio)
        return size

    def next_part(self, size: int) -> bytes:
        """Return at most ``size`` decompressed bytes, none at the end."""
        raise NotImplementedError

    def corrupt(self, what: object) -> StageError:
        return CorruptFile(self._where, f"damaged {self._kind} file: {what}", AGAIN)


class Decompressed(Bounded):
    """What a decoder makes of a source: all of its streams, one after the other, and nothing else."""

    def __init__(
        self,
        source: BinaryIO,
        kind: str,
        where: str,
        max_ratio: int,
        new: Callable[[], Decoder],
        signatures: tuple[bytes, ...] = (),
    ) -> None:
        """``signatures`` are those of a further stream; without any, there may be none."""
        super().__init__(source, kind, where, max_ratio)
        self._new, self._signatures, self._decoder, self._ahead = new, signatures, new(), b""

    def next_part(self, size: int) -> bytes:
        while True:
            if self._decoder.eof and not self._begin_another():
                return b""
            block = b""
            if self._decoder.needs_input:
                block, self._ahead = self._ahead or self.read_source(BLOCK), b""
            try:
                part = self._decoder.decompress(block, size)
            except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
                if "emory usage limit" in str(error):
                    what = f"{self._kind} needs more than {MAX_XZ_MEMORY >> 20} MiB to decompress"
                    raise PolicyViolation(self._where, what, "compress it with xz -9 or less") from error
                raise self.corrupt(error) from error
            except MemoryError as error:  # within their limit: liblzma reports a size in a damaged index so
                raise self.corrupt("invalid size") from error
            if part:
                return part
            if not block and not self._decoder.eof and self._decoder.needs_input:
                raise self.corrupt("truncated")

    def _begin_another(self) -> bool:
        rest = self._decoder.unused_data or self.read_source(BLOCK)
        if rest and len(rest) < HEAD:
            rest += self.read_source(BLOCK)
        if rest and not rest.startswith(self._signatures):
            raise self.corrupt("data after the end")
        if rest:
            self._decoder, self._ahead = self._new(), rest
        return bool(rest)


class Zstandard(Bounded):
    """Zstandard, decompressed by Arrow, which rejects damage and data after the end."""

    def __init__(self, source: BinaryIO, where: str, max_ratio: int) -> None:
        super().__init__(source, "Zstandard", where, max_ratio)
        self._stream = pa.CompressedInputStream(pa.PythonFile(_Counting(self), "r"), "zstd")

    def close(self) -> None:
        super().close()
        self._stream = None  # which refers to this stream, and has a window of megabytes

    def next_part(self, size: int) -> bytes:
        try:
            return bytes(self._stream.read_buffer(size))  # read() leaks memory if it raises
        except (OSError, pa.ArrowException) as error:
            raise self.corrupt(str(error).removeprefix("ZSTD decompress failed: ")) from error


class _Counting(io.RawIOBase):
    """The source of a bounded stream, as a file for Arrow."""

    def __init__(self, bounded: Bounded) -> None:
        self._bounded = bounded

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        return self._bounded.read_source(size if size >= 0 else BLOCK)

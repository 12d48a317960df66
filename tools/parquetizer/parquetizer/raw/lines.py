"""Read the lines of a text file, many at a time."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import BadRows, EmptyInput
from stage.progress import progress

from parquetizer.raw.checked_bytes import NEWLINE, CheckedBytes
from parquetizer.raw.files import RawFile

BLOCK: Final = 1 << 20


def read_lines(path: RawFile, encoding: str, max_bytes: int) -> Iterator[tuple[int, pa.StringArray]]:
    """Yield the number of the first line, from 1, and lines without their ends (``\\n`` or ``\\r\\n``).

    Raises BadRows for bytes that are invalid in the encoding, NUL, and a line of more than ``max_bytes``; EmptyInput
    for an empty file.
    """
    with (
        progress(f"reading {path.name}", path.size, "bytes") as advance,
        CheckedBytes(path, encoding, advance=advance) as source,
    ):
        for first, block in line_blocks(source, path, max_bytes):
            lines = _lines(block)
            _check_lengths(lines, path, first, max_bytes)
            yield first, lines


def line_blocks(source: CheckedBytes, path: RawFile, max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yield blocks of complete lines, each with the number of its first line, from 1.

    Raises EmptyInput for an empty file, BadRows for a line of more than a block and ``max_bytes``.
    """
    first = 1
    pending: list[bytes] = []
    while block := source.read(BLOCK):
        complete, newline, rest = block.rpartition(b"\n")
        if newline:
            lines = b"".join([*pending, complete, newline])
            yield first, lines
            first += lines.count(b"\n")
            pending = []
        pending.append(rest)
        if sum(map(len, pending)) > max_bytes:
            raise _too_long(path, first, max_bytes)
    if last := b"".join(pending):
        yield first, last + b"\n"
    elif first == 1:
        raise EmptyInput(path, "the file is empty", "check that the source sent the whole file")


def _lines(block: bytes) -> pa.StringArray:
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE).astype(np.int32) + 1
    offsets = pa.py_buffer(np.concatenate((np.zeros(1, np.int32), ends)))
    lines = pa.StringArray.from_buffers(len(ends), offsets, pa.py_buffer(block))
    return pc.replace_substring_regex(lines, r"\r?\n\z", "")


def _check_lengths(lines: pa.StringArray, path: RawFile, first: int, max_bytes: int) -> None:
    lengths = pc.binary_length(lines).to_numpy()
    if (lengths > max_bytes).any():
        raise _too_long(path, first + int(np.argmax(lengths > max_bytes)), max_bytes)


def _too_long(path: RawFile, line: int, max_bytes: int) -> BadRows:
    return BadRows(f"{path}:{line}", f"the line is longer than {max_bytes} bytes", "shorten it")

"""Read the lines of a text file as Arrow strings, many at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import BadRows, EmptyInput
from stage.progress import progress

from parquetizer.checked_bytes import NEWLINE, CheckedBytes

BLOCK: Final = 1 << 20


def read_lines(path: Path, encoding: str, longest: int) -> Iterator[tuple[int, pa.StringArray]]:
    """Yield lines without their ends (``\\n`` or ``\\r\\n``), and the number of the first of them, from 1.

    Raises BadRows for bytes outside the encoding, NUL, and a line of more than ``longest`` bytes; EmptyInput for a
    file without a byte.
    """
    first = 1
    waiting: list[bytes] = []
    with (
        progress(f"reading {path.name}", path.stat().st_size, "bytes") as advance,
        CheckedBytes(path, encoding, advance=advance) as source,
    ):
        while block := source.read(BLOCK):
            whole, newline, rest = block.rpartition(b"\n")
            if newline:
                lines = _lines(b"".join([*waiting, whole, newline]))
                _check_lengths(lines, path, first, longest)
                yield first, lines
                first += len(lines)
                waiting = []
            waiting.append(rest)
            if sum(map(len, waiting)) > longest:
                raise _too_long(path, first, longest)
    if last := b"".join(waiting):
        yield first, _lines(last + b"\n")
    elif first == 1:
        raise EmptyInput(path, "the file is empty", "check that the source sent the whole file")


def _lines(block: bytes) -> pa.StringArray:
    ends = np.flatnonzero(np.frombuffer(block, np.uint8) == NEWLINE).astype(np.int32) + 1
    offsets = pa.py_buffer(np.concatenate((np.zeros(1, np.int32), ends)))
    lines = pa.StringArray.from_buffers(len(ends), offsets, pa.py_buffer(block))
    return pc.replace_substring_regex(lines, r"\r?\n\z", "")


def _check_lengths(lines: pa.StringArray, path: Path, first: int, longest: int) -> None:
    lengths = pc.binary_length(lines).to_numpy()
    if (lengths > longest).any():
        raise _too_long(path, first + int(np.argmax(lengths > longest)), longest)


def _too_long(path: Path, line: int, longest: int) -> BadRows:
    return BadRows(f"{path}:{line}", f"the line is longer than {longest} bytes", "shorten it")

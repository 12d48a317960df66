"""Find the objects of JSON lines and of a JSON array, by their quotes and brackets, many at a time."""

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from stage.errors import BadRows, EmptyInput

from parquetizer.raw.checked_bytes import CheckedBytes
from parquetizer.raw.files import RawFile

BLOCK: Final = 1 << 20
MAX_DEPTH: Final = 64  # of what is left to Arrow, which recurses
SPACE: Final = b" \t\r\n"
QUOTE, OPEN, CLOSE, NEWLINE, COMMA, BACKSLASH = range(1, 7)
KINDS: Final = np.zeros(256, np.uint8)
for _kind, _bytes in (
    (QUOTE, b'"'),
    (OPEN, b"{["),
    (CLOSE, b"]}"),
    (NEWLINE, b"\n\r"),
    (COMMA, b","),
    (BACKSLASH, b"\\"),
):
    KINDS[[*_bytes]] = _kind
IN_LINES: Final = (KINDS > 0) & (KINDS != COMMA)
IN_ARRAYS: Final = KINDS > 0

Positions = npt.NDArray[np.intp]


class Structure:
    """Where a block of JSON has its structure: positions, their kinds, and the depth after each."""

    def __init__(self, block: bytes, structural: npt.NDArray[np.bool_]) -> None:
        """Look for the bytes that are ``structural``, a table of booleans."""
        self.data = np.frombuffer(block, np.uint8)
        positions = np.flatnonzero(structural[self.data])
        kinds = KINDS[self.data[positions]]
        if (kinds == BACKSLASH).any():
            keep = ~self._escaped(positions[kinds == BACKSLASH])[positions] & (kinds != BACKSLASH)
            positions, kinds = positions[keep], kinds[keep]
        in_string = np.cumsum(kinds == QUOTE, dtype=np.uint8) & 1 == 1
        self.unclosed = bool(len(kinds) and in_string[-1])
        self.breaks_in_strings = positions[(kinds == NEWLINE) & in_string]
        outside = ~in_string & (kinds != QUOTE)
        self.positions, self.kinds = positions[outside], kinds[outside]
        steps = (self.kinds == OPEN).view(np.int8) - (self.kinds == CLOSE).view(np.int8)
        self.depth = np.cumsum(steps, dtype=np.int32)

    def is_space(self, starts: Positions, ends: Positions) -> bool:
        """Say whether there is only white space before, between and after the objects."""
        gaps = np.append(starts, len(self.data)) - np.append(0, ends)
        if gaps.sum() == (self.data[self.positions] == ord("\n")).sum():  # the usual case: line ends alone
            return True
        text = np.append(0, np.cumsum(~np.isin(self.data, [*SPACE])))
        return not (text[np.append(starts, len(self.data))] - text[np.append(0, ends)]).any()

    def _escaped(self, backslashes: Positions) -> npt.NDArray[np.bool_]:
        """Return which bytes are escaped: in a run of backslashes every second one, and what follows an odd run."""
        starts = np.flatnonzero(np.diff(backslashes, prepend=-2) != 1)
        lengths = np.diff(starts, append=len(backslashes))
        number = np.arange(len(backslashes)) - np.repeat(starts, lengths)
        escaped = np.zeros(len(self.data) + 1, np.bool_)
        escaped[backslashes[number % 2 == 0] + 1] = True
        return escaped[:-1]


def object_lines(block: bytes) -> Positions | None:
    """Return the lines, from 0, of the objects in a block of lines, or None unless each line has one object or none."""
    found = Structure(block, IN_LINES)
    depth, kinds, positions = found.depth, found.kinds, found.positions
    if found.unclosed or len(found.breaks_in_strings) or not len(depth):
        return None
    if depth.min() < 0 or depth.max() > MAX_DEPTH or depth[-1] or (depth[kinds == NEWLINE] != 0).any():
        return None
    begins = np.flatnonzero((kinds == OPEN) & (depth == 1))
    starts, ends = positions[begins], positions[(kinds == CLOSE) & (depth == 0)] + 1
    if not len(starts) or (found.data[starts] != ord("{")).any() or not found.is_space(starts, ends):
        return None
    lines = np.cumsum(found.data[positions] == ord("\n"))[begins]
    return lines if (np.diff(lines) > 0).all() else None


def item_lines(source: CheckedBytes, path: RawFile, max_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yield the items of a JSON array as lines, in blocks, each with the number of its first item, from 1.

    Raises EmptyInput without items; BadRows for one of more than ``max_bytes``, or what is not an array.
    """
    first, rest = 1, b""
    while not (rest := rest.lstrip(SPACE)):
        rest = source.read(BLOCK)
    rest = rest[1:]  # [
    while True:
        block = source.read(BLOCK)
        rest += block
        lines, rest, after = _items(rest)
        if lines:
            yield first, lines
            first += lines.count(b"\n")
        if after is not None:
            break
        if not block:
            raise BadRows(f"{path} item {first}", "the array is not closed", "fetch the file again")
        if len(rest) > max_bytes:
            raise BadRows(f"{path} item {first}", f"the item is longer than {max_bytes} bytes", "shorten it")
    if rest.strip(SPACE):
        yield first, rest + b"\n"
    elif first > 1:
        raise BadRows(f"{path} item {first}", "comma before the end of the array", "remove it")
    else:
        raise EmptyInput(path, "no items", "check that the source sent the whole file")
    while after or (after := source.read(BLOCK)):
        if after.strip(SPACE):
            raise BadRows(path, "data after the array", "write JSON lines, or one array of objects")
        after = b""


def _items(text: bytes) -> tuple[bytes, bytes, bytes | None]:
    """Return complete items of an array as lines, the rest without its end, and what follows the end if it is there."""
    found = Structure(text, IN_ARRAYS)
    closed = np.flatnonzero(found.depth < 0)
    end = int(found.positions[closed[0]]) if len(closed) else None
    commas = found.positions[(found.kinds == COMMA) & (found.depth == 0)]
    breaks = found.positions[found.kinds == NEWLINE]
    if end is not None:
        commas, breaks = commas[commas < end], breaks[breaks < end]
    written = np.array(found.data)
    written[breaks] = ord(" ")
    written[found.breaks_in_strings] = 0x0B  # as invalid in a string as a line break, but does not end the line
    written[commas] = ord("\n")
    complete = int(commas[-1]) + 1 if len(commas) else 0
    lines, rest = written[:complete].tobytes(), written[complete:end].tobytes()
    return lines, rest, None if end is None else text[end + 1 :]

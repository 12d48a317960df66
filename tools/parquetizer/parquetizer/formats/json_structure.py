"""Find the objects of JSON lines and of a JSON array, by their quotes and brackets, many at a time.

The array may be in an object, under one or more names, as in ``{"version": 1, "data": [...]}``.
"""

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import numpy as np
import numpy.typing as npt
from stage.errors import BadRows, EmptyInput, SchemaMismatch

from parquetizer.formats.strict_json import parse
from parquetizer.raw.checked_bytes import CheckedBytes
from parquetizer.raw.files import RawFile
from parquetizer.raw.lines import line_blocks

BLOCK: Final = 1 << 20  # also the most that may be before an array in an object, and after it
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
Blocks = Iterator[tuple[int, bytes]]


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


def compact_lines(block: bytes) -> Positions | None:
    """Return the lines, from 0, of a block in which each line begins and ends as an object does, or None.

    If Arrow reads as many objects from it, and none has unknown fields, each line is one: a line end between ``}`` and
    ``{`` is in no object, as there would have to be a comma, and in no string, where Arrow reads none.
    """
    data = np.frombuffer(block, np.uint8)
    ends = np.flatnonzero(data == ord("\n"))
    if not block.startswith(b"{") or not block.endswith((b"}\n", b"} \n")):
        return None
    before = ends - 1 - (data[ends - 1] == ord(" "))
    is_compact = (data[before] == ord("}")).all() and (data[ends[:-1] + 1] == ord("{")).all()
    return np.arange(len(ends)) if is_compact else None


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


def json_blocks(
    source: CheckedBytes, path: RawFile, max_bytes: int, names: tuple[str, ...] = ()
) -> tuple[bool, Blocks]:
    """Return whether a file is an array, or has one under ``names``, and blocks of its items or lines."""
    if names or source.peek(BLOCK).lstrip(SPACE).startswith(b"["):
        return True, item_lines(source, path, max_bytes, names)
    return False, line_blocks(source, path, max_bytes)


def item_lines(source: CheckedBytes, path: RawFile, max_bytes: int, names: tuple[str, ...] = ()) -> Blocks:
    """Yield the items of a JSON array as lines, in blocks, each with the number of its first item, from 1.

    Raises EmptyInput without items; BadRows for one of more than ``max_bytes``, or what is not an array; SchemaMismatch
    if there is none under ``names``.
    """
    first, rest = 1, b" "
    while rest and not (rest := rest.lstrip(SPACE)):
        rest = source.read(BLOCK)
    if not rest:
        raise EmptyInput(path, "the file is empty", "check that the source sent the whole file")
    begin = next((position for found, position in arrays(rest) if found == names), None)
    if begin is None:
        what = f"no array under {json.dumps(names, ensure_ascii=False)} in its first {BLOCK:,} bytes"
        raise SchemaMismatch(path, what, "correct rows, or write JSON lines")
    before, rest = rest[:begin], rest[begin + 1 :]
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
    while (block := source.read(BLOCK)) and len(after := after.rstrip(SPACE)) <= BLOCK:
        after += block
    if len(after) > BLOCK or (after.strip(SPACE) and not names):
        what = f"more than {BLOCK:,} bytes" if names else "data"
        raise BadRows(path, f"{what} after the array", "write JSON lines, or one array of objects")
    if names:
        parse((before + b"[]" + after).decode(), f"{path} around its rows")


def arrays(text: bytes) -> Iterator[tuple[tuple[str | None, ...], int]]:
    """Yield the names that lead to each array in objects, and where it begins; none that is in another array.

    ``text`` begins with a value, and may be cut off. A name is None if it is invalid.
    """
    found = Structure(text, IN_ARRAYS)
    path: tuple[str | None, ...] = ()  # the names of the objects around; the first one has none
    last = -1  # the position of the structure before
    for position, kind, depth in zip(
        *(one.tolist() for one in (found.positions, found.kinds, found.depth)), strict=True
    ):
        if kind == NEWLINE:
            continue
        if kind == OPEN and depth == len(path) + 1:
            inner = (*path, _name(text[last + 1 : position]))
            if text[position] == ord("["):
                yield inner[1:], position
            else:
                path = inner
        elif kind == CLOSE and depth < len(path):
            path = path[:-1]
            if not path:
                return
        last = position


def _name(text: bytes) -> str | None:
    """Return the name in what is before a value: ``"data": ``."""
    with suppress(ValueError):
        name = json.loads(text.rstrip(SPACE).removesuffix(b":"))
        return name if isinstance(name, str) else None
    return None


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
    is_break = found.data[np.minimum(commas + 1, len(text) - 1)] == ord("\n")
    written[commas] = np.where(is_break, ord(" "), ord("\n"))
    written[commas[is_break] + 1] = ord("\n")  # stays the end of a line, so that objects begin lines
    complete = int(commas[-1]) + 1 + bool(is_break[-1]) if len(commas) else 0
    lines, rest = written[:complete].tobytes(), written[complete:end].tobytes()
    return lines, rest, None if end is None else text[end + 1 :]

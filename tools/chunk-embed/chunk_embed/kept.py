"""Hold what stays of a document: parts of it in order, as blocks, and where each came from."""

import bisect
import dataclasses
from typing import Literal

from chunk_embed.markup import LeftOut

Kind = Literal["heading", "code", "table", "text"]


@dataclasses.dataclass(frozen=True)
class Block:
    """A part of the kept text, from ``start`` up to the next block."""

    kind: Kind
    start: int
    level: int = 0
    title: str = ""


@dataclasses.dataclass(frozen=True)
class Kept:
    """What stays of a document; positions are of ``text``, and ``source`` finds them in the document.

    ``left_out`` is what does not: its kind, start and end in the document, in order, whitespace aside.
    """

    text: str
    blocks: list[Block]
    starts: list[int]
    sources: list[int]
    left_out: list[tuple[LeftOut, int, int]]

    def source(self, position: int) -> int:
        """Return where in the document the character at ``position`` is."""
        part = bisect.bisect_right(self.starts, position) - 1
        return self.sources[part] + position - self.starts[part]


class Keeper:
    """Collects the parts of a document that stay."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts: list[tuple[int, int]] = []  # an empty one is a line break that the document has not
        self.length = 0
        self.breaks = 2  # how many line breaks the kept text ends with
        self.blocks: list[Block] = []
        self.open = False
        self.first_part = 0  # of the last block
        self.block_is_new = False
        self.left_out: list[tuple[LeftOut, int, int]] = []

    def begin(self, kind: Kind, level: int = 0, title: str = "", *, joined: bool = False) -> None:
        """Open a block; where ``joined``, go on with an open one of the same kind."""
        self.block_is_new = not (joined and self.open and self.blocks[-1].kind == kind)
        if self.block_is_new:
            self.end()
            if not self.breaks:
                self._add(self.parts[-1][1], self.parts[-1][1])
            self.blocks.append(Block(kind, self.length, level, title))
            self.open, self.first_part = True, len(self.parts)

    def keep(self, offset: int, spans: list[tuple[int, int]], end: int) -> None:
        """Keep parts of the line that begins at ``offset``, with the line break before ``end``."""
        for start, stop in spans:
            self._add(offset + start, offset + stop)
        if spans and offset + spans[-1][1] < end and self.text[end - 1] == "\n":
            self._add(end - 1, end)

    def block(self, kind: Kind, start: int, end: int) -> None:
        """Keep a whole block as it is."""
        self.begin(kind)
        self._add(start, end)
        self.end()

    def blank(self, start: int, end: int) -> None:
        """End the block; keep one blank line between two of them."""
        self.end()
        if self.breaks < 2 and self.text[end - 1 : end] == "\n":
            self._add(end - 1, end)

    def make_heading(self, level: int, title: str) -> None:
        """Turn the open block into a heading."""
        self.blocks[-1] = dataclasses.replace(self.blocks[-1], kind="heading", level=level, title=title)
        self.open = False

    def end(self) -> None:
        """Close the open block."""
        self.open = False

    def leave_out(self, kind: LeftOut, start: int, end: int) -> None:
        """Note that a part of the document does not stay; one of the same kind after only whitespace joins it."""
        if not (text := self.text[start:end].strip()):
            return
        start += self.text[start:end].index(text[0])
        if self.left_out and self.left_out[-1][0] == kind and not self.text[self.left_out[-1][2] : start].strip():
            start = self.left_out.pop()[1]
        self.left_out.append((kind, start, end - len(self.text[start:end]) + len(self.text[start:end].rstrip())))

    def finish(self) -> Kept:
        """Return what was kept."""
        self.end()
        starts, pieces, length = [], [], 0
        for start, end in self.parts:
            starts.append(length)
            pieces.append(self.text[start:end] or "\n")
            length += len(pieces[-1])
        return Kept("".join(pieces), self.blocks, starts, [start for start, _ in self.parts], self.left_out)

    def _add(self, start: int, end: int) -> None:
        if start == end:
            self.parts.append((start, end))
            self.length, self.breaks = self.length + 1, self.breaks + 1
            return
        if len(self.parts) > self.first_part and self.parts[-1][0] < self.parts[-1][1] == start:
            self.parts[-1] = (self.parts[-1][0], end)
        else:
            self.parts.append((start, end))
        self.length += end - start
        ends = self.text.endswith("\n", start, end)
        self.breaks = self.breaks + 1 if end - start == 1 and ends else int(ends)

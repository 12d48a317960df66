"""The text of a document without what is left out, as blocks, with the position of each part in the document."""

import bisect
import dataclasses
from typing import Literal

from chunk_embed.markup import LeftOut

Kind = Literal["heading", "code", "table", "text"]


@dataclasses.dataclass(frozen=True)
class Block:
    """A part of the clean text, from ``start`` to the start of the next block."""

    kind: Kind
    start: int
    level: int = 0
    title: str = ""


@dataclasses.dataclass(frozen=True)
class CleanText:
    """A document without what is left out; positions are in ``text``, and ``source`` maps them to the document.

    ``left_out`` has the kind, start and end in the document of each part that was left out, in order, without outer
    whitespace.
    """

    text: str
    blocks: list[Block]
    starts: list[int]
    sources: list[int]
    left_out: list[tuple[LeftOut, int, int]]

    def source(self, position: int) -> int:
        """Return the position in the document of the character at ``position``."""
        part = bisect.bisect_right(self.starts, position) - 1
        return self.sources[part] + position - self.starts[part]


class CleanTextBuilder:
    """Collects the parts of a document that are not left out."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.parts: list[tuple[int, int]] = []  # an empty part is a line break that the document does not have
        self.length = 0
        self.line_breaks = 2  # at the end of the clean text
        self.blocks: list[Block] = []
        self.block_is_open = False
        self.first_part = 0  # of the last block
        self.block_is_new = False
        self.left_out: list[tuple[LeftOut, int, int]] = []

    def begin(self, kind: Kind, level: int = 0, title: str = "", *, joined: bool = False) -> None:
        """Open a block; if ``joined``, continue an open block of the same kind."""
        self.block_is_new = not (joined and self.block_is_open and self.blocks[-1].kind == kind)
        if self.block_is_new:
            self.end()
            if not self.line_breaks:
                self._add(self.parts[-1][1], self.parts[-1][1])
            self.blocks.append(Block(kind, self.length, level, title))
            self.block_is_open, self.first_part = True, len(self.parts)

    def add_line(self, offset: int, spans: list[tuple[int, int]], end: int) -> None:
        """Add parts of the line that starts at ``offset``, with the line break before ``end``."""
        for start, stop in spans:
            self._add(offset + start, offset + stop)
        if spans and offset + spans[-1][1] < end and self.text[end - 1] == "\n":
            self._add(end - 1, end)

    def add_block(self, kind: Kind, start: int, end: int) -> None:
        """Add a block without changes."""
        self.begin(kind)
        self._add(start, end)
        self.end()

    def add_blank(self, start: int, end: int) -> None:
        """End the block; of several blank lines, the first is added."""
        self.end()
        if self.line_breaks < 2 and self.text[end - 1 : end] == "\n":
            self._add(end - 1, end)

    def make_heading(self, level: int, title: str) -> None:
        """Turn the open block into a heading."""
        self.blocks[-1] = dataclasses.replace(self.blocks[-1], kind="heading", level=level, title=title)
        self.block_is_open = False

    def end(self) -> None:
        """Close the open block."""
        self.block_is_open = False

    def leave_out(self, kind: LeftOut, start: int, end: int) -> None:
        """Record a part that is left out; it is joined to one of the same kind across whitespace."""
        if not (text := self.text[start:end].strip()):
            return
        start += self.text[start:end].index(text[0])
        if self.left_out and self.left_out[-1][0] == kind and not self.text[self.left_out[-1][2] : start].strip():
            start = self.left_out.pop()[1]
        self.left_out.append((kind, start, end - len(self.text[start:end]) + len(self.text[start:end].rstrip())))

    def build(self) -> CleanText:
        """Return the clean text."""
        self.end()
        starts, texts, length = [], [], 0
        for start, end in self.parts:
            starts.append(length)
            texts.append(self.text[start:end] or "\n")
            length += len(texts[-1])
        return CleanText("".join(texts), self.blocks, starts, [start for start, _ in self.parts], self.left_out)

    def _add(self, start: int, end: int) -> None:
        if start == end:
            self.parts.append((start, end))
            self.length, self.line_breaks = self.length + 1, self.line_breaks + 1
            return
        if len(self.parts) > self.first_part and self.parts[-1][0] < self.parts[-1][1] == start:
            self.parts[-1] = (self.parts[-1][0], end)
        else:
            self.parts.append((start, end))
        self.length += end - start
        ends = self.text.endswith("\n", start, end)
        self.line_breaks = self.line_breaks + 1 if end - start == 1 and ends else int(ends)

"""Hold what stays of a document: parts of it in order, as blocks, and where each came from."""

import bisect
import dataclasses
from typing import Literal

from chunk_embed.noise import noise_ratio

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
    """What stays of a document; positions are of ``text``, and ``source`` finds them in the document."""

    text: str
    blocks: list[Block]
    starts: list[int]
    sources: list[int]

    def source(self, position: int) -> int:
        """Return where in the document the character at ``position`` is."""
        part = bisect.bisect_right(self.starts, position) - 1
        return self.sources[part] + position - self.starts[part]


class Keeper:
    """Collects the parts of a document that stay."""

    def __init__(self, text: str, max_noise_ratio: float) -> None:
        self.text, self.max_noise_ratio = text, max_noise_ratio
        self.parts: list[tuple[int, int]] = []  # an empty one is a line break that the document has not
        self.length = 0
        self.breaks = 2  # how many line breaks the kept text ends with
        self.blocks: list[Block] = []
        self.open = False
        self.before = (0, 2)  # how many parts and breaks there were before the last block
        self.block_is_new = False

    def begin(self, kind: Kind, level: int = 0, title: str = "", *, joined: bool = False) -> None:
        """Open a block; where ``joined``, go on with an open one of the same kind."""
        self.block_is_new = not (joined and self.open and self.blocks[-1].kind == kind)
        if self.block_is_new:
            self.end()
            if not self.breaks:
                self._add(self.parts[-1][1], self.parts[-1][1])
            self.blocks.append(Block(kind, self.length, level, title))
            self.open, self.before = True, (len(self.parts), self.breaks)

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
        """Close the open block; drop it where it is noise."""
        if self.open:
            block, (parts, breaks) = self.blocks[-1], self.before
            content = "".join(self.text[start:end] for start, end in self.parts[parts:])
            if block.kind in ("code", "text") and noise_ratio(content) > self.max_noise_ratio:
                self.blocks.pop()
                del self.parts[parts:]
                self.length, self.breaks = block.start, breaks
        self.open = False

    def finish(self) -> Kept:
        """Return what was kept."""
        self.end()
        starts, pieces, length = [], [], 0
        for start, end in self.parts:
            starts.append(length)
            pieces.append(self.text[start:end] or "\n")
            length += len(pieces[-1])
        return Kept("".join(pieces), self.blocks, starts, [start for start, _ in self.parts])

    def _add(self, start: int, end: int) -> None:
        if start == end:
            self.parts.append((start, end))
            self.length, self.breaks = self.length + 1, self.breaks + 1
            return
        if len(self.parts) > self.before[0] and self.parts[-1][0] < self.parts[-1][1] == start:
            self.parts[-1] = (self.parts[-1][0], end)
        else:
            self.parts.append((start, end))
        self.length += end - start
        ends = self.text.endswith("\n", start, end)
        self.breaks = self.breaks + 1 if end - start == 1 and ends else int(ends)

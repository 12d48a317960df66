"""Find the best positions at which to split a clean text."""

import bisect
import re

from chunk_embed.clean_text import CleanText
from chunk_embed.graphemes import first_boundary, last_boundary

VISIBLE = re.compile(r"\S")
BLANK_LINE = re.compile(r"\s*\n[ \t\r]*\n")
ITEM = re.compile(r"\s*\n(?=[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t])")
LINE = re.compile(r"\s*\n")
SENTENCE = re.compile(r"(?<=[.!?\u2026\u3002\uff01\uff1f])[)\"'\]*_]*(?:\s|$)|(?<=[\u3002\uff01\uff1f])")
WORD = re.compile(r"\s+")
MAX_INTRODUCTION = 200  # characters of a text that introduces the block after it


class SplitPoints:
    """The positions at which the text of one document may be split, by how good they are."""

    def __init__(self, clean: CleanText) -> None:
        self.text = clean.text
        self.blocks = [block.start for block in clean.blocks]
        self.kinds = [block.kind for block in clean.blocks]
        self.section_starts: list[int] = []
        self.good_starts: list[int] = []  # of blocks that the block before does not introduce
        is_introduced = False
        for index, block in enumerate(clean.blocks):
            end = clean.blocks[index + 1].start if index + 1 < len(clean.blocks) else len(self.text)
            if block.kind == "heading" and block.level <= 3 and not is_introduced:
                self.section_starts.append(block.start)
            if not is_introduced:
                self.good_starts.append(block.start)
            is_introduced = block.kind == "heading" or (
                block.kind == "text"
                and end - block.start <= MAX_INTRODUCTION
                and self.text[block.start : end].rstrip().rstrip("*_").endswith(":")
            )

    def visible(self, position: int, end: int) -> int:
        """Return the first position from ``position`` on that is not whitespace."""
        match = VISIBLE.search(self.text, position, end)
        return match.start() if match else end

    def skip(self, position: int, end: int) -> int:
        """Return the first position from ``position`` on that is not whitespace, or the start of its line."""
        first = self.visible(position, end)
        return self.text.rfind("\n", max(position - 1, 0), first) + 1 or first if first < end else end

    def is_section(self, position: int) -> bool:
        """Return whether a heading of level 1 to 3 starts at ``position``."""
        index = bisect.bisect_left(self.section_starts, position)
        return index < len(self.section_starts) and self.section_starts[index] == position

    def best(self, start: int, high: int, limit: int, minimum: int) -> int:
        """Return the best split point after ``start``, up to ``high``, and ``minimum`` characters before ``limit``."""
        if limit - high < minimum < (high - start) // 2:
            high = limit - minimum
        third, half = start + (high - start) // 3, start + (high - start) // 2
        for starts in (self.section_starts, self.good_starts):
            if (point := _last(starts, high)) > third:
                return point
        kind, block = self._block(high)
        before_block = _last(self.good_starts, high)
        if kind in ("code", "table") and block > start + minimum and before_block > start + minimum:
            return before_block
        patterns = (BLANK_LINE, LINE, WORD) if kind in ("code", "table") else (BLANK_LINE, ITEM, SENTENCE, LINE, WORD)
        for pattern in patterns:
            points = (match.start() for match in pattern.finditer(self.text, half, min(high + 1, limit)))
            if point := max((point for point in points if half < point <= high), default=0):
                return point
        return last_boundary(self.text, start, high)

    def overlap(self, start: int, end: int, following: int, overlap: int) -> int:
        """Return the start of the chunk after the one from ``start`` to ``end``, up to ``overlap`` before ``end``.

        Its new text starts at ``following``. Code and tables overlap only if they are split, and by whole lines.
        """
        first = max(end - overlap, start + (end - start + 1) // 2)
        kind, block = self._block(following)
        if first < block:
            first = self._after_code_or_table(first)
        is_split = kind in ("code", "table") and block <= first
        for pattern in (LINE,) if is_split else (LINE, SENTENCE, WORD):
            ends = (match.end() for match in pattern.finditer(self.text, max(first - 1, start), end))
            if point := min((point for point in ends if first <= point < end), default=0):
                return self.skip(point, len(self.text))
        return following if is_split else self.skip(first_boundary(self.text, first, following, start), following)

    def _after_code_or_table(self, position: int) -> int:
        """Return the end of the code or table that contains ``position``, or ``position``."""
        index = bisect.bisect_right(self.blocks, position) - 1
        if index >= 0 and self.kinds[index] in ("code", "table") and self.blocks[index] < position:
            return self.blocks[index + 1]
        return position

    def _block(self, position: int) -> tuple[str, int]:
        index = bisect.bisect_right(self.blocks, position) - 1
        return (self.kinds[index], self.blocks[index]) if index >= 0 else ("text", 0)


def _last(starts: list[int], high: int) -> int:
    index = bisect.bisect_right(starts, high) - 1
    return starts[index] if index >= 0 else 0

"""Find where in a kept text to cut."""

import bisect
import re

from chunk_embed.graphemes import first_boundary, last_boundary
from chunk_embed.kept import Kept

VISIBLE = re.compile(r"\S")
BLANK_LINE = re.compile(r"\s*\n[ \t\r]*\n")
ITEM = re.compile(r"\s*\n(?=[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t])")
LINE = re.compile(r"\s*\n")
SENTENCE = re.compile(r"(?<=[.!?\u2026\u3002\uff01\uff1f])[)\"'\]*_]*(?:\s|$)|(?<=[\u3002\uff01\uff1f])")
WORD = re.compile(r"\s+")
INTRODUCTION = 200  # characters that a text which introduces what follows has at most


class Cuts:
    """The places where the text of one document may be cut, and which of them are good."""

    def __init__(self, kept: Kept) -> None:
        self.text = kept.text
        self.blocks = [block.start for block in kept.blocks]
        self.kinds = [block.kind for block in kept.blocks]
        self.section_starts: list[int] = []
        self.good_starts: list[int] = []  # of blocks that are not introduced by the one before
        tied = False
        for index, block in enumerate(kept.blocks):
            end = kept.blocks[index + 1].start if index + 1 < len(kept.blocks) else len(self.text)
            if block.kind == "heading" and block.level <= 3 and not tied:
                self.section_starts.append(block.start)
            if not tied:
                self.good_starts.append(block.start)
            tied = block.kind == "heading" or (
                block.kind == "text"
                and end - block.start <= INTRODUCTION
                and self.text[block.start : end].rstrip().rstrip("*_").endswith(":")
            )

    def visible(self, position: int, end: int) -> int:
        """Return the first place from ``position`` that is no whitespace."""
        match = VISIBLE.search(self.text, position, end)
        return match.start() if match else end

    def skip(self, position: int, end: int) -> int:
        """Return the first place from ``position`` that is no whitespace, or where its line begins."""
        first = self.visible(position, end)
        return self.text.rfind("\n", max(position - 1, 0), first) + 1 or first if first < end else end

    def is_section(self, position: int) -> bool:
        """Say whether a heading down to the third level is there."""
        index = bisect.bisect_left(self.section_starts, position)
        return index < len(self.section_starts) and self.section_starts[index] == position

    def best(self, start: int, high: int, limit: int, least: int) -> int:
        """Return the best cut above ``start`` and up to ``high``, leaving ``least`` characters before ``limit``."""
        if limit - high < least < (high - start) // 2:
            high = limit - least
        third, half = start + (high - start) // 3, start + (high - start) // 2
        for starts in (self.section_starts, self.good_starts):
            if (cut := _last(starts, high)) > third:
                return cut
        kind, block = self._block(high)
        whole = _last(self.good_starts, high)
        if kind in ("code", "table") and block > start + least and whole > start + least:
            return whole
        patterns = (BLANK_LINE, LINE, WORD) if kind in ("code", "table") else (BLANK_LINE, ITEM, SENTENCE, LINE, WORD)
        for pattern in patterns:
            places = (match.start() for match in pattern.finditer(self.text, half, min(high + 1, limit)))
            if cut := max((place for place in places if half < place <= high), default=0):
                return cut
        return last_boundary(self.text, start, high)

    def overlap(self, start: int, end: int, following: int, overlap: int) -> int:
        """Return where the chunk after one from ``start`` to ``end`` begins, up to ``overlap`` before ``end``.

        What is new in it begins at ``following``. Code and tables are repeated only where they are cut, by lines.
        """
        first = max(end - overlap, start + (end - start + 1) // 2)
        kind, block = self._block(following)
        if first < block:
            first = self._after_figure(first)
        is_figure = kind in ("code", "table") and block <= first
        for pattern in (LINE,) if is_figure else (LINE, SENTENCE, WORD):
            places = (match.end() for match in pattern.finditer(self.text, max(first - 1, start), end))
            if place := min((place for place in places if first <= place < end), default=0):
                return self.skip(place, len(self.text))
        return following if is_figure else self.skip(first_boundary(self.text, first, following, start), following)

    def _after_figure(self, first: int) -> int:
        """Return ``first``, or where code or a table ends that ``first`` is in."""
        index = bisect.bisect_right(self.blocks, first) - 1
        if index >= 0 and self.kinds[index] in ("code", "table") and self.blocks[index] < first:
            return self.blocks[index + 1]
        return first

    def _block(self, position: int) -> tuple[str, int]:
        index = bisect.bisect_right(self.blocks, position) - 1
        return (self.kinds[index], self.blocks[index]) if index >= 0 else ("text", 0)


def _last(starts: list[int], high: int) -> int:
    index = bisect.bisect_right(starts, high) - 1
    return starts[index] if index >= 0 else 0

"""Divide a document into sections; a chunk is part of one section."""

import bisect
import dataclasses

from chunk_embed.clean_text import Block, CleanText

Headings = tuple[str | None, str | None, str | None]  # h1, h2, h3
NONE: Headings = (None, None, None)


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the clean text under one heading of level 1 or 2."""

    start: int
    end: int
    h1: str | None
    h2: str | None


class Outline:
    """The headings of level 1 to 3 of a document, by position."""

    def __init__(self, clean: CleanText) -> None:
        self.starts: list[int] = []
        self.levels: list[int] = []
        self.paths: list[Headings] = []
        self.is_empty: list[bool] = []  # whether the next heading follows without text in between
        for index, block in enumerate(clean.blocks, 1):
            if _is_section(block):
                self.starts.append(block.start)
                self.levels.append(block.level)
                above = self.paths[-1] if self.paths else NONE
                self.paths.append(_path(above, block))
                self.is_empty.append(index < len(clean.blocks) and _is_section(clean.blocks[index]))

    def above(self, position: int) -> Headings:
        """Return the headings above ``position``, without a heading that starts there."""
        index = bisect.bisect_left(self.starts, position)
        path = self.paths[index - 1] if index else NONE
        is_heading = index < len(self.starts) and self.starts[index] == position
        return _shortened(path, self.levels[index]) if is_heading else path

    def of(self, start: int, end: int) -> Headings:
        """Return the headings that apply to all text from ``start`` to ``end``."""
        first, last = bisect.bisect_left(self.starts, start), bisect.bisect_left(self.starts, end)
        path = self.above(start)
        has_text = first == len(self.starts) or self.starts[first] != start
        for index in range(first, last):
            path = _shortened(path, self.levels[index]) if has_text else self.paths[index]
            has_text = has_text or not self.is_empty[index]
        return path


def sections(clean: CleanText, min_chunk_size: int) -> list[Section]:
    """Return the sections of a document in order; one that is too small is joined to a neighbour under the same h1."""
    result: list[Section] = []
    path, start = NONE, 0
    for block in clean.blocks:
        if block.kind == "heading" and block.level <= 2:
            _append(result, Section(start, block.start, path[0], path[1]), min_chunk_size)
            path, start = _path(path, block), block.start
    _append(result, Section(start, len(clean.text), path[0], path[1]), min_chunk_size)
    return result


def _append(result: list[Section], section: Section, min_chunk_size: int) -> None:
    if section.start == section.end:
        return
    if result:
        last = result[-1]
        are_siblings = last.h1 == section.h1 or (section.h2 is None and last.h2 is None)
        if are_siblings and min(section.end - section.start, last.end - last.start) < min_chunk_size:
            section = dataclasses.replace(section, start=result.pop().start)
    result.append(section)


def _is_section(block: Block) -> bool:
    return block.kind == "heading" and block.level <= 3


def _shortened(path: Headings, level: int) -> Headings:
    """Return the headings above a heading of this level."""
    return (path[0] if level > 1 else None, path[1] if level > 2 else None, None)


def _path(above: Headings, block: Block) -> Headings:
    title = block.title or None
    if block.level == 1:
        return (title, None, None)
    return (above[0], title, None) if block.level == 2 else (above[0], above[1], title)

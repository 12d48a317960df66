"""Divide the blocks of a document into sections that chunks should not cross."""

import bisect
import dataclasses

from chunk_embed.kept import Block, Kept

Headings = tuple[str | None, str | None, str | None]  # h1, h2, h3
NONE: Headings = (None, None, None)


@dataclasses.dataclass(frozen=True)
class Section:
    """A part of the kept text under one heading of the first or second level."""

    start: int
    end: int
    h1: str | None
    h2: str | None


class Outline:
    """The headings of a document down to the third level, and which of them hold where."""

    def __init__(self, kept: Kept) -> None:
        self.starts: list[int] = []
        self.levels: list[int] = []
        self.paths: list[Headings] = []
        self.bare: list[bool] = []  # whether another heading follows without a text between
        for index, block in enumerate(kept.blocks, 1):
            if _is_section(block):
                self.starts.append(block.start)
                self.levels.append(block.level)
                above = self.paths[-1] if self.paths else NONE
                self.paths.append(_path(above, block))
                self.bare.append(index < len(kept.blocks) and _is_section(kept.blocks[index]))

    def above(self, position: int) -> Headings:
        """Return the headings that hold for what begins at ``position``, without a heading that is there."""
        index = bisect.bisect_left(self.starts, position)
        path = self.paths[index - 1] if index else NONE
        is_heading = index < len(self.starts) and self.starts[index] == position
        return _shortened(path, self.levels[index]) if is_heading else path

    def of(self, start: int, end: int) -> Headings:
        """Return the headings that hold for all that is between two positions."""
        first, last = bisect.bisect_left(self.starts, start), bisect.bisect_left(self.starts, end)
        path = self.above(start)
        has_text = first == len(self.starts) or self.starts[first] != start
        for index in range(first, last):
            path = _shortened(path, self.levels[index]) if has_text else self.paths[index]
            has_text = has_text or not self.bare[index]
        return path


def sections(kept: Kept, min_chunk_size: int) -> list[Section]:
    """Return the sections of a document, one after the other, those that are too small joined to a neighbour.

    A neighbour is a section under the same first heading.
    """
    found: list[Section] = []
    path, start = NONE, 0
    for block in kept.blocks:
        if block.kind == "heading" and block.level <= 2:
            _append(found, Section(start, block.start, path[0], path[1]), min_chunk_size)
            path, start = _path(path, block), block.start
    _append(found, Section(start, len(kept.text), path[0], path[1]), min_chunk_size)
    return found


def _append(found: list[Section], section: Section, min_chunk_size: int) -> None:
    if section.start == section.end:
        return
    if found:
        last = found[-1]
        are_siblings = last.h1 == section.h1 or (section.h2 is None and last.h2 is None)
        if are_siblings and min(section.end - section.start, last.end - last.start) < min_chunk_size:
            section = dataclasses.replace(section, start=found.pop().start)
    found.append(section)


def _is_section(block: Block) -> bool:
    return block.kind == "heading" and block.level <= 3


def _shortened(path: Headings, level: int) -> Headings:
    """Return the headings above one of this level."""
    return (path[0] if level > 1 else None, path[1] if level > 2 else None, None)


def _path(above: Headings, block: Block) -> Headings:
    title = block.title or None
    if block.level == 1:
        return (title, None, None)
    return (above[0], title, None) if block.level == 2 else (above[0], above[1], title)

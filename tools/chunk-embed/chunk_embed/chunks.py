"""Split a Markdown document into chunks that are useful as search results.

A chunk is part of one section, has at most a number of characters and the tokens that the model takes, and starts and
ends at a heading, block, line, sentence or word. Time is linear in the length of the document.
"""

import collections
import dataclasses
import functools
import re
from collections.abc import Callable, Iterator

from stage.errors import UsageError

from chunk_embed.clean_text import CleanText
from chunk_embed.markdown import read_markdown
from chunk_embed.sections import Headings, Outline, Section, sections
from chunk_embed.split_points import SplitPoints

Fits = Callable[[str], bool]

FENCE_LINE = re.compile(r"^[ \t>]*(?:`{3,}|~{3,})[^\n`]*$", re.MULTILINE)
LINK = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\n]*\)")
# Arrows, boxes, signs and emoji are one unknown token each.
MARKS = re.compile(r"[`*|>#\u2190-\u21ff\u2500-\u27bf\ufe0f\U0001f000-\U0001faff]+|([-=_~.+/\\])\1{2,}")

_read = functools.lru_cache(maxsize=1)(read_markdown)  # left_out is asked for right after chunk_document


@dataclasses.dataclass(frozen=True)
class ChunkSettings:
    """Sizes of chunks in characters, the noise ratio, and whether the model is given the headings above a chunk.

    The defaults have the best figures of ``make evaluate``.
    """

    chunk_size: int = 1000
    chunk_overlap: int = 150
    min_chunk_size: int = 50
    max_noise_ratio: float = 0.3
    headings: bool = False

    def check(self, where: str) -> None:
        """Raise UsageError for a size out of range."""
        if self.chunk_size < 1:
            raise UsageError(where, f"invalid chunk-size {self.chunk_size}", "set it to 1 or more")
        for name, value, maximum, limit in (
            ("chunk-overlap", self.chunk_overlap, self.chunk_size // 2, "half of chunk-size"),
            ("min-chunk-size", self.min_chunk_size, self.chunk_size, "chunk-size"),
            ("max-noise-ratio", self.max_noise_ratio, 1, "1"),
        ):
            if not 0 <= value <= maximum:
                raise UsageError(where, f"invalid {name} {value}", f"set it to a number from 0 to {limit}")


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A part of a document.

    ``text`` is ``document[start:end]`` without what was left out. ``h1`` to ``h3`` are the headings that apply to all
    of it; ``context`` is the headings above it that the model is given with it.
    """

    text: str
    start: int
    end: int
    h1: str | None
    h2: str | None
    h3: str | None
    context: str = ""


@dataclasses.dataclass(frozen=True)
class LeftOutPart:
    """A part of a document that is in no chunk: its kind, start and text."""

    kind: str
    start: int
    text: str


def model_input(text: str, context: str = "") -> str:
    """Return what the model is given of a text under the headings ``context``: their words, without Markdown."""
    return f"{_words(context)}: {_words(text)}" if context else _words(text)


def _words(text: str) -> str:
    """Return the words of a Markdown text in one line; each mark would cost a token and mean nothing."""
    words = " ".join(MARKS.sub(" ", LINK.sub(r"\1", FENCE_LINE.sub("", text))).split())
    return words or text


def chunk_document(text: str, settings: ChunkSettings, fits: Fits) -> list[Chunk]:
    """Split a document into chunks for which ``fits`` is true: whether the model takes a text without truncating it.

    Raises UsageError if not even one character fits.
    """
    clean = _read(text, settings.max_noise_ratio)
    chunker = _Chunker(clean, settings, fits)
    return [chunk for section in sections(clean, settings.min_chunk_size) for chunk in chunker.chunks(section)]


def left_out(text: str, settings: ChunkSettings) -> list[LeftOutPart]:
    """Return the parts of a document that are in no chunk, in order."""
    parts = _read(text, settings.max_noise_ratio).left_out
    return [LeftOutPart(kind, start, text[start:end]) for kind, start, end in parts]


def left_out_characters(text: str, settings: ChunkSettings) -> dict[str, int]:
    """Return the number of characters of a document that are in no chunk, without whitespace, by kind."""
    counts: dict[str, int] = collections.Counter()
    for part in left_out(text, settings):
        counts[part.kind] += len("".join(part.text.split()))
    return dict(sorted(counts.items()))


class _Chunker:
    """Splits the sections of one document."""

    def __init__(self, clean: CleanText, settings: ChunkSettings, fits: Fits) -> None:
        self.clean, self.settings, self.fits = clean, settings, fits
        self.outline = Outline(clean)
        self.split_points = SplitPoints(clean)
        self.contexts: dict[Headings, str] = {}
        self.size = settings.chunk_size  # of the last text that fitted

    def chunks(self, section: Section) -> Iterator[Chunk]:
        start = following = self.split_points.skip(section.start, section.end)
        while following < section.end:
            context = self._context(self.outline.above(start))
            end = self._end(start, section.end, context)
            if end <= following and start < following:
                start = following  # the overlap leaves no room for new text
                continue
            end = start + len(self.clean.text[start:end].rstrip())
            if end == start:
                start = self.split_points.visible(start, section.end)  # the indentation is longer than a chunk
                continue
            yield self._chunk(start, end, context)
            previous, start = start, self.split_points.skip(end, section.end)
            following = start
            if start < section.end and not self.split_points.is_section(start):
                start = self.split_points.overlap(previous, end, following, self.settings.chunk_overlap)

    def _chunk(self, start: int, end: int, context: str) -> Chunk:
        text = self.clean.text[start:end].replace("\r\n", "\n")
        source = self.clean.source(start), self.clean.source(end - 1) + 1
        return Chunk(text, *source, *self.outline.of(start, end), context)

    def _context(self, path: Headings) -> str:
        """Return the headings that the model is given; none if they would take most of its tokens."""
        if not self.settings.headings:
            return ""
        if path not in self.contexts:
            context = " > ".join(title for title in path if title)
            self.contexts = {path: context if self.fits(model_input(context, context)) else ""}
        return self.contexts[path]

    def _end(self, start: int, limit: int, context: str) -> int:
        """Return the end of the chunk that starts at ``start``: the best split point of the text that fits."""
        low, high = start, min(limit, start + self.settings.chunk_size)
        if high == limit and self._fits(start, high, context):
            return high
        low = fitting = self._fitting(start, high + (high < limit), context)
        while low > start:
            end = self.split_points.best(start, low, limit, self.settings.min_chunk_size)
            if end == fitting or self._fits(start, end, context):
                return end
            # Half a word or link may have more tokens than all of it, so a shorter text may not fit.
            low = min(end - 1, start + (end - start) * 3 // 4)
        raise UsageError("model", "not even one character fits", "raise max-tokens, or use another model")

    def _fitting(self, start: int, high: int, context: str) -> int:
        """Return about the last position before ``high``, which is too far, up to which the text fits.

        The search starts at the size of the last chunk, and is exact to 1/32 of this one, because the cost of each
        step is linear in the length of the text.
        """
        low, near = start, start + self.size
        step = exact = max(1, (high - start) // 32)
        while high - low > (exact if low > start else 1):
            middle = near if low < near < high else (low + high) // 2
            if self._fits(start, middle, context):
                low, near = middle, middle + step
            else:
                high, near = middle, middle - step
            step *= 2
        self.size = low - start
        return low

    def _fits(self, start: int, end: int, context: str) -> bool:
        return self.fits(model_input(self.clean.text[start:end], context))

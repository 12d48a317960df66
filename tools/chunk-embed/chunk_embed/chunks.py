"""Cut a Markdown document into chunks: parts that a person would want as a result of a search.

A chunk keeps to a section, is no longer than a number of characters and than what a model takes, and begins and ends
where a reader would cut: at a heading, a block, a line or sentence, a word. Time grows with the document's length only.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterator

from stage.errors import UsageError

from chunk_embed.cuts import Cuts
from chunk_embed.embedded import in_context
from chunk_embed.kept import Kept
from chunk_embed.markdown import read_markdown
from chunk_embed.sections import Headings, Outline, Section, sections

Fits = Callable[[str], bool]

_read = functools.lru_cache(maxsize=1)(read_markdown)  # what is cut is then asked for its noise


@dataclasses.dataclass(frozen=True)
class ChunkSettings:
    """How large chunks are, in characters, and what counts as noise; ``headings``: whether a model is given them.

    The defaults are those that answered the questions of ``make evaluate`` best.
    """

    chunk_size: int = 1000
    chunk_overlap: int = 150
    min_chunk_size: int = 50
    max_noise_ratio: float = 0.3
    headings: bool = False

    def check(self, where: str) -> None:
        """Raise UsageError for sizes that do not go together."""
        if self.chunk_size < 1:
            raise UsageError(where, f"chunk-size {self.chunk_size} is less than 1", "correct it")
        if not 0 <= self.chunk_overlap <= self.chunk_size // 2:
            what = f"chunk-overlap {self.chunk_overlap} is not 0 to half of chunk-size {self.chunk_size}"
            raise UsageError(where, what, "correct it")
        if not 0 <= self.min_chunk_size <= self.chunk_size:
            what = f"min-chunk-size {self.min_chunk_size} is not 0 to chunk-size {self.chunk_size}"
            raise UsageError(where, what, "correct it")
        if not 0 <= self.max_noise_ratio <= 1:
            raise UsageError(where, f"max-noise-ratio {self.max_noise_ratio} is not 0 to 1", "correct it")


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A part of a document.

    ``text`` is ``document[start:end]`` without what was left out. ``h1`` to ``h3`` are the headings that hold for all
    of it; ``context`` are those among the headings above it that a model is given with it.
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
    """A part of a document that is in no chunk: its kind, where it begins, and its text."""

    kind: str
    start: int
    text: str


def embedded_text(chunk: Chunk) -> str:
    """Return what a model is given of a chunk."""
    return in_context(chunk.context, chunk.text)


def chunk_document(text: str, settings: ChunkSettings, fits: Fits) -> list[Chunk]:
    """Cut a document into chunks, each of which ``fits``: says whether a model takes a text without cutting it.

    Raises UsageError where not even one character fits.
    """
    kept = _read(text, settings.max_noise_ratio)
    chunker = _Chunker(kept, settings, fits)
    found = sections(kept, settings.min_chunk_size)
    return [chunk for section in found for chunk in chunker.chunks(section)]


def left_out(text: str, settings: ChunkSettings) -> list[LeftOutPart]:
    """Return the parts of a document that are in no chunk because they say nothing, in order."""
    parts = _read(text, settings.max_noise_ratio).left_out
    return [LeftOutPart(kind, start, text[start:end]) for kind, start, end in parts]


def left_out_characters(text: str, settings: ChunkSettings) -> dict[str, int]:
    """Return how many characters of a document, whitespace aside, are in no chunk, by kind."""
    counts: dict[str, int] = collections.Counter()
    for part in left_out(text, settings):
        counts[part.kind] += len("".join(part.text.split()))
    return dict(sorted(counts.items()))


class _Chunker:
    """Cuts the sections of one document."""

    def __init__(self, kept: Kept, settings: ChunkSettings, fits: Fits) -> None:
        self.kept, self.settings, self.fits = kept, settings, fits
        self.outline = Outline(kept)
        self.cuts = Cuts(kept)
        self.contexts: dict[Headings, str] = {}
        self.size = settings.chunk_size  # what fitted last

    def chunks(self, section: Section) -> Iterator[Chunk]:
        start = following = self.cuts.skip(section.start, section.end)
        while following < section.end:
            context = self._context(self.outline.above(start))
            end = self._end(start, section.end, context)
            if end <= following and start < following:
                start = following  # the overlap leaves no room for more
                continue
            end = start + len(self.kept.text[start:end].rstrip())
            if end == start:
                start = self.cuts.visible(start, section.end)  # its indentation is longer than a chunk
                continue
            yield self._chunk(start, end, context)
            previous, start = start, self.cuts.skip(end, section.end)
            following = start
            if start < section.end and not self.cuts.is_section(start):
                start = self.cuts.overlap(previous, end, following, self.settings.chunk_overlap)

    def _chunk(self, start: int, end: int, context: str) -> Chunk:
        text = self.kept.text[start:end].replace("\r\n", "\n")
        source = self.kept.source(start), self.kept.source(end - 1) + 1
        return Chunk(text, *source, *self.outline.of(start, end), context)

    def _context(self, path: Headings) -> str:
        """Return the headings as a model is given them; none where they would take most of its room."""
        if not self.settings.headings:
            return ""
        if path not in self.contexts:
            context = " > ".join(title for title in path if title)
            self.contexts = {path: context if self.fits(in_context(context, context)) else ""}
        return self.contexts[path]

    def _end(self, start: int, limit: int, context: str) -> int:
        """Return where the chunk ends that begins at ``start``: at the best cut of what fits."""
        low, high = start, min(limit, start + self.settings.chunk_size)
        if high == limit and self._fits(start, high, context):
            return high
        low = fitting = self._fitting(start, high + (high < limit), context)
        while low > start:
            end = self.cuts.best(start, low, limit, self.settings.min_chunk_size)
            if end == fitting or self._fits(start, end, context):
                return end
            low = min(end - 1, start + (end - start) * 3 // 4)  # half a word or a link is more tokens than a whole one
        raise UsageError("model", "takes not even one character", "raise max-tokens, or use another model")

    def _fitting(self, start: int, high: int, context: str) -> int:
        """Return about the last place before ``high``, which is too far, up to which a text fits; near the last time's.

        It is exact to a thirty-second of the chunk's size, for every question costs as much as the text is long.
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
        return self.fits(in_context(context, self.kept.text[start:end]))

"""Find tags, images and badges in a line of Markdown."""

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from chunk_embed.badges import is_badge

Span = tuple[int, int]
LeftOut = Literal[
    "front_matter", "comments", "tags", "badges", "images", "contents", "definitions", "layout", "drawings"
]
References = Mapping[str, str]  # URLs of link definitions, by label

# Only HTML tags: placeholders such as <app-name> and <your-token> are text.
NAMES = (
    "a|abbr|article|aside|audio|b|blockquote|br|center|cite|code|col|colgroup|dd|del|details|dfn|div|dl|dt|em|figcaption"
    "|figure|font|footer|h[1-6]|header|hr|i|iframe|img|ins|kbd|li|main|mark|nav|object|ol|p|picture|pre|q|s|samp|section"
    "|small|source|span|strike|strong|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|var|video|wbr"
)
UNCLOSED = {"br", "dd", "dt", "hr", "img", "li", "p", "source", "td", "th", "tr", "wbr"}  # need no end tag
OPENED = re.compile(rf"</?(?:{NAMES})(?=\s)[^<>]*$", re.IGNORECASE)  # a tag that continues in the next line
INLINE = re.compile(
    r"</?(?:a|abbr|b|cite|code|del|dfn|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var|wbr)"
    r"(?=[\s/>])",
    re.IGNORECASE,
)
STARTS_HTML = re.compile(rf"[ \t]*</?(?:{NAMES})(?=[\s/>])", re.IGNORECASE)
CELL = re.compile(r"<t[dh](?=[\s/>])", re.IGNORECASE)
SOURCE = re.compile(r"""\ssrc\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
ALT = re.compile(r"""\salt\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.IGNORECASE)
TARGET = r"(?:\([^()\n]*\)|\[[^\[\]\n]*\])"
IMAGE = re.compile(r"!\[(?P<alt>[^\[\]\n]*)\](?:\((?P<url>[^()\n]*)\)|\[(?P<label>[^\[\]\n]*)\])?")
ANY_IMAGE = rf"!\[[^\[\]\n]*\]{TARGET}?"
CODE = r"(?<!`)(?P<ticks>`+)(?!`)[^\n]*?(?<!`)(?P=ticks)(?!`)"
TAG_END = r"""(?:(?:[^<>"']++|"[^"<]*"|'[^'<]*')*+>|[^<>]*>)"""
CODE_SPAN = re.compile(CODE)
MARKUP = re.compile(
    rf"{CODE}|(?P<link>\[\s*(?:{ANY_IMAGE}\s*)+\]{TARGET}?)|(?P<image>{ANY_IMAGE})"
    rf"|</?(?P<tag>{NAMES})(?=[\s/>]){TAG_END}",
    re.IGNORECASE,
)


class Piece(NamedTuple):
    """A part of a line; ``left_out`` is None if it stays, and an empty part that stays is a line break."""

    start: int
    end: int
    left_out: LeftOut | None = None


def in_code(line: str, position: int) -> bool:
    """Return whether ``position`` is between backticks."""
    return "`" in line and any(match.start() < position < match.end() for match in CODE_SPAN.finditer(line))


def label_of(text: str) -> str:
    """Return the label of a link in the form in which labels are compared."""
    return " ".join(text.split()).casefold()


def split_markup(line: str, references: References) -> list[Piece]:
    """Return all parts of a line; the content of tags, the alternative text of images and code stay."""
    pieces: list[Piece] = []
    position = 0
    for match in MARKUP.finditer(line):
        if parts := list(_parts(line, match, references)):
            if position < match.start():
                pieces.append(Piece(position, match.start()))
            pieces += parts
            position = match.end()
    if position < len(line):
        pieces.append(Piece(position, len(line)))
    return _separated(line, pieces)


def _parts(line: str, match: re.Match[str], references: References) -> Iterator[Piece]:
    """Yield the parts of one match; none if it is text."""
    if match["link"] or match["image"]:
        images = list(IMAGE.finditer(line, match.start(), match.end()))
        urls = [_url(image, references) for image in images]
        if None not in urls:
            alts = [image.span("alt") for image, url in zip(images, urls, strict=True) if not is_badge(url or "")]
            yield from _around(match.span(), alts, "images" if alts else "badges")
    elif tag := match["tag"]:
        if _is_type(line, match):
            return
        if tag.lower() != "img":
            if not INLINE.match(match[0]):
                yield Piece(match.start(), match.start())
            yield Piece(*match.span(), "tags")
            return
        yield Piece(match.start(), match.start())
        source, alt = SOURCE.search(match[0]), ALT.search(match[0])
        if source and is_badge(next(filter(None, source.groups()), "")):
            yield Piece(*match.span(), "badges")
        else:
            start, end = alt.span(alt.lastindex or 0) if alt else (0, 0)
            yield from _around(match.span(), [(match.start() + start, match.start() + end)], "images")


def _url(image: re.Match[str], references: References) -> str | None:
    """Return the URL of an image; None if its label has no definition, so that it is text."""
    return image["url"] if image["url"] is not None else references.get(label_of(image["label"] or image["alt"]))


def _around(markup: Span, texts: list[Span], kind: LeftOut) -> Iterator[Piece]:
    position = markup[0]
    for start, end in texts:
        if start < end:
            yield Piece(position, start, kind)
            yield Piece(start, end)
            position = end
    yield Piece(position, markup[1], kind)


def _is_type(line: str, match: re.Match[str]) -> bool:
    """Return whether a tag is in fact the parameter of a type, as in ``List<Object>``."""
    name = match["tag"].lower()
    if match[0].lower() != f"<{name}>" or name in UNCLOSED or not line[: match.start()][-1:].isalnum():
        return False
    return f"</{name}" not in line[match.end() :].lower()


def _separated(line: str, pieces: list[Piece]) -> list[Piece]:
    """Add line breaks between words that an image or badge that is left out would join."""
    separated: list[Piece] = []
    before, gap = "", False
    for piece in pieces:
        if piece.left_out is None:
            text = line[piece.start : piece.end]
            if gap and before.isalnum() and text[:1].isalnum():
                separated.append(Piece(piece.start, piece.start))
            before, gap = text[-1:], False
        gap = gap or piece.left_out in ("images", "badges")
        separated.append(piece)
    return separated

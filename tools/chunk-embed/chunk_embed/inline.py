"""Clean single lines of Markdown: which parts of a line are left out, and the text of a heading."""

import collections
import html
import re
import unicodedata

from chunk_embed.graphemes import last_boundary
from chunk_embed.markup import CELL, LeftOut, Piece, References, Span, label_of, split_markup

MAX_TITLE = 200
ANCHOR = re.compile(r"""<a(?=\s)[^<>]*\shref\s*=\s*["']?\#[^<>]*>[^<]*(?:<(?!/?a[\s>])[^<]*)*</a\s*>""", re.IGNORECASE)
ANCHOR_LINK = re.compile(r"\[[^\[\]\n]*\]\(#[^()\n]*\)")
LINK = re.compile(r"!?\[([^\[\]\n]*)\](?:\([^()\n]*\)|\[([^\[\]\n]*)\])")
CONTENTS = {"table of contents", "contents", "toc"}
ATTRIBUTES = re.compile(r"\{#[^{}]*\}")
REPEATED = re.compile(r"([!-/:-@\[-_{-}])\1{3,}")  # ASCII lines and boxes, but not code fences


def pieces(line: str, references: References) -> list[Piece]:
    """Return all parts of a line, in order; badges, tags and lines of links within the page are left out."""
    if "<" not in line and "![" not in line and "](#" not in line and not _may_be_contents(line):
        return [Piece(0, len(line))]
    parts = split_markup(line, references)
    rest = ANCHOR_LINK.sub("", ANCHOR.sub("", line))
    text = clean_line(line, parts) if rest == line else clean_line(rest, split_markup(rest, references))
    is_title = is_contents(text)
    if has_words(text) and not is_title:
        return parts
    if is_title or rest != line:
        return _leave_out(parts, "contents")
    is_punctuation = not noise_ratio(text) and not CELL.search(line)
    return _leave_out(parts, "layout") if len(parts) > 1 and is_punctuation else parts


def heading_pieces(line: str, references: References) -> list[Piece]:
    """Return all parts of a heading, in order; the title of a table of contents is left out, as are badges and tags."""
    parts = split_markup(line, references)
    return _leave_out(parts, "contents") if is_contents(clean_line(line, parts)) else parts


def title(markup: str, references: References) -> str:
    """Return the text of a heading, without markup, in at most ``MAX_TITLE`` characters."""
    text = ATTRIBUTES.sub("", clean_line(markup, split_markup(markup, references)))
    text = LINK.sub(lambda link: link[1] if _is_link(link, references) else link[0], text)
    text = " ".join(html.unescape(text).replace("`", "").replace("*", "").split())
    return text if len(text) <= MAX_TITLE else text[: last_boundary(text, 0, MAX_TITLE)].rstrip()


def clean_line(line: str, parts: list[Piece]) -> str:
    """Return a line without what is left out."""
    return "".join(line[piece.start : piece.end] or "\n" for piece in parts if piece.left_out is None)


def is_contents(text: str) -> bool:
    """Return whether a text is only the title of a table of contents."""
    words = " ".join("".join(character if character.isalnum() else " " for character in text).split())
    return words.casefold() in CONTENTS


def is_noise(line: str, max_noise_ratio: float) -> bool:
    """Return whether a line has neither letter nor digit, and more noise than ``max_noise_ratio``."""
    return not has_words(line) and noise_ratio(line) > max_noise_ratio


def has_words(text: str) -> bool:
    """Return whether a text has a letter or digit of any script."""
    return any(character.isalnum() for character in text)


def noise_ratio(text: str) -> float:
    """Return the share of noise among the characters of a text that are not whitespace, 0 to 1.

    Noise is every character that is neither letter, mark, digit nor punctuation of any script (arrows, boxes, emoji),
    and ASCII punctuation repeated four times or more. Whitespace, such as the padding of a box, is ignored.
    """
    counts = collections.Counter(text)
    visible = sum(count for character, count in counts.items() if not character.isspace())
    symbols = sum(count for character, count in counts.items() if _is_symbol(character))
    repeated = sum(match.end() - match.start() for match in REPEATED.finditer(text))
    return (symbols + repeated) / visible if visible else 0.0


def without_outer_breaks(line: str, spans: list[Span]) -> list[Span]:
    """Remove line breaks, which are empty spans, at both ends of the spans of a line."""
    visible = [index for index, (start, end) in enumerate(spans) if line[start:end].strip()]
    if not visible:
        return []
    inside = range(visible[0], visible[-1])
    return [span for index, span in enumerate(spans) if index in inside or span[0] < span[1]]


def stripped(line: str, spans: list[Span]) -> list[Span]:
    """Remove whitespace at both ends of the spans of a line."""
    while spans and not line[spans[0][0] : spans[0][1]].strip():
        spans = spans[1:]
    while spans and not line[spans[-1][0] : spans[-1][1]].strip():
        spans = spans[:-1]
    if spans:
        first, last = line[spans[0][0] : spans[0][1]], line[spans[-1][0] : spans[-1][1]]
        spans[0] = (spans[0][0] + len(first) - len(first.lstrip()), spans[0][1])
        spans[-1] = (spans[-1][0], spans[-1][1] - len(last) + len(last.rstrip()))
    return spans


def _may_be_contents(line: str) -> bool:
    return "ontents" in line or "CONTENTS" in line or "toc" in line.lower()


def _leave_out(parts: list[Piece], kind: LeftOut) -> list[Piece]:
    return [piece if piece.left_out else piece._replace(left_out=kind) for piece in parts if piece.start < piece.end]


def _is_link(link: re.Match[str], references: References) -> bool:
    return link[2] is None or label_of(link[2] or link[1]) in references


def _is_symbol(character: str) -> bool:
    if character.isascii() or character.isspace():
        return False
    return unicodedata.category(character) in {"So", "Sm", "Sk", "Cc", "Cn", "Co", "Cs"}

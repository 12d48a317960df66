"""Clean single lines of Markdown: which characters of a line stay, and what a heading says."""

import html
import re

from chunk_embed.graphemes import last_boundary
from chunk_embed.markup import CELL, LeftOut, Piece, References, label_of, without_markup
from chunk_embed.noise import has_words, noise_ratio

MAX_TITLE = 200
ANCHOR = re.compile(r"""<a(?=\s)[^<>]*\shref\s*=\s*["']?\#[^<>]*>[^<]*(?:<(?!/?a[\s>])[^<]*)*</a\s*>""", re.IGNORECASE)
ANCHOR_LINK = re.compile(r"\[[^\[\]\n]*\]\(#[^()\n]*\)")
LINK = re.compile(r"!?\[([^\[\]\n]*)\](?:\([^()\n]*\)|\[([^\[\]\n]*)\])")
CONTENTS = {"table of contents", "contents", "toc"}
ATTRIBUTES = re.compile(r"\{#[^{}]*\}")


def pieces(line: str, references: References) -> list[Piece]:
    """Return all parts of a line, in order; badges, tags and lines of links within the page do not stay."""
    if "<" not in line and "![" not in line and "](#" not in line and not _may_name_contents(line):
        return [Piece(0, len(line))]
    found = without_markup(line, references)
    rest = ANCHOR_LINK.sub("", ANCHOR.sub("", line))
    said = kept_text(line, found) if rest == line else kept_text(rest, without_markup(rest, references))
    names_contents = is_contents(said)
    if has_words(said) and not names_contents:
        return found
    if names_contents or rest != line:
        return _all_left_out(found, "contents")
    is_punctuation = not noise_ratio(said) and not CELL.search(line)
    return _all_left_out(found, "layout") if len(found) > 1 and is_punctuation else found


def heading_pieces(line: str, references: References) -> list[Piece]:
    """Return all parts of a heading, in order; one that says "contents" is left out, as are badges and tags."""
    found = without_markup(line, references)
    return _all_left_out(found, "contents") if is_contents(kept_text(line, found)) else found


def title(markup: str, references: References) -> str:
    """Return what a heading says, without markup, in at most ``MAX_TITLE`` characters."""
    text = ATTRIBUTES.sub("", kept_text(markup, without_markup(markup, references)))
    text = LINK.sub(lambda link: link[1] if _is_link(link, references) else link[0], text)
    text = " ".join(html.unescape(text).replace("`", "").replace("*", "").split())
    return text if len(text) <= MAX_TITLE else text[: last_boundary(text, 0, MAX_TITLE)].rstrip()


def kept_text(line: str, found: list[Piece]) -> str:
    """Return what stays of a line."""
    return "".join(line[piece.start : piece.end] or "\n" for piece in found if piece.left_out is None)


def is_contents(text: str) -> bool:
    """Return whether a text is nothing but the title of a table of contents."""
    words = " ".join("".join(character if character.isalnum() else " " for character in text).split())
    return words.casefold() in CONTENTS


def _may_name_contents(line: str) -> bool:
    return "ontents" in line or "CONTENTS" in line or "toc" in line.lower()


def _all_left_out(found: list[Piece], kind: LeftOut) -> list[Piece]:
    return [piece if piece.left_out else piece._replace(left_out=kind) for piece in found if piece.start < piece.end]


def _is_link(link: re.Match[str], references: References) -> bool:
    return link[2] is None or label_of(link[2] or link[1]) in references

"""Clean single lines of Markdown: which characters of a line stay, and what a heading says."""

import html
import re

from chunk_embed.graphemes import last_boundary

Span = tuple[int, int]

MAX_TITLE = 200
# Only tags of HTML: <app-name> and <your-token> are placeholders that a reader needs.
NAMES = (
    "a|abbr|article|aside|audio|b|blockquote|br|center|cite|code|col|colgroup|dd|del|details|dfn|div|dl|dt|em|figcaption"
    "|figure|font|footer|h[1-6]|header|hr|i|iframe|img|ins|kbd|li|main|mark|nav|object|ol|p|picture|pre|q|s|samp|section"
    "|small|source|span|strike|strong|sub|summary|sup|svg|table|tbody|td|tfoot|th|thead|tr|tt|u|ul|var|video|wbr"
)
TAG = re.compile(rf"</?(?:{NAMES})(?=[\s/>])[^<>]*>", re.IGNORECASE)
OPENED = re.compile(rf"</?(?:{NAMES})(?=\s)[^<>]*$", re.IGNORECASE)  # a tag that goes on in the next line
INLINE = re.compile(
    r"</?(?:a|abbr|b|cite|code|del|dfn|em|font|i|ins|kbd|mark|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var|wbr)"
    r"(?=[\s/>])",
    re.IGNORECASE,
)
STARTS_HTML = re.compile(rf"[ \t]*</?(?:{NAMES})(?=[\s/>])", re.IGNORECASE)
CODE = r"`[^`\n]+`"
IMAGE = r"!\[[^\[\]\n]*\]\([^()\n]*\)"
BADGE = re.compile(rf"\[\s*{IMAGE}\s*\]\([^()\n]*\)|!\[[^\[\]\n]*\]\([^()\n]*(?:shields\.io|badge)[^()\n]*\)")
ANCHOR = re.compile(r"<a(?=[\s>])[^<>]*>[^<]*(?:<(?!/?a[\s>])[^<]*)*</a\s*>", re.IGNORECASE)
ANCHOR_LINK = re.compile(r"\[[^\[\]\n]*\]\(#[^()\n]*\)")
MARKUP = re.compile(rf"{CODE}|{TAG.pattern}|{BADGE.pattern}|!\[(?P<alt>[^\[\]\n]*)\]\([^()\n]*\)", re.IGNORECASE)
LINK = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\n]*\)")
MARKER = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])(?:[ \t]+|$))?")
CONTENTS = {"table of contents", "contents", "toc"}
ATTRIBUTES = re.compile(r"\{#[^{}]*\}")


def kept_spans(line: str) -> list[Span]:
    """Return the parts of a line that say something, in order; none where it is a badge, a tag or a link of contents.

    An empty part is a line break, as ``<br>`` makes one.
    """
    if "<" not in line and "](" not in line and "ontents" not in line and "toc" not in line.lower():
        return [(0, len(line))]
    return [] if _is_scaffolding(line) else spans_without_markup(line)


def spans_without_markup(line: str) -> list[Span]:
    """Return the parts of a line without its tags and badges; what tags enclose, what images show and code stay."""
    spans, position = [], 0
    for match in MARKUP.finditer(line):
        if match[0].startswith("`"):
            continue
        spans.append((position, match.start()))
        if match["alt"]:
            spans.append(match.span("alt"))
        elif match[0].startswith("<") and not INLINE.match(match[0]):
            spans.append((match.start(), match.start()))
        position = match.end()
    spans = [(start, end) for start, end in [*spans, (position, len(line))] if start < end or spans]
    visible = [index for index, (start, end) in enumerate(spans) if line[start:end].strip()]
    if not visible:
        return []
    inside = spans[visible[0] : visible[-1] + 1]
    outside = [[span for span in part if span[0] < span[1]] for part in (spans[: visible[0]], spans[visible[-1] + 1 :])]
    return [*outside[0], *inside, *outside[1]]


def _is_scaffolding(line: str) -> bool:
    """Say whether nothing but badges, tags, links within the page and the words "table of contents" is in a line."""
    rest = BADGE.sub("", line)
    rest = ANCHOR_LINK.sub("", rest)
    if "<li" not in rest.lower() or 'href="#' in rest or "href='#" in rest:
        rest = ANCHOR.sub("", rest)
    rest = TAG.sub("", rest) if "`" not in rest else rest
    rest = rest[MARKER.match(rest).end() :]  # type: ignore[union-attr]  # it matches the empty text
    words = " ".join("".join(character if character.isalnum() else " " for character in rest).split())
    return not words or words.casefold() in CONTENTS


def title(markup: str) -> str:
    """Return what a heading says, without markup, in at most ``MAX_TITLE`` characters."""
    text = LINK.sub(r"\1", TAG.sub("", ATTRIBUTES.sub("", BADGE.sub("", markup))))
    text = " ".join(html.unescape(text).replace("`", "").replace("*", "").split())
    return text if len(text) <= MAX_TITLE else text[: last_boundary(text, 0, MAX_TITLE)].rstrip()

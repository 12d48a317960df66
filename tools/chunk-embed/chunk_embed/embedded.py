"""Say what of a chunk a model is given: its words, without the marks that cost tokens and mean nothing."""

import re

FENCE_LINE = re.compile(r"^[ \t>]*(?:`{3,}|~{3,})[^\n`]*$", re.MULTILINE)
LINK = re.compile(r"!?\[([^\[\]\n]*)\]\([^()\n]*\)")
# Arrows, boxes, signs and emoji are one unknown token each.
MARKS = re.compile(r"[`*|>#\u2190-\u21ff\u2500-\u27bf\ufe0f\U0001f000-\U0001faff]+|([-=_~.+/\\])\1{2,}")


def condensed(text: str) -> str:
    """Return the words of a Markdown text in one line."""
    words = " ".join(MARKS.sub(" ", LINK.sub(r"\1", FENCE_LINE.sub("", text))).split())
    return words or text


def in_context(context: str, text: str) -> str:
    """Return what a model is given of a text below the headings ``context``."""
    return f"{condensed(context)}: {condensed(text)}" if context else condensed(text)

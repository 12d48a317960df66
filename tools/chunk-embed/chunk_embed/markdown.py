"""Read Markdown as blocks: headings, code, tables and text; what says nothing is left out.

A scanner of lines and not a parser: chunks need to know where things begin and end in the source, any text has to do,
and time has to grow with its length only (CommonMark parsers build a tree, and deep nesting is where they hang).
"""

import re

from chunk_embed.inline import CONTENTS, OPENED, STARTS_HTML, kept_spans, spans_without_markup, title
from chunk_embed.kept import Keeper, Kept

FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?P<mark>`{3,}|~{3,})(?P<info>[^\n]*)")
HTML_HEADING = re.compile(r"<h([1-6])(?:\s[^<>]*)?>", re.IGNORECASE)
HTML_HEADING_END = {str(level): re.compile(rf"</h{level}\s*>", re.IGNORECASE) for level in range(1, 7)}
DEFINITION = re.compile(r" {0,3}\[(?!\^)[^\[\]\n]+\]:[ \t]*\S+[ \t]*(?:[\"'(].*)?$")  # of a link; a footnote is text
NO_PARAGRAPH = re.compile(r"[ \t]*(?:[-*+>|]|\d{1,9}[.)]|</?[a-z])", re.IGNORECASE)
KEY = re.compile(r"[\w\"'-]+[ \t]*:")
FRONT_MATTER_END = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?$", re.MULTILINE)
LOOK_AHEAD = 1000  # characters within which a tag that was opened must be closed to be one
SETEXT_LENGTH = 300
LONG_LINE = 1 << 12  # is read in parts, so that a line of many comments does not take its length squared


def read_markdown(text: str, max_noise_ratio: float) -> Kept:
    """Return what a document says and its blocks, without blocks that are noise by more than ``max_noise_ratio``.

    Left out are front matter, comments, tags, badges, links within the page, rules, link definitions and drawings.
    """
    return _Scanner(text, max_noise_ratio).read()


class _Scanner:
    """Goes through a document from start to end; every method that takes a line returns where to go on."""

    def __init__(self, text: str, max_noise_ratio: float) -> None:
        self.text = text
        self.keeper = Keeper(text, max_noise_ratio)
        self.comments = True  # until one is not closed: then none after it is
        self.in_html = False  # where the indentation of lines belongs to the tags around them
        self.paragraph: int | None = None  # where the lines began that an underline would make a heading

    def read(self) -> Kept:
        position = self._front_matter(1 if self.text.startswith("\ufeff") else 0)
        while position < len(self.text):
            position = self._line(position, self._part_end(position))
        return self.keeper.finish()

    def _part_end(self, position: int) -> int:
        """Return the end of the line at ``position``, or a place between words of one that is long."""
        limit = position + LONG_LINE
        end = self.text.find("\n", position, limit) + 1 or len(self.text)
        return end if end <= limit else max(self.text.rfind(mark, position, limit) for mark in " >") + 1 or limit

    def _line_end(self, position: int) -> int:
        return self.text.find("\n", position) + 1 or len(self.text)

    def _front_matter(self, position: int) -> int:
        """Return the end of the YAML that some sites put before a text; three dashes alone are a rule."""
        first = self._line_end(position)
        if self.text[position:first].rstrip() != "---" or not KEY.match(self.text, first):
            return position
        end = FRONT_MATTER_END.search(self.text, first)
        return self._line_end(end.end()) if end else position

    def _line(self, start: int, end: int) -> int:
        line = self.text[start:end]
        bare = line.strip()
        paragraph, self.paragraph = self.paragraph, None
        if not bare:
            self.in_html = False
            self.keeper.blank(start, end)
            return end
        self.in_html = self.in_html or STARTS_HTML.match(line) is not None
        # What follows a comment is no line of its own; a byte order mark may be before the first line.
        is_line = start < 2 or self.text[start - 1] == "\n"
        fence = FENCE.match(line) if is_line and ("```" in bare or "~~~" in bare) else None
        if fence and (fence["mark"][0] == "~" or "`" not in fence["info"]):
            return self._code(start, fence["mark"])
        if self.comments and (opened := line.find("<!--")) >= 0 and line.count("`", 0, opened) % 2 == 0:
            return self._comment(start, end, start + opened)
        if bare[0] == "<" and (heading := HTML_HEADING.search(line)):
            return self._html_heading(start, end, heading)
        if bare[0] == "<" and OPENED.search(line) and (closed := self.text.find(">", end, end + LOOK_AHEAD)) >= 0:
            end = self._part_end(closed)
        elif is_line and (following := self._block(start, end, bare, paragraph)):
            return following
        return self._text(start, end, paragraph)

    def _block(self, start: int, end: int, bare: str, paragraph: int | None) -> int:
        """Read a line that is no text: a heading, a rule, a table, a definition of a link; 0 where it is none."""
        if bare[0] == "#" and (level := _atx_level(self.text[start:end])):
            return self._heading(start, end, level, _atx_title(bare, level))
        if bare[0] in "=-" and len(bare) > 1 and not bare.strip(bare[0]) and paragraph is not None:
            self.keeper.make_heading(1 if bare[0] == "=" else 2, title(self.text[paragraph:start]))
            return end
        if bare[0] in "-*_" and not bare.strip(bare[0] + " \t") and bare.count(bare[0]) > 2:
            return end
        if "|" in bare and _is_delimiter(self.text[end : self._part_end(end)]):
            return self._table(start, end)
        return end if bare[0] == "[" and DEFINITION.match(self.text[start:end].rstrip()) else 0

    def _text(self, start: int, end: int, paragraph: int | None) -> int:
        line = self.text[start:end]
        spans = kept_spans(line)
        if spans:
            if self.in_html:
                spans = _stripped(line, spans)
            self.keeper.begin("text", joined=True)
            self.keeper.keep(start, spans, end)
            if paragraph is None and self.keeper.block_is_new and not NO_PARAGRAPH.match(line):
                paragraph = start
            if paragraph is not None and end - paragraph < SETEXT_LENGTH:
                self.paragraph = paragraph
        return end

    def _code(self, start: int, mark: str) -> int:
        closing = re.compile(rf"^[ \t>]*{mark[0]}{{{len(mark)},}}[ \t]*\r?$", re.MULTILINE)
        closed = closing.search(self.text, self._line_end(start))
        end = self._line_end(closed.end()) if closed else len(self.text)
        self.keeper.block("code", start, end)
        return end

    def _comment(self, start: int, end: int, opened: int) -> int:
        closed = self.text.find("-->", opened + 4)
        if closed < 0:
            self.comments = False
            return self._line(start, end)
        if self.text[start:opened].strip():
            self._line(start, opened)
        end = self._part_end(closed)
        return end if not self.text[closed + 3 : end].strip() else closed + 3

    def _html_heading(self, start: int, end: int, opened: re.Match[str]) -> int:
        inner = start + opened.end()
        closed = HTML_HEADING_END[opened[1]].search(self.text, inner, inner + LOOK_AHEAD)
        if not closed:
            return self._text(start, end, None)
        if self.text[start : start + opened.start()].strip():
            self._text(start, start + opened.start(), None)
        self._heading(inner, closed.start(), int(opened[1]), title(self.text[inner : closed.start()]))
        end = self._part_end(closed.end())
        if self.text[closed.end() : end].strip():
            return closed.end()
        self.keeper.blank(closed.end(), end)
        return end

    def _heading(self, start: int, end: int, level: int, name: str) -> int:
        line = self.text[start:end]
        self.keeper.begin("heading", level=level, title=name)
        words = "".join(character if character.isalnum() else " " for character in name).split()
        if " ".join(words).casefold() not in CONTENTS:
            self.keeper.keep(start, _stripped(line, spans_without_markup(line)), end)
        self.keeper.end()
        return end

    def _table(self, start: int, end: int) -> int:
        while end < len(self.text):
            following = self._line_end(end)
            if "|" not in (line := self.text[end:following]) or not line.strip():
                break
            end = following
        self.keeper.block("table", start, end)
        return end


def _stripped(line: str, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Take the whitespace off the ends of what stays of a line."""
    while spans and not line[spans[0][0] : spans[0][1]].strip():
        spans = spans[1:]
    while spans and not line[spans[-1][0] : spans[-1][1]].strip():
        spans = spans[:-1]
    if spans:
        first, last = line[spans[0][0] : spans[0][1]], line[spans[-1][0] : spans[-1][1]]
        spans[0] = (spans[0][0] + len(first) - len(first.lstrip()), spans[0][1])
        spans[-1] = (spans[-1][0], spans[-1][1] - len(last) + len(last.rstrip()))
    return spans


def _atx_level(line: str) -> int:
    """Return the level of a heading of the form ``## Text``, 0 where the line is none."""
    stripped = line.lstrip(" ")
    level = len(stripped) - len(stripped.lstrip("#"))
    is_heading = len(line) - len(stripped) < 4 and level < 7 and stripped[level : level + 1].strip() == ""
    return level if is_heading else 0


def _atx_title(bare: str, level: int) -> str:
    text = bare[level:].strip()
    opened = text.rstrip("#")
    return title(opened if not opened.strip() or opened[-1:].isspace() else text)


def _is_delimiter(line: str) -> bool:
    """Say whether a line is the second one of a table, such as ``| --- | :-: |``."""
    bare = line.strip(" \t>\r\n")
    return "-" in bare and "|" in bare and not bare.strip("|-: \t")

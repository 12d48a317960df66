"""Read Markdown as blocks: headings, code, tables and text; what says nothing is left out.

A scanner of lines and not a parser: chunks need to know where things begin and end in the source, any text has to do,
and time has to grow with its length only (CommonMark parsers build a tree, and deep nesting is where they hang).
"""

import re

from chunk_embed.front_matter import front_matter_end
from chunk_embed.inline import heading_pieces, kept_text, pieces, title
from chunk_embed.kept import Keeper, Kept
from chunk_embed.markup import CELL, OPENED, STARTS_HTML, LeftOut, Piece, in_code, label_of
from chunk_embed.noise import is_noise
from chunk_embed.spans import stripped, without_outer_breaks

FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?P<mark>`{3,}|~{3,})(?P<info>[^\n]*)")
HTML_HEADING = re.compile(r"<h([1-6])(?:\s[^<>]*)?>", re.IGNORECASE)
HTML_HEADING_END = {str(level): re.compile(rf"</h{level}\s*>", re.IGNORECASE) for level in range(1, 7)}
# Of a link, with at most a title after the URL; a footnote is text.
DEFINITION = re.compile(
    r"^ {0,3}\[(?P<label>(?!\^)[^\[\]\n]+)\]:[ \t]*(?P<url>\S+)"
    r"(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*\r?$",
    re.MULTILINE,
)
NO_PARAGRAPH = re.compile(r"[ \t]*(?:[-*+>|]|\d{1,9}[.)]|</?[a-z])", re.IGNORECASE)
PRE, PRE_END = re.compile(r"\s*<pre[\s>]", re.IGNORECASE), re.compile(r"</pre\s*>", re.IGNORECASE)
ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])(?=\s)")
INDENTED = re.compile(r"(?: {0,3}\t| {4})[ \t]*\S")
LOOK_AHEAD = 1000  # characters within which a tag that was opened must be closed to be one
SETEXT_LENGTH = 300
LONG_LINE = 1 << 12  # is read in parts, so that a line of many comments does not take its length squared


def read_markdown(text: str, max_noise_ratio: float) -> Kept:
    """Return what a document says and its blocks, and what was left out of it.

    Left out are front matter, comments, tags, badges, the addresses of images, links within the page, link definitions,
    rules, and drawings: lines without a letter or digit that are noise by more than ``max_noise_ratio``. Fences and
    tables stay whole.
    """
    return _Scanner(text, max_noise_ratio).read()


class _Scanner:
    """Goes through a document from start to end; every method that takes a line returns where to go on."""

    def __init__(self, text: str, max_noise_ratio: float) -> None:
        self.text, self.max_noise_ratio = text, max_noise_ratio
        self.keeper = Keeper(text)
        self.references: dict[str, str] = {}
        for found in DEFINITION.finditer(text) if "]:" in text else ():
            self.references.setdefault(label_of(found["label"]), found["url"])
        self.comments = True  # until one is not closed: then none after it is
        self.pres = True  # until one is not closed: then none after it is
        self.in_list = False  # where indented lines belong to an item
        self.may_be_code = True  # after a blank line: else an indented line goes on with the one before
        self.in_html = False  # where the indentation of lines belongs to the tags around them
        self.paragraph: int | None = None  # where the lines began that an underline would make a heading

    def read(self) -> Kept:
        mark = 1 if self.text.startswith("\ufeff") else 0
        self.keeper.leave_out("layout", 0, mark)
        position = front_matter_end(self.text, mark)
        self.keeper.leave_out("front_matter", mark, position)
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

    def _line(self, start: int, end: int) -> int:
        line = self.text[start:end]
        bare = line.strip()
        paragraph, self.paragraph = self.paragraph, None
        may_be_code, self.may_be_code = self.may_be_code, not bare
        if not bare:
            self.in_html = False
            self.keeper.blank(start, end)
            return end
        self.in_list = self.in_list if line[0] in " \t" and not ITEM.match(line) else ITEM.match(line) is not None
        self.in_html = self.in_html or STARTS_HTML.match(line) is not None
        # What follows a comment is no line of its own; a byte order mark may be before the first line.
        is_line = start < 2 or self.text[start - 1] == "\n"
        fence = FENCE.match(line) if is_line and ("```" in bare or "~~~" in bare) else None
        if fence and (fence["mark"][0] == "~" or "`" not in fence["info"]):
            return self._code(start, fence["mark"])
        if is_line and may_be_code and not self.in_list and INDENTED.match(line):
            return self._indented_code(start)
        if self.pres and PRE.match(line):
            if last := PRE_END.search(self.text, start):
                end = self._part_end(last.end())
                self.keeper.block("code", start, end)
                return end
            self.pres = False
        if self.comments and (opened := line.find("<!--")) >= 0 and not in_code(line, opened):
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
            return self._heading(start, end, level, self._atx_title(bare, level))
        if bare[0] in "=-" and len(bare) > 1 and not bare.strip(bare[0]) and paragraph is not None:
            self.keeper.make_heading(1 if bare[0] == "=" else 2, title(self.text[paragraph:start], self.references))
            return self._left_out("layout", start, end)
        if bare[0] in "-*_" and not bare.strip(bare[0] + " \t") and bare.count(bare[0]) > 2:
            return self._left_out("layout", start, end)
        if "|" in bare and _is_delimiter(self.text[end : self._part_end(end)]):
            return self._table(start, end)
        if bare[0] == "[" and paragraph is None and DEFINITION.match(self.text[start:end]):
            return self._left_out("definitions", start, end)
        return 0

    def _left_out(self, kind: LeftOut, start: int, end: int) -> int:
        self.keeper.leave_out(kind, start, end)
        return end

    def _text(self, start: int, end: int, paragraph: int | None) -> int:
        line = self.text[start:end]
        found = pieces(line, self.references)
        if not CELL.search(line) and is_noise(kept_text(line, found), self.max_noise_ratio):
            found = [piece if piece.left_out else piece._replace(left_out="drawings") for piece in found]
        if any(piece.left_out is None for piece in found):
            self.keeper.begin("text", joined=True)
            self._keep(start, end, found, strip=self.in_html)
            if paragraph is None and self.keeper.block_is_new and not NO_PARAGRAPH.match(line):
                paragraph = start
            if paragraph is not None and end - paragraph < SETEXT_LENGTH:
                self.paragraph = paragraph
        else:
            self._keep(start, end, found)
        return end

    def _keep(self, start: int, end: int, found: list[Piece], *, strip: bool = False) -> None:
        """Keep what stays of the line at ``start``, and note what does not."""
        line = self.text[start:end]
        for piece in found:
            if piece.left_out:
                self.keeper.leave_out(piece.left_out, start + piece.start, start + piece.end)
        spans = without_outer_breaks(line, [(piece.start, piece.end) for piece in found if piece.left_out is None])
        self.keeper.keep(start, stripped(line, spans) if strip else spans, end)

    def _code(self, start: int, mark: str) -> int:
        closing = re.compile(rf"^[ \t>]*{mark[0]}{{{len(mark)},}}[ \t]*\r?$", re.MULTILINE)
        closed = closing.search(self.text, self._line_end(start))
        end = self._line_end(closed.end()) if closed else len(self.text)
        self.keeper.block("code", start, end)
        return end

    def _indented_code(self, start: int) -> int:
        """Keep the lines from ``start`` that are indented by four; in them nothing is markup either."""
        self.may_be_code = True
        end = position = start
        while position < len(self.text):
            following = self._line_end(position)
            line = self.text[position:following]
            if line.strip():
                if not INDENTED.match(line):
                    break
                end = following
            position = following
        self.keeper.block("code", start, end)
        return end

    def _comment(self, start: int, end: int, opened: int) -> int:
        closed = self.text.find("-->", opened + 4)
        if closed < 0:
            self.comments = False
            return self._line(start, end)
        if self.text[start:opened].strip():
            self._line(start, opened)
        self.keeper.leave_out("comments", opened, closed + 3)
        end = self._part_end(closed)
        return end if not self.text[closed + 3 : end].strip() else closed + 3

    def _html_heading(self, start: int, end: int, opened: re.Match[str]) -> int:
        inner = start + opened.end()
        closed = HTML_HEADING_END[opened[1]].search(self.text, inner, inner + LOOK_AHEAD)
        if not closed:
            return self._text(start, end, None)
        if self.text[start : start + opened.start()].strip():
            self._text(start, start + opened.start(), None)
        self.keeper.leave_out("tags", start + opened.start(), inner)
        self._heading(inner, closed.start(), int(opened[1]), title(self.text[inner : closed.start()], self.references))
        self.keeper.leave_out("tags", closed.start(), closed.end())
        end = self._part_end(closed.end())
        if self.text[closed.end() : end].strip():
            return closed.end()
        self.keeper.blank(closed.end(), end)
        return end

    def _heading(self, start: int, end: int, level: int, name: str) -> int:
        self.keeper.begin("heading", level=level, title=name)
        self._keep(start, end, heading_pieces(self.text[start:end], self.references), strip=True)
        self.keeper.end()
        return end

    def _atx_title(self, bare: str, level: int) -> str:
        text = bare[level:].strip()
        opened = text.rstrip("#")
        return title(opened if not opened.strip() or opened[-1:].isspace() else text, self.references)

    def _table(self, start: int, end: int) -> int:
        while end < len(self.text):
            following = self._line_end(end)
            if "|" not in (line := self.text[end:following]) or not line.strip():
                break
            end = following
        self.keeper.block("table", start, end)
        return end


def _atx_level(line: str) -> int:
    """Return the level of a heading of the form ``## Text``, 0 where the line is none."""
    stripped = line.lstrip(" ")
    level = len(stripped) - len(stripped.lstrip("#"))
    is_heading = len(line) - len(stripped) < 4 and level < 7 and stripped[level : level + 1].strip() == ""
    return level if is_heading else 0


def _is_delimiter(line: str) -> bool:
    """Say whether a line is the second one of a table, such as ``| --- | :-: |``."""
    bare = line.strip(" \t>\r\n")
    return "-" in bare and "|" in bare and not bare.strip("|-: \t")

"""Read Markdown as blocks (headings, code, tables, text) and leave out what has no meaning for a search.

A line scanner instead of a CommonMark parser, because chunks need positions in the source, any text must be accepted,
and time must be linear in its length: parsers build a tree, and deep nesting makes them hang.
"""

import re

from chunk_embed.clean_text import CleanText, CleanTextBuilder
from chunk_embed.front_matter import front_matter_end
from chunk_embed.inline import clean_line, heading_pieces, is_noise, pieces, stripped, title, without_outer_breaks
from chunk_embed.markup import CELL, OPENED, STARTS_HTML, LeftOut, Piece, in_code, label_of

FENCE = re.compile(r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)?(?P<mark>`{3,}|~{3,})(?P<info>[^\n]*)")
HTML_HEADING = re.compile(r"<h([1-6])(?:\s[^<>]*)?>", re.IGNORECASE)
HTML_HEADING_END = {str(level): re.compile(rf"</h{level}\s*>", re.IGNORECASE) for level in range(1, 7)}
# A link definition, with at most a title after the URL; a footnote is text.
DEFINITION = re.compile(
    r"^ {0,3}\[(?P<label>(?!\^)[^\[\]\n]+)\]:[ \t]*(?P<url>\S+)"
    r"(?:[ \t]+(?:\"[^\"\n]*\"|'[^'\n]*'|\([^()\n]*\)))?[ \t]*\r?$",
    re.MULTILINE,
)
NOT_PARAGRAPH = re.compile(r"[ \t]*(?:[-*+>|]|\d{1,9}[.)]|</?[a-z])", re.IGNORECASE)
PRE, PRE_END = re.compile(r"\s*<pre[\s>]", re.IGNORECASE), re.compile(r"</pre\s*>", re.IGNORECASE)
ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])(?=\s)")
INDENTED = re.compile(r"(?: {0,3}\t| {4})[ \t]*\S")
MAX_TAG = 1000  # characters; a tag that is not closed by then is text
MAX_UNDERLINED = 300  # characters of a heading with an underline
MAX_LINE = 1 << 12  # longer lines are read in parts, so that many comments in one do not take quadratic time


def read_markdown(text: str, max_noise_ratio: float) -> CleanText:
    """Return the clean text of a document, its blocks, and what was left out.

    Left out are front matter, comments, tags, badges, the URLs of images, links within the page, link definitions,
    rules, and drawings: lines without a letter or digit whose noise ratio is above ``max_noise_ratio``. Fenced code and
    tables stay complete.
    """
    return _Scanner(text, max_noise_ratio).read()


class _Scanner:
    """Reads a document from start to end; methods that read a line return the position at which to continue."""

    def __init__(self, text: str, max_noise_ratio: float) -> None:
        self.text, self.max_noise_ratio = text, max_noise_ratio
        self.builder = CleanTextBuilder(text)
        self.references: dict[str, str] = {}
        for match in DEFINITION.finditer(text) if "]:" in text else ():
            self.references.setdefault(label_of(match["label"]), match["url"])
        self.may_be_comment = True  # false after one that is not closed: no later one is
        self.may_be_pre = True  # false after one that is not closed: no later one is
        self.in_list = False  # indented lines are part of an item
        self.may_be_code = True  # after a blank line; otherwise an indented line continues the one before
        self.in_html = False  # indentation is that of the tags around a line
        self.paragraph: int | None = None  # start of the lines that an underline would make a heading

    def read(self) -> CleanText:
        mark = 1 if self.text.startswith("\ufeff") else 0
        self.builder.leave_out("layout", 0, mark)
        position = front_matter_end(self.text, mark)
        self.builder.leave_out("front_matter", mark, position)
        while position < len(self.text):
            position = self._line(position, self._part_end(position))
        return self.builder.build()

    def _part_end(self, position: int) -> int:
        """Return the end of the line at ``position``, or a position between words if it is too long."""
        limit = position + MAX_LINE
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
            self.builder.add_blank(start, end)
            return end
        self.in_list = self.in_list if line[0] in " \t" and not ITEM.match(line) else ITEM.match(line) is not None
        self.in_html = self.in_html or STARTS_HTML.match(line) is not None
        # Text after a comment does not start a line; the first line may follow a byte order mark.
        is_line = start < 2 or self.text[start - 1] == "\n"
        fence = FENCE.match(line) if is_line and ("```" in bare or "~~~" in bare) else None
        if fence and (fence["mark"][0] == "~" or "`" not in fence["info"]):
            return self._code(start, fence["mark"])
        if is_line and may_be_code and not self.in_list and INDENTED.match(line):
            return self._indented_code(start)
        if self.may_be_pre and PRE.match(line):
            if last := PRE_END.search(self.text, start):
                end = self._part_end(last.end())
                self.builder.add_block("code", start, end)
                return end
            self.may_be_pre = False
        if self.may_be_comment and (opened := line.find("<!--")) >= 0 and not in_code(line, opened):
            return self._comment(start, end, start + opened)
        if bare[0] == "<" and (heading := HTML_HEADING.search(line)):
            return self._html_heading(start, end, heading)
        if bare[0] == "<" and OPENED.search(line) and (closed := self.text.find(">", end, end + MAX_TAG)) >= 0:
            end = self._part_end(closed)
        elif is_line and (following := self._block(start, end, bare, paragraph)):
            return following
        return self._text(start, end, paragraph)

    def _block(self, start: int, end: int, bare: str, paragraph: int | None) -> int:
        """Read a heading, rule, table or link definition; return 0 if the line is none of them."""
        if bare[0] == "#" and (level := _atx_level(self.text[start:end])):
            return self._heading(start, end, level, self._atx_title(bare, level))
        if bare[0] in "=-" and len(bare) > 1 and not bare.strip(bare[0]) and paragraph is not None:
            self.builder.make_heading(1 if bare[0] == "=" else 2, title(self.text[paragraph:start], self.references))
            return self._leave_out("layout", start, end)
        if bare[0] in "-*_" and not bare.strip(bare[0] + " \t") and bare.count(bare[0]) > 2:
            return self._leave_out("layout", start, end)
        if "|" in bare and _is_delimiter(self.text[end : self._part_end(end)]):
            return self._table(start, end)
        if bare[0] == "[" and paragraph is None and DEFINITION.match(self.text[start:end]):
            return self._leave_out("definitions", start, end)
        return 0

    def _leave_out(self, kind: LeftOut, start: int, end: int) -> int:
        self.builder.leave_out(kind, start, end)
        return end

    def _text(self, start: int, end: int, paragraph: int | None) -> int:
        line = self.text[start:end]
        parts = pieces(line, self.references)
        if not CELL.search(line) and is_noise(clean_line(line, parts), self.max_noise_ratio):
            parts = [piece if piece.left_out else piece._replace(left_out="drawings") for piece in parts]
        if any(piece.left_out is None for piece in parts):
            self.builder.begin("text", joined=True)
            self._add_line(start, end, parts, strip=self.in_html)
            if paragraph is None and self.builder.block_is_new and not NOT_PARAGRAPH.match(line):
                paragraph = start
            if paragraph is not None and end - paragraph < MAX_UNDERLINED:
                self.paragraph = paragraph
        else:
            self._add_line(start, end, parts)
        return end

    def _add_line(self, start: int, end: int, parts: list[Piece], *, strip: bool = False) -> None:
        """Add the line at ``start``, and record what is left out of it."""
        line = self.text[start:end]
        for piece in parts:
            if piece.left_out:
                self.builder.leave_out(piece.left_out, start + piece.start, start + piece.end)
        spans = without_outer_breaks(line, [(piece.start, piece.end) for piece in parts if piece.left_out is None])
        self.builder.add_line(start, stripped(line, spans) if strip else spans, end)

    def _code(self, start: int, mark: str) -> int:
        closing = re.compile(rf"^[ \t>]*{mark[0]}{{{len(mark)},}}[ \t]*\r?$", re.MULTILINE)
        closed = closing.search(self.text, self._line_end(start))
        end = self._line_end(closed.end()) if closed else len(self.text)
        self.builder.add_block("code", start, end)
        return end

    def _indented_code(self, start: int) -> int:
        """Add the lines from ``start`` on that are indented by four; nothing in them is markup."""
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
        self.builder.add_block("code", start, end)
        return end

    def _comment(self, start: int, end: int, opened: int) -> int:
        closed = self.text.find("-->", opened + 4)
        if closed < 0:
            self.may_be_comment = False
            return self._line(start, end)
        if self.text[start:opened].strip():
            self._line(start, opened)
        self.builder.leave_out("comments", opened, closed + 3)
        end = self._part_end(closed)
        return end if not self.text[closed + 3 : end].strip() else closed + 3

    def _html_heading(self, start: int, end: int, opened: re.Match[str]) -> int:
        inner = start + opened.end()
        closed = HTML_HEADING_END[opened[1]].search(self.text, inner, inner + MAX_TAG)
        if not closed:
            return self._text(start, end, None)
        if self.text[start : start + opened.start()].strip():
            self._text(start, start + opened.start(), None)
        self.builder.leave_out("tags", start + opened.start(), inner)
        self._heading(inner, closed.start(), int(opened[1]), title(self.text[inner : closed.start()], self.references))
        self.builder.leave_out("tags", closed.start(), closed.end())
        end = self._part_end(closed.end())
        if self.text[closed.end() : end].strip():
            return closed.end()
        self.builder.add_blank(closed.end(), end)
        return end

    def _heading(self, start: int, end: int, level: int, name: str) -> int:
        self.builder.begin("heading", level=level, title=name)
        self._add_line(start, end, heading_pieces(self.text[start:end], self.references), strip=True)
        self.builder.end()
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
        self.builder.add_block("table", start, end)
        return end


def _atx_level(line: str) -> int:
    """Return the level of a heading of the form ``## Text``, 0 if the line is none."""
    stripped = line.lstrip(" ")
    level = len(stripped) - len(stripped.lstrip("#"))
    is_heading = len(line) - len(stripped) < 4 and level < 7 and stripped[level : level + 1].strip() == ""
    return level if is_heading else 0


def _is_delimiter(line: str) -> bool:
    """Return whether a line is the second line of a table, such as ``| --- | :-: |``."""
    bare = line.strip(" \t>\r\n")
    return "-" in bare and "|" in bare and not bare.strip("|-: \t")

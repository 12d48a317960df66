"""Find the front matter of a document: YAML before the text, between two lines of dashes."""

import re

KEY = re.compile(r"[\w\"'-]+[ \t]*:(?=\s)")
# Lines of YAML; a text between two rules is not front matter.
YAML_LINE = re.compile(r"[ \t#}\]].*|-(?:[ \t].*)?|[\w\"'. -]+:(?:[ \t].*)?")
FRONT_MATTER_END = re.compile(r"^(?:---|\.\.\.)[ \t]*\r?$", re.MULTILINE)


def front_matter_end(text: str, start: int) -> int:
    """Return the end of the front matter at ``start``, or ``start`` if there is none; three dashes alone are a rule."""
    first = _line_end(text, start)
    if text[start:first].rstrip() != "---" or not KEY.match(text, first):
        return start
    closing = FRONT_MATTER_END.search(text, first)
    is_front_matter = closing and _is_yaml(text[first : closing.start()].splitlines())
    return _line_end(text, closing.end()) if closing and is_front_matter else start


def _line_end(text: str, position: int) -> int:
    return text.find("\n", position) + 1 or len(text)


def _is_yaml(lines: list[str]) -> bool:
    """Return whether each line may be YAML; a Markdown heading after a blank line is not."""
    before = ""
    for line in lines:
        if line.strip() and (not YAML_LINE.fullmatch(line) or (line[0] == "#" and not before.strip())):
            return False
        before = line
    return True

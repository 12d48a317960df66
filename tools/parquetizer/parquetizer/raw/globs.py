"""Match names of files by patterns, as shells and git do."""

import re
from collections.abc import Callable

MAGIC = re.compile(r"[*?\[]")


def is_pattern(text: str) -> bool:
    """Say whether a text has one of ``* ? [``."""
    return bool(MAGIC.search(text))


def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that says whether a name with ``/`` between its parts matches a pattern.

    ``*`` and ``?`` match within a part, ``[…]`` one character, ``**`` any number of parts. A dot at the start of a part
    must be matched by a dot: ``*.jpg`` is not ``._a.jpg``, which macOS adds to archives.
    """
    parts = pattern.split("/")
    expression = ""
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            expression += r"(?:(?!\.)[^/]+/)*" + (r"(?!\.)[^/]+" if last else "")
        else:
            expression += _part(part) + ("" if last else "/")
    matches = re.compile(expression, re.DOTALL).fullmatch
    return lambda name: matches(name) is not None


def _part(part: str) -> str:
    expression = "" if part.startswith(".") else r"(?!\.)"
    for piece in re.findall(r"\*+|\?|\[[!^]?\]?[^\]]*\]|.", part, re.DOTALL):
        if piece.startswith("*"):
            expression += "[^/]*"
        elif piece == "?":
            expression += "[^/]"
        elif piece.startswith("[") and len(piece) > 1:
            negated = piece[1] in "!^"
            inside = piece[2:-1] if negated else piece[1:-1]
            escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside)
            expression += f"(?!/)[{'^' if negated else ''}{escaped}]"
        else:
            expression += re.escape(piece)
    return expression

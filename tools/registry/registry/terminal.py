"""Text for a terminal of 80 columns: labelled lines, amounts, and whether to use colour."""

import os
import textwrap
from collections.abc import Iterable

from data_registry.stage.redaction import LIMIT, redacted

WIDTH = 80
INDENT = 12
UNITS = ("B", "kB", "MB", "GB", "TB")


def row(label: str, text: str, indent: int = INDENT) -> list[str]:
    """Return a label and its text, wrapped; no lines for an empty text. Control characters become spaces."""
    return wrapped(f"  {label:<{indent - 3}} ", printable(text), indent)


def wrapped(head: str, text: str, indent: int = 0, break_long_words: bool = True) -> list[str]:
    """Return a text in lines after ``head``, the others with its width, or ``indent``; no lines for an empty text."""
    below = " " * (indent or len(head))
    wrapper = textwrap.TextWrapper(WIDTH, head, below, break_long_words=break_long_words, break_on_hyphens=False)
    return wrapper.wrap(text)


def rows(label: str, texts: Iterable[str], indent: int = INDENT) -> list[str]:
    """Return the lines of several texts, the label before the first."""
    lines: list[str] = []
    for text in texts:
        lines += row("" if lines else label, text, indent)
    return lines


def printable(text: str) -> str:
    """Return a text without characters that move the cursor or change direction, and without passwords in URLs."""
    text = redacted(text) if len(text) <= LIMIT else text
    return "".join(character if character.isprintable() else " " for character in text)


def amount(size: int) -> str:
    """Return a number of bytes with a unit, as 1.5 MB."""
    number, unit = float(size), 0
    while number >= 1000 and unit < len(UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.0f} {UNITS[unit]}" if number >= 10 or not unit else f"{number:.1f} {UNITS[unit]}"


def colour() -> bool | None:
    """Return click's setting for colour: never with NO_COLOR (https://no-color.org) or on a dumb terminal."""
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None

"""Lines for a terminal of 80 columns: a label, and its texts in a column of their own; and whether in colour."""

import os
import textwrap
from collections.abc import Iterable

from data_registry.stage.redaction import LIMIT, redacted

WIDTH = 80
INDENT = 12
UNITS = ("B", "kB", "MB", "GB", "TB")


def row(label: str, text: str, indent: int = INDENT) -> list[str]:
    """Return a text behind its label, wrapped; none where there is no text. Control characters become spaces."""
    return textwrap.wrap(
        printable(text),
        WIDTH,
        initial_indent=f"  {label:<{indent - 3}} ",
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
    )


def rows(label: str, texts: Iterable[str], indent: int = INDENT) -> list[str]:
    """Return a line or more for each text, the label before the first."""
    found: list[str] = []
    for text in texts:
        found += row("" if found else label, text, indent)
    return found


def printable(text: str) -> str:
    """Return a text without what would move the cursor or turn its direction, and without passwords of addresses."""
    text = redacted(text) if len(text) <= LIMIT else text
    return "".join(character if character.isprintable() else " " for character in text)


def amount(size: int) -> str:
    """Return a number of bytes, as people write it."""
    number, unit = float(size), 0
    while number >= 1000 and unit < len(UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.0f} {UNITS[unit]}" if number >= 10 or not unit else f"{number:.1f} {UNITS[unit]}"


def colour() -> bool | None:
    """Return click's setting for escape codes: never where the environment says so, or else on terminals alone.

    https://no-color.org; a dumb terminal shows them as they are.
    """
    return False if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" else None

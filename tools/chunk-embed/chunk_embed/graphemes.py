"""Say where a text may be cut: never inside what a reader sees as one character."""

import unicodedata

JOINERS = "\u200c\u200d"  # zero-width non-joiner and joiner
VIRAMA = 9  # the combining class of signs that join two consonants in Indic scripts


def is_boundary(text: str, position: int, low: int = 0) -> bool:
    """Say whether a text may be cut before ``position``, a place from ``low``, which is such a boundary, onwards.

    The rules are those of Unicode's UAX #29 that matter for real texts: combining marks and variation selectors stay
    with their base, emoji with what is joined to them, flags are two letters, syllables of Hangul are whole.
    """
    if position <= low or position >= len(text):
        return True
    before, after = text[position - 1], text[position]
    if before.isascii() and after.isascii():
        return True
    if unicodedata.category(after)[0] == "M" or after in JOINERS or before == JOINERS[1] or _continues(after):
        return False
    if unicodedata.combining(before) == VIRAMA and after.isalpha():
        return False
    if "\u1100" <= before <= "\u115f" and ("\u1100" <= after <= "\u115f" or "\uac00" <= after <= "\ud7a3"):
        return False
    if _regional(before) and _regional(after):
        start = position
        while start > low and _regional(text[start - 1]):
            start -= 1
        return (position - start) % 2 == 0
    return True


def last_boundary(text: str, low: int, high: int) -> int:
    """Return the last boundary above ``low`` and up to ``high``, or ``high`` where one character fills all of it."""
    return next((place for place in range(high, low, -1) if is_boundary(text, place, low)), high)


def first_boundary(text: str, position: int, end: int, low: int) -> int:
    """Return the first boundary from ``position`` to ``end``; ``low`` is a boundary before them."""
    return next((place for place in range(position, end) if is_boundary(text, place, low)), end)


def _continues(character: str) -> bool:
    """Skin tones, tags of flags, and what follows the first letter of a Hangul syllable."""
    return (
        "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
        or "\u1160" <= character <= "\u11ff"
    )


def _regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"

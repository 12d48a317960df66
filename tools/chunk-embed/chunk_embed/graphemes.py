"""Find the boundaries of characters as a reader sees them (grapheme clusters), where a text may be split.

Not `\\X` of the package regex: it gives the same boundaries in all real READMEs, but not for CR LF, Thai SARA AM, marks
before digits and some conjuncts, so that chunks of released documents could change; and its rules change with Unicode.
"""

import unicodedata

JOINERS = "\u200c\u200d"  # zero-width non-joiner and joiner
VIRAMA = 9  # the combining class of signs that join two consonants in Indic scripts


def is_boundary(text: str, position: int, low: int = 0) -> bool:
    """Return whether ``position`` is a boundary; ``low``, at or before it, is known to be one.

    These are the rules of Unicode's UAX #29 that matter for real texts: combining marks and variation selectors stay
    with their base, joined emoji together, flags are two letters, Hangul syllables are not split.
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
    """Return the last boundary after ``low`` and up to ``high``, or ``high`` if there is none."""
    return next((index for index in range(high, low, -1) if is_boundary(text, index, low)), high)


def first_boundary(text: str, position: int, end: int, low: int) -> int:
    """Return the first boundary from ``position`` on, at most ``end``; ``low`` is a boundary before it."""
    return next((index for index in range(position, end) if is_boundary(text, index, low)), end)


def _continues(character: str) -> bool:
    """Return whether it is a skin tone, a tag of a flag, or a Hangul letter after the first of its syllable."""
    return (
        "\U0001f3fb" <= character <= "\U0001f3ff"
        or "\U000e0020" <= character <= "\U000e007f"
        or "\u1160" <= character <= "\u11ff"
    )


def _regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"

"""Measure how much of a line is drawing and not writing."""

import collections
import re
import unicodedata

RUNS = re.compile(r"([!-/:-@\[-_{-}])\1{3,}")  # lines and boxes of ASCII characters, but not the fences of code


def is_noise(line: str, max_noise_ratio: float) -> bool:
    """Return whether a line has neither letter nor digit, and more noise than ``max_noise_ratio``."""
    return not has_words(line) and noise_ratio(line) > max_noise_ratio


def has_words(text: str) -> bool:
    """Return whether there is a letter or digit of any script in a text."""
    return any(character.isalnum() for character in text)


def noise_ratio(text: str) -> float:
    """Return the share of noise among the characters of a text that are no whitespace, 0 to 1.

    Noise is what is neither letter, mark, digit nor punctuation of any script (arrows, boxes, emoji), and ASCII
    punctuation repeated four times or more. Whitespace does not count, so that the padding of a box does not hide it.
    """
    counts = collections.Counter(text)
    visible = sum(count for character, count in counts.items() if not character.isspace())
    drawn = sum(count for character, count in counts.items() if _is_noise(character))
    repeated = sum(match.end() - match.start() for match in RUNS.finditer(text))
    return (drawn + repeated) / visible if visible else 0.0


def _is_noise(character: str) -> bool:
    if character.isascii() or character.isspace():
        return False
    return unicodedata.category(character) in {"So", "Sm", "Sk", "Cc", "Cn", "Co", "Cs"}

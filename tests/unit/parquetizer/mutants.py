"""Damage valid files, and make invalid ones from scratch: by dice, or by what Hypothesis draws."""

import random
from collections.abc import Sequence

from hypothesis import strategies as st

CHANGES = ("flip", "set", "cut", "end", "repeat", "insert", "over", "number")
BYTES = (0, 1, 9, 10, 13, 34, 92, 127, 128, 0xD8, 0xED, 0xFF)
NUMBERS = (0, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)
Change = tuple[str, int, int]  # what, where, and a number of meaning to it


def changed(data: bytes, changes: Sequence[Change], tokens: Sequence[bytes]) -> bytes:
    """Apply changes to a file; positions and numbers may be any."""
    for what, where, number in changes:
        at = where % (len(data) + 1)
        size = 1 + number % 40
        token = tokens[number % len(tokens)]
        if what == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ 1 << number % 8]) + data[at + 1 :]
        elif what == "set":
            data = data[:at] + bytes([BYTES[number % len(BYTES)]]) + data[at + 1 :]
        elif what == "cut":
            data = data[:at] + data[at + size :]
        elif what == "end":
            data = data[:at]
        elif what == "repeat":
            data = data[: at + size] + data[at:]
        elif what == "insert":
            data = data[:at] + token + data[at:]
        elif what == "over":
            data = data[:at] + token + data[at + len(token) :]
        elif what == "number":
            width = (1, 2, 4)[number % 3]
            written = NUMBERS[number % len(NUMBERS)].to_bytes(8, "big")[-width:]
            data = data[:at] + (written if number & 1 else written[::-1]) + data[at + width :]
    return data


def damaged(whole: Sequence[bytes], tokens: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Strategy: valid files with a few changes, runs of tokens, and any bytes."""
    change = st.tuples(st.sampled_from(CHANGES), st.integers(0, max(map(len, whole))), st.integers(0, 1 << 16))
    changes = st.lists(change, max_size=4)
    return (
        st.builds(lambda data, made: changed(data, made, tokens), st.sampled_from([*whole]), changes)
        | st.lists(st.sampled_from([*tokens]), max_size=12).map(b"".join)
        | st.binary(max_size=60)
    )


def by_dice(seed: int, whole: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """Do the same for a seed, ten times as fast."""
    dice = random.Random(seed)
    kind = dice.randrange(10)
    if kind == 0:
        return dice.randbytes(dice.randrange(60))
    if kind == 1:
        return b"".join(dice.choices(tokens, k=dice.randrange(12)))
    data = dice.choice(whole)
    number = dice.randrange(5)
    made = [(dice.choice(CHANGES), dice.randrange(len(data) + 1), dice.randrange(1 << 16)) for _ in range(number)]
    return changed(data, made, tokens)

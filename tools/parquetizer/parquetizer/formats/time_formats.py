"""The formats of dates and times: those of Python's ``strptime``, in English.

``%f`` may have up to nine digits, and ``%s`` is seconds since 1970.
"""

import dataclasses
import functools
import re
from typing import Final

import pyarrow as pa

MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august", "september", "october"),
    *("november", "december"),
)
DAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
NAMES: Final = {"B": MONTHS, "b": tuple(name[:3] for name in MONTHS), "A": DAYS, "a": tuple(name[:3] for name in DAYS)}
DIRECTIVES: Final = {
    **dict.fromkeys("mdHIMS", "[0-9]{1,2}"),
    **{letter: f"(?i:{'|'.join(names)})" for letter, names in NAMES.items()},
    **{"Y": "[0-9]{4}", "y": "[0-9]{2}", "j": "[0-9]{1,3}", "f": "[0-9]{1,9}", "p": "(?i:[ap]m)"},
    "z": "Z|[+-][0-9]{2}:?[0-9]{2}",
}
WIDTHS: Final = {**dict.fromkeys("ymdHIMS", 2), "Y": 4, "j": 3}  # of padded numbers
PIECES: Final = re.compile("%(.?)|([^%]+)", re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Format:
    """A strptime format: the regular expression of its values, and its directives.

    ``fixed`` are its literals and directives, with their widths, if padded values all have the same width.
    """

    pattern: str
    directives: str
    fixed: tuple[tuple[str, int], ...] = ()


@functools.cache
def compiled(format: str, kind: pa.DataType) -> Format:
    """Compile a format. Raises ValueError if it is not one for values of the type."""
    if format == "%s" and pa.types.is_timestamp(kind):
        return Format("", "s")
    pattern, directives, adjacent = "", "", False
    pieces = [*PIECES.finditer(format)]
    for number, piece in enumerate(pieces):
        letter, literal = piece.groups()
        if literal or letter == "%":
            pattern, adjacent = pattern + re.escape(literal or "%"), False
            continue
        if letter not in DIRECTIVES or not letter:
            raise ValueError(f"unsupported directive %{letter} in format {format!r:.40}")
        if letter in directives:
            raise ValueError(f"duplicate directive %{letter} in format {format!r:.40}")
        digits = DIRECTIVES[letter]
        following = pieces[number + 1][1] if number + 1 < len(pieces) else None
        if adjacent or (following and following in "mdHIMSYyjf"):  # 2021111 could be the 1st or the 11th
            digits = digits.replace("{1,2}", "{2}").replace("{1,3}", "{3}")
        adjacent = letter in "mdHIMSYyjf"
        pattern, directives = pattern + f"(?P<{letter}>{digits})", directives + letter
    _check(directives, kind, format)
    return Format(f"^{pattern}$", directives, _fixed(pieces))


def _fixed(pieces: list[re.Match[str]]) -> tuple[tuple[str, int], ...]:
    parts = [(piece[1], WIDTHS.get(piece[1], 0)) if piece[1] not in (None, "%") else (piece[0], -1) for piece in pieces]
    return tuple(parts) if all(width for _, width in parts) and "%%" not in dict(parts) else ()


def _check(directives: str, kind: pa.DataType, format: str) -> None:
    date, time = set("YymdjbBaA") & {*directives}, set("HIMSfp") & {*directives}
    problem = ""
    if pa.types.is_time(kind):
        problem = "a date" if date or "z" in directives else ""
    elif not {"Y", "y"} & date:
        problem = "no year"
    elif pa.types.is_date(kind) and (time or "z" in directives):
        problem = "a time: declare a timestamp, or write a constant time as it is"
    elif "d" in date and not {*"mbB"} & date:
        problem = "a day, but no month"
    elif "z" in directives and not kind.tz:
        problem = "an offset: declare a timestamp with a zone, such as timestamp[us, UTC]"
    if ("I" in directives) != ("p" in directives) or {"H", "I"} <= time:
        problem = "a half day: use %I with %p, or %H alone"
    if (time and not {"H", "I"} & time) or (pa.types.is_time(kind) and not time):
        problem = "no hour"
    if {"Y", "y"} <= date or len({*"mbB"} & date) > 1 or ("j" in date and {*"mbBd"} & date):
        problem = "one part of the date twice"
    if problem:
        raise ValueError(f"the format {format!r:.40} of a {kind} has {problem}")

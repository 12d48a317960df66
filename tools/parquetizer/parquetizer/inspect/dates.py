"""Recognise dates and timestamps in strings, and the one format that all of them have.

A format is proposed only if no other reads the same strings as other days: 01/02/2024 alone may be the second of
January or the first of February, and stays a string.
"""

import dataclasses
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from parquetizer.formats.temporal import parse_temporal

DATES: Final = (
    *("%Y/%m/%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%m-%d-%Y", "%d-%m-%Y"),
    *("%d-%b-%Y", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%b %d, %Y", "%B %d, %Y", "%a %b %d %Y"),
)
CLOCKS: Final = (" %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
ZONED: Final = ("%a %b %d %H:%M:%S %z %Y", "%d/%b/%Y:%H:%M:%S %z")  # of Twitter, and of web servers
FORMATS: Final = {
    **dict.fromkeys(DATES, "date"),
    **{date + clock: "timestamp[ms]" for date in DATES for clock in CLOCKS},
    **dict.fromkeys(ZONED, "timestamp[ms, UTC]"),
}
ISO_DATE, ISO = "date", "timestamp"
SHAPES: Final = {  # of what is written as ISO 8601, and needs no format
    ISO_DATE: r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\z",
    ISO: r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?\z",
    f"{ISO} in UTC": (
        r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+]00(:?00)?)\z"
    ),
}
FRACTION: Final = r"\.(?P<digits>[0-9]+)"
# By digits of fractions; Parquet has no seconds.
UNITS: Final = {0: "ms", 3: "ms", 6: "us", 9: "ns"}


@dataclasses.dataclass(frozen=True)
class DateFormat:
    """The type of a column, and the format of its strings unless that is ISO 8601."""

    type: str
    format: str = ""


class DateFacts:
    """The formats that fit all strings of a column so far."""

    def __init__(self) -> None:
        self._formats: list[str] | None = None  # of FORMATS and SHAPES
        self._digits = 0  # of fractions of a second

    @property
    def possible(self) -> bool:
        """Whether a format is left."""
        return self._formats is None or bool(self._formats)

    def add(self, values: pa.StringArray) -> None:
        """Drop the formats that do not fit these strings, none of which is null."""
        if not len(values) or not self.possible:
            return
        if self._formats is None:
            first = values[:1]
            self._formats = [name for name in (*SHAPES, *FORMATS) if _fits(first, name)]
        self._formats = [name for name in self._formats if _fits(values, name)]
        if any(name.startswith(ISO) for name in self._formats):
            digits = pc.binary_length(pc.extract_regex(values, FRACTION).field("digits"))
            self._digits = max(self._digits, pc.max(digits).as_py() or 0)

    def result(self) -> DateFormat | None:
        """Return the format, or None if none fits, or several that read other days."""
        if not self._formats or len(self._formats) > 1:
            return None
        (name,) = self._formats
        if name == ISO_DATE:
            return DateFormat("date")
        if name in SHAPES:
            unit = UNITS[-(-self._digits // 3) * 3]
            return DateFormat(f"timestamp[{unit}]" if name == ISO else f"timestamp[{unit}, UTC]")
        return DateFormat(FORMATS[name], name)


def _fits(values: pa.StringArray, name: str) -> bool:
    """Say whether a format reads all strings, as days that exist."""
    if name in SHAPES and not pc.all(pc.match_substring_regex(values, SHAPES[name])).as_py():
        return False
    kind = pa.date32() if FORMATS.get(name, name) == "date" else pa.timestamp("ns")
    if name in ZONED and not pc.all(pc.match_substring(values, "+0000")).as_py():  # others would lose their offset
        return False
    if "UTC" in FORMATS.get(name, "") or name.endswith("UTC"):
        kind = pa.timestamp("ns", "UTC")
    try:
        parse_temporal(values, kind, name if name in FORMATS else "")
    except pa.ArrowInvalid:
        return False
    return True

"""Detect the dialect of a CSV file by the number of fields in each of its rows.

A delimiter with a quote is right where every row has the same number of fields, but for a preamble and comments, and
every quote is beside a delimiter. Where several are, the one wins whose fields look most like values.
"""

import copy
import csv
import dataclasses
import io
import re
from collections.abc import Iterator
from typing import Final

from parquetizer.formats.csv_dialect import WHITESPACE
from parquetizer.inspect.field_counts import RUN, SAMPLE, FieldCounts
from parquetizer.inspect.header import NUMBER
from parquetizer.inspect.strings import NULLS

QUOTES: Final = b"\"'"
PREAMBLE: Final = 50  # lines
RARE: Final = " ,;|\t"  # the rarer in texts, the later
NAMES: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe", " ": "space", WHITESPACE: "white space"}
VALUE: Final = re.compile(r"[+-]?[\d.,]*\d%?([eE][+-]?\d+)?|\d[\d./: TZ+-]*|\w*|[?.-]+|true|false", re.ASCII)
MISSING: Final = {*NULLS} - {""}  # which is between two spaces
SHARE: Final = 0.9  # of the rows that must agree if no delimiter has all


@dataclasses.dataclass(frozen=True)
class Dialect:
    """How the rows of a file are written; ``fields`` in each of ``rows``, header included, but for the ``others``."""

    delimiter: str
    quote: str  # or none
    fields: int
    rows: int
    others: int = 0  # rows with another number of fields, not counting the preamble
    skip_rows: int = 0  # lines of the preamble
    comments: int = 0
    multiline: bool = False
    longest: int = 0  # bytes of a row
    spaced: bool = False  # spaces between delimiters and quotes
    reasons: tuple[tuple[str, str], ...] = ()  # by setting


class DialectFacts:
    """What the blocks of a file, in UTF-8 or another superset of ASCII, say about its dialect."""

    def __init__(self) -> None:
        self._counts = {0: FieldCounts(0)}
        self._sample = b""

    def add(self, block: bytes) -> None:
        """Count the fields of a block."""
        if len(self._sample) < SAMPLE:
            self._sample += block[: SAMPLE - len(self._sample)]
        for quote in QUOTES:
            if quote not in self._counts and quote in block:  # up to here it is the same as without quotes
                self._counts[quote] = copy.deepcopy(self._counts[0])
                self._counts[quote].quote = quote
        for fields in self._counts.values():
            fields.add(block)

    def result(self) -> Dialect:
        """Return the dialect, after the last block."""
        for fields in self._counts.values():
            fields.end()
        return _selected(self._counts, self._sample)


def _selected(counts: dict[int, FieldCounts], sample: bytes) -> Dialect:
    candidates = list(_candidates(counts))
    several = [candidate for candidate in candidates if candidate.fields > 1 and candidate.delimiter != WHITESPACE]
    exact = [candidate for candidate in several if not candidate.others]
    plain = [candidate for candidate in exact if candidate.delimiter != " "] or [
        candidate for candidate in exact if _numeric(candidate, sample) == 1
    ]
    # Rows that differ are errors with their line in a build, better than one column of everything.
    nearly = [one for one in several if one.delimiter != " " and one.others <= (1 - SHARE) * one.rows]
    runs = [one for one in candidates if one.delimiter == WHITESPACE and not one.others and not one.multiline]
    spaced = [one for one in runs if one.fields > 1 and _numeric(one, sample) >= 0.5]
    if plain:
        best = max(plain, key=lambda one: (_likeness(one, sample, plain), one.quote == '"', RARE.index(one.delimiter)))
    elif spaced:
        best = max(spaced, key=lambda one: one.quote == '"')
    elif nearly:
        best = min(nearly, key=lambda one: one.others)
    else:
        return _one_column(counts[0], candidates)
    what = f"{best.fields} fields in " + ("each" if not best.others else f"{best.rows - best.others}")
    reasons = [("delimiter", f"{NAMES[best.delimiter]}: {what} of {best.rows:,} rows")]
    if not best.quote:
        reasons.append(("quote", "quotes are part of the values: some are not beside a delimiter"))
    if best.spaced:
        reasons.append(("trim", "spaces between delimiters and quotes"))
    if best.skip_rows:
        reasons.append(("skip-rows", f"the first {best.skip_rows} lines have another number of fields than the others"))
    if best.comments:
        reasons.append(("comment", f"{best.comments:,} lines begin with #"))
    if best.multiline:
        reasons.append(("multiline", "line breaks between quotes"))
    return dataclasses.replace(best, reasons=tuple(reasons))


def _one_column(plain: FieldCounts, candidates: list[Dialect]) -> Dialect:
    """Return a dialect whose delimiter is not in the file."""
    unused = [mark for mark, rows in zip(plain.marks, plain.rows, strict=True) if set(rows) <= {0}]
    delimiter = chr(next((mark for mark in unused if chr(mark) != " " and mark != RUN), 1))
    quoted = [one for one in candidates if one.quote and one.fields == 1 and not one.others]
    rows = sum(plain.rows[0].values())
    what = f"one column: no delimiter has the same number of fields in each of {rows:,} rows"
    one = quoted[0] if quoted and delimiter != "\1" else None
    has_quotes = any(one.quote for one in candidates)
    quote = one.quote if one else "" if has_quotes else '"'
    multiline = bool(one and one.multiline)
    reasons = (("delimiter", what),)
    return Dialect(delimiter, quote, 1, rows, multiline=multiline, longest=plain.longest, reasons=reasons)


def _candidates(counts: dict[int, FieldCounts]) -> Iterator[Dialect]:
    for quote, fields in counts.items():
        for number, mark in enumerate(fields.marks):
            if fields.strays[number] or (quote and fields.inside):
                continue
            rows, comments = fields.rows[number].copy(), fields.comments[number]
            if not rows:
                continue
            usual = rows.most_common(1)[0][0]
            has_comments = any(count != usual for count in comments)
            if not has_comments:
                rows.update(comments)
            preamble = _preamble(fields.first[number], usual) if not has_comments else 0
            skipped = [count for count in fields.first[number][:preamble] if count is not None]
            total = sum(rows.values()) - len(skipped)
            others = total - rows[usual] + sum(count == usual for count in skipped)
            written = '"' if quote == 0 and ord('"') not in counts else chr(quote) if quote else ""
            yield Dialect(
                chr(mark) if mark != RUN else WHITESPACE,
                written,
                usual + 1,
                total,
                others,
                preamble,
                sum(comments.values()) if has_comments else 0,
                fields.multiline,
                fields.longest,
                quote > 0 and fields.spaced > 0 and chr(mark) != " " and mark != RUN,
            )


def _preamble(first: list[int | None], usual: int) -> int:
    """Return the number of lines before the first row that has the usual number of fields."""
    lines = next((line for line, count in enumerate(first) if count == usual), 0)
    return lines if lines <= PREAMBLE else 0


def _records(one: Dialect, sample: bytes) -> list[list[str]]:
    """Return the rows of the beginning of a file; the last may be cut."""
    text = sample.decode(errors="ignore")
    lines = text.split("\n")[one.skip_rows :]
    cut = "\n".join(line for line in lines if not (one.comments and line.startswith("#")))
    mark, spaced = one.delimiter, one.spaced
    if mark == WHITESPACE:
        cut = "\n".join(line.replace("\t", " ").strip() for line in cut.split("\n"))
        mark, spaced = " ", True
    lines_of = io.StringIO(cut, newline="")
    if one.quote:
        reader = csv.reader(lines_of, delimiter=mark, quotechar=one.quote, skipinitialspace=spaced)
    else:
        reader = csv.reader(lines_of, delimiter=mark, quoting=csv.QUOTE_NONE, skipinitialspace=spaced)
    try:
        return [row for row in reader if row][:1000]
    except csv.Error:
        return []


def _numeric(one: Dialect, sample: bytes) -> float:
    """Return the share of columns of which every field but that of a header is a number, or none."""
    columns = [*zip(*_records(one, sample)[1:-1], strict=False)]
    numeric = [all(NUMBER.fullmatch(field) or field in MISSING for field in column) for column in columns]
    return sum(numeric) / len(numeric) if numeric else 0


def _likeness(one: Dialect, sample: bytes, others: list[Dialect]) -> float:
    """Return the share of fields that look like values: numbers, dates, words, or text without other delimiters."""
    rivals = {other.delimiter for other in others} - {one.delimiter}
    fields = [field for row in _records(one, sample) for field in row]
    good = sum(bool(VALUE.fullmatch(field.strip())) or not any(mark in field for mark in rivals) for field in fields)
    return round(good / max(1, len(fields)), 3)

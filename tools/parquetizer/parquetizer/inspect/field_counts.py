"""Count the fields of each row of a CSV file, block by block, for every delimiter and one quote."""

from collections import Counter
from typing import Final

import numpy as np
import numpy.typing as npt

DELIMITERS: Final = b",;\t|"
SPACE: Final = b" "  # only of numbers, and if no other delimits
RUN: Final = 0  # stands for one or more spaces and tabs
NEWLINE, RETURN, COMMENT, BLANK = b"\n\r# "
GAP: Final = np.isin(np.arange(256), [*b" \t\r\n"])  # the bytes between words
FIRST: Final = 200  # rows whose fields are remembered, to find a preamble
SAMPLE: Final = 1 << 17  # bytes whose values are looked at


class FieldCounts:
    """The number of fields of each row, for every delimiter and one quote."""

    def __init__(self, quote: int) -> None:
        self.quote = quote
        self.marks = DELIMITERS + SPACE + bytes([RUN])
        self.inside = self.multiline = False
        self.longest = 0  # bytes of a row
        self.strays = np.zeros(len(self.marks), np.int64)  # quotes that are not beside a delimiter
        self.spaced = 0  # quotes with spaces between them and a delimiter
        self.rows: list[Counter[int]] = [Counter() for _ in self.marks]  # fields - 1 of each
        self.comments: list[Counter[int]] = [Counter() for _ in self.marks]
        self.first: list[list[int | None]] = [[] for _ in self.marks]  # of the first rows; None for an empty one
        self._row = np.zeros(len(self.marks), np.int64)  # delimiters of the row that is not yet complete
        self._length = self._start = self._end = 0  # its bytes, the first and the last of them
        self._in_gap = True
        self._last, self._closed = NEWLINE, False  # the last byte that is not a space; a quote was closed by it

    def add(self, block: bytes) -> None:
        """Count the fields of a block."""
        if not block:
            return
        data = np.frombuffer(block, np.uint8)
        outside = self._outside(data) if self.quote and (self.inside or self.quote in block or self._closed) else None
        ends = data == NEWLINE
        if outside is not None:
            self.multiline = self.multiline or bool((ends & ~outside).any())
            ends &= outside
        at = np.flatnonzero(ends)
        starts = np.concatenate(([0], at[:-1] + 1)) if len(at) else at
        lengths, heads = at - starts, data[starts]
        tails = data[np.maximum(at - 1, 0)]
        if len(at):
            if self._length:
                heads[0] = self._start
            if at[0] == 0:
                tails[0] = self._end
            lengths[0] += self._length
            self.longest = max(self.longest, int(lengths.max()))
        empty = (lengths == 0) | ((lengths == 1) & (tails == RETURN))
        comment = ~empty & (heads == COMMENT)
        gaps = GAP[data] if outside is None else GAP[data] & outside
        words = ~gaps & np.concatenate(([self._in_gap], gaps[:-1]))
        self._in_gap = bool(gaps[-1])
        for number, mark in enumerate(self.marks):
            hits = words if mark == RUN else data == mark
            if outside is not None and mark != RUN:
                hits &= outside
            where = np.flatnonzero(hits)
            fields = np.diff(np.searchsorted(where, at), prepend=0)
            if len(at):
                fields[0] += self._row[number]
                self._row[number] = len(where) - np.searchsorted(where, at[-1])
            else:
                self._row[number] += len(where)
            fields -= mark == RUN  # words, of which none is in a row of spaces
            empty |= fields < 0
            _count(self.rows[number], fields[~empty & ~comment])
            _count(self.comments[number], fields[comment])
            first = self.first[number]
            if room := FIRST - len(first):
                first += [None if skipped else int(n) for n, skipped in zip(fields[:room], empty[:room], strict=True)]
        rest = len(data) - (at[-1] + 1 if len(at) else 0)
        if len(at) or not self._length:
            self._start = int(data[len(data) - rest]) if rest else 0
        self._length = rest if len(at) else self._length + rest
        self._end = int(data[-1])
        shown = data[-SAMPLE:] != BLANK
        self._last = int(data[-SAMPLE:][shown][-1]) if shown.any() else self._last

    def end(self) -> None:
        """Count the last row if no line end follows it."""
        if self._length and not (self._length == 1 and self._end == RETURN):
            quote, self.quote = self.quote, 0
            self.add(b"\n")
            self.quote = quote

    def _outside(self, data: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
        """Return which bytes are outside quotes, and count the stray ones."""
        quotes = data == self.quote
        inside = ((np.cumsum(quotes, dtype=np.uint8) + self.inside) & 1).astype(bool)
        texts = np.flatnonzero(data != BLANK)  # what is beside a quote, but for spaces
        opened, closed = np.flatnonzero(quotes & inside), np.flatnonzero(quotes & ~inside)
        before = np.concatenate(([self._last], data[texts]))[np.searchsorted(texts, opened)].astype(np.uint8)
        after = np.concatenate((data[texts], [NEWLINE]))[np.searchsorted(texts, closed, "right")].astype(np.uint8)
        is_last = len(closed) > 0 and len(texts) > 0 and closed[-1] == texts[-1]
        if is_last:
            after = after[:-1]
        if self._closed and len(texts):
            after = np.append(after, data[texts[0]])
        self._closed = is_last or (self._closed and not len(texts))
        self.spaced += int(np.count_nonzero(data[opened[opened > 0] - 1] == BLANK))
        near = before[(before != NEWLINE) & (before != self.quote)]
        far = after[(after != NEWLINE) & (after != RETURN) & (after != self.quote)]
        for number, mark in enumerate(self.marks[:-1]):
            self.strays[number] += np.count_nonzero(near != mark) + np.count_nonzero(far != mark)
        beside = np.concatenate((data[opened[opened > 0] - 1], data[closed[closed < len(data) - 1] + 1]))
        self.strays[-1] += np.count_nonzero(~GAP[beside] & (beside != self.quote))
        self.inside = bool(inside[-1])
        outside: npt.NDArray[np.bool_] = ~(inside | quotes)
        return outside


def _count(counter: Counter[int], values: npt.NDArray[np.int64]) -> None:
    numbers, counts = np.unique(values, return_counts=True)
    for number, count in zip(numbers.tolist(), counts.tolist(), strict=True):
        counter[number] += count

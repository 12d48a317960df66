"""Find the columns that identify a row: one that is unique, else the smallest set of at most three.

Sets are dropped at the first two rows that are equal in them, so that most are gone after the first batch; the others
keep 8 bytes of each row's hash.
"""

import re
from collections.abc import Mapping
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from samples import digests, encode

MAX_COLUMNS: Final = 3  # of a key
MAX_KEY: Final = 1 << 10  # bytes of a string in a key
PAIRED: Final = 12  # columns that are tried together, the first ones of the table
MAX_HASHES: Final = 6_000_000  # of 8 bytes, held twice to sort them
IDENTIFIERS: Final = re.compile(
    r"(?i)(.*[_ .-])?(id|ids|uuid|guid|key|index|idx|number|no|nr|isbn|doi|sku)|.*[a-z]I[dD]|id"
)

Hashes = npt.NDArray[np.uint64]


class KeyFinder:
    """The sets of columns that are unique in all rows so far."""

    def __init__(self) -> None:
        self._sets: dict[tuple[str, ...], list[Hashes]] | None = None
        self.rows = 0
        self.gave_up = False

    def add(self, batch: Mapping[str, pa.Array]) -> None:
        """Add rows of the columns that may be in a key; the first batch has all of these."""
        rows = len(next(iter(batch.values()), []))
        if not rows:
            return
        self.rows += rows
        if self._sets is None:
            self._sets = {names: [] for names in _unique_sets(batch)}
        for names in list(self._sets):
            columns = [batch[name] for name in names] if all(name in batch for name in names) else []
            if not columns or any(column.null_count for column in columns):
                del self._sets[names]
                continue
            hashes = np.sort(_hashes(names, columns))
            self._sets[names].append(hashes)
            if _repeats(hashes):
                del self._sets[names]
        while self._sets and len(self._sets) * self.rows > MAX_HASHES:
            self._sets.popitem()
            self.gave_up = True

    def unique_sets(self) -> list[tuple[str, ...]]:
        """Return the sets of columns that are unique in all rows, the smallest first; call it once, at the end."""
        return [names for names, hashes in (self._sets or {}).items() if not _repeats(_joined(hashes))]


def _joined(parts: list[Hashes]) -> Hashes:
    hashes = np.concatenate(parts)
    parts.clear()
    hashes.sort()
    return hashes


def _unique_sets(batch: Mapping[str, pa.Array]) -> list[tuple[str, ...]]:
    """Return the sets of columns that are unique in a batch, but none with a smaller one in it."""
    codes = {name: _codes(column) for name, column in batch.items() if not column.null_count}
    unique: list[tuple[str, ...]] = [(name,) for name, column in codes.items() if _distinct(column) == len(column)]
    others = [name for name in codes if (name,) not in unique][:PAIRED]
    for size in range(2, MAX_COLUMNS + 1):
        for names in combinations(others, size):
            if not any({*smaller} <= {*names} for smaller in unique):
                combined = codes[names[0]]
                for name in names[1:]:
                    _, combined = np.unique(combined * (int(codes[name].max()) + 1) + codes[name], return_inverse=True)
                if _distinct(combined) == len(combined):
                    unique.append(names)
    return unique


def _codes(column: pa.Array) -> npt.NDArray[np.int64]:
    codes: npt.NDArray[np.int64] = column.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
    return codes


def _distinct(codes: npt.NDArray[np.int64]) -> int:
    return len(np.unique(codes))


def _hashes(names: tuple[str, ...], columns: list[pa.Array]) -> Hashes:
    batch = pa.record_batch(columns, names=list(names))
    return np.frombuffer(b"".join(digest.tobytes()[:8] for digest in digests(encode(batch))), np.uint64)


def _repeats(ordered: Hashes) -> bool:
    return bool((ordered[1:] == ordered[:-1]).any())


def choose_key(sets: list[tuple[str, ...]], types: Mapping[str, str], finder: KeyFinder) -> tuple[tuple[str, ...], str]:
    """Return the key among the unique sets of columns and the reason, or none: numbers may differ by chance."""
    single = [names for names in sets if len(names) == 1]
    named: list[tuple[str, ...]]
    named = [names for names in single if types[names[0]] in {"string", *WHOLE} and IDENTIFIERS.fullmatch(names[0])]
    if finder.rows >= MIN_ROWS:
        named += [names for names in single if types[names[0]] == "string" and NATURAL.fullmatch(names[0])]
        named += [names for names in single if types[names[0]].startswith(("date", "timestamp"))]
        if finder.rows >= MANY_ROWS:
            named += [names for names in single if types[names[0]] == "string"]
        named += [names for names in sets if all(_is_dimension(name, types[name]) for name in names) and len(names) > 1]
    if named:
        return named[0], f"{' and '.join(named[0])}: unique in all {finder.rows:,} rows"
    if finder.gave_up:
        return (), f"not looked for in more than {finder.rows:,} rows"
    return (), "no column identifies a row: all of them do together"


MANY_ROWS: Final = 1000
NATURAL: Final = re.compile(
    r"(?i)(name|title|url|uri|path|file|file_?name|text|question|prompt|sentence|code|symbol|iata)"
)
WHOLE: Final = ("int64", "uint64")
MIN_ROWS: Final = 50  # below that, strings may differ by chance
DIMENSIONS: Final = re.compile(r"(?i)(.*[_ .-])?(year|month|day|week|hour|quarter|rank|fold|round|step|epoch)")


def _is_dimension(name: str, kind: str) -> bool:
    if kind.startswith(("date", "timestamp", "string")):
        return True
    return kind in WHOLE and bool(IDENTIFIERS.fullmatch(name) or DIMENSIONS.fullmatch(name))

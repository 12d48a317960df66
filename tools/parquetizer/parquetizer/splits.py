"""Assign samples to splits: in order, by a seeded hash of their key or group, or by a time.

With the hash, the split of a sample depends only on its key and the seed: samples with equal keys stay together, so
that splits cannot leak, and adding samples moves none of the others. The price is that sizes match the shares roughly.
"""

import hashlib
import math
import re
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from samples import digests, encode
from stage.errors import UsageError

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")

Numbers = npt.NDArray[np.integer[Any]]  # of the split of each row


def check_split(name: str, where: str) -> None:
    """Raise UsageError unless a name is valid for a split and its folder."""
    if not NAME.fullmatch(name):
        raise UsageError(where, f"invalid split name {name!r}", "use lowercase letters, digits, - and _, as in train")


def check_shares(shares: Mapping[str, float], where: str) -> None:
    """Raise UsageError unless the shares of the splits are positive and sum to 1."""
    for name, share in shares.items():
        check_split(name, where)
        if not 0 < share <= 1:
            raise UsageError(where, f"invalid share {share} of {name}", "use shares above 0 that sum to 1")
    if not math.isclose(sum(shares.values()), 1):
        raise UsageError(where, f"the shares sum to {sum(shares.values()):g}", "use shares that sum to 1")


def assigned(keys: pa.RecordBatch, shares: Mapping[str, float], seed: int) -> npt.NDArray[np.intp]:
    """Return the number of each row's split, in the order of ``shares``.

    The first 8 bytes of SHA-256(seed as 8 bytes ‖ key digest), as a fraction of 2⁶⁴, select one of the shares.
    """
    prefix = seed.to_bytes(8, "big")
    sha256 = hashlib.sha256
    drawn = b"".join([sha256(prefix + digest.tobytes()).digest()[:8] for digest in digests(encode(keys))])
    ends = np.cumsum(list(shares.values()))[:-1]
    return np.searchsorted(ends, np.frombuffer(drawn, ">u8") / 2.0**64, side="right")


def in_order(count: int, shares: Mapping[str, float]) -> npt.NDArray[np.intp]:
    """Return the number of the split of each of ``count`` rows: the first rows are the first split, and so on."""
    ends = [math.floor(count * share + 1e-6) for share in accumulate(shares.values())]  # sums of floats are not exact
    return np.repeat(np.arange(len(shares)), np.diff([*ends[:-1], count], prepend=0))


def after(column: pa.Array, boundaries: Sequence[pa.Scalar]) -> Numbers:
    """Return for each row the number of boundaries that are not above its value."""
    reached = [pc.greater_equal(column, value).to_numpy(zero_copy_only=False) for value in boundaries]
    numbers: Numbers = np.sum(reached, axis=0)
    return numbers


def boundary(value: Any, kind: pa.DataType, where: str) -> pa.Scalar:
    """Return the value at which a split begins, in the type of its column.

    Dates and times are texts, as ISO 8601 writes them; without an offset they are in the time zone of the column.
    Raises UsageError for another value, and for a column of another type than dates, timestamps and numbers.
    """
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        if not isinstance(value, str):
            raise UsageError(where, f"expected a date or time in quotes, got {value!r:.80}", f"write '{value!s:.40}'")
        try:
            return _time(value, kind)
        except pa.ArrowInvalid as error:
            raise UsageError(where, f"expected {kind}, got {value!r:.80}", "write it as '2025-01-31'") from error
    if not pa.types.is_integer(kind) and not pa.types.is_floating(kind):
        raise UsageError(where, f"unsupported type {kind} of the column", "use a column of dates, times or numbers")
    try:
        scalar = pa.scalar(value, kind)
        is_exact = type(value) in (int, float) and scalar.as_py() == value
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        is_exact = False
    if not is_exact:
        raise UsageError(where, f"expected {kind}, got {value!r:.80}", "write a number of that type")
    return scalar


def _time(text: str, kind: pa.DataType) -> pa.Scalar:
    try:
        return pa.scalar(text).cast(kind)
    except pa.ArrowInvalid:
        if not pa.types.is_timestamp(kind) or kind.tz is None:
            raise
    return pc.assume_timezone(pa.scalar(text).cast(pa.timestamp(kind.unit)), kind.tz)  # a text without an offset

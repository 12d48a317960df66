"""Dates, timestamps, times and durations in canonical encoding: alike whatever the unit."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .cbor import ARRAY, MAP, NEGATIVE, POSITIVE, Matrix, constant, heads, integers

DATE, INSTANT, DURATION = b"\xd8\x64", b"\xd9\x03\xe9", b"\xd9\x03\xea"  # tags 100 of RFC 8943, 1001, 1002 of RFC 9581
SECONDS = bytes([MAP, *(2).to_bytes(8), POSITIVE, *(1).to_bytes(8)])  # a map of two, key 1
NANOSECONDS = bytes([NEGATIVE, *(8).to_bytes(8)])  # key -9
PAIR = bytes([ARRAY, *(2).to_bytes(8)])
DAY = 86_400  # seconds; 86 400 000 milliseconds are a date of 64 bits
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def temporal(column: pa.Array) -> Matrix:
    """Encode a column of a temporal type other than an interval.

    A date is its days, an instant (a timestamp with a time zone, whichever) and a duration their seconds and
    nanoseconds; a time is the duration since midnight, a timestamp without time zone the array of date and time.
    """
    kind = column.type
    counts = column.view(pa.int32() if kind.bit_width == 32 else pa.int64()).fill_null(0).to_numpy().astype(np.int64)
    if pa.types.is_date(kind):
        return _dates(counts // (DAY * 1000) if pa.types.is_date64(kind) else counts)
    seconds, parts = np.divmod(counts, UNITS[kind.unit])
    nanoseconds = parts * (UNITS["ns"] // UNITS[kind.unit])
    if not pa.types.is_timestamp(kind):
        return _times(DURATION, seconds, nanoseconds)
    if kind.tz:
        return _times(INSTANT, seconds, nanoseconds)
    days, seconds = np.divmod(seconds, DAY)
    return np.hstack((constant(PAIR, len(days)), _dates(days), _times(DURATION, seconds, nanoseconds)))


def _dates(days: npt.NDArray[np.int64]) -> Matrix:
    return np.hstack((constant(DATE, len(days)), integers(days)))


def _times(tag: bytes, seconds: npt.NDArray[np.int64], nanoseconds: npt.NDArray[np.int64]) -> Matrix:
    rows = len(seconds)
    parts = (constant(tag + SECONDS, rows), integers(seconds), constant(NANOSECONDS, rows))
    return np.hstack((*parts, heads(POSITIVE, nanoseconds)))

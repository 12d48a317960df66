"""Assign samples to splits: in their order, or by a seeded hash of what identifies them.

By the hash, a sample's split depends on nothing but its key and the seed: samples of equal key never part, so the
splits cannot leak, and a data set that grows moves none of its samples. The price is that sizes are only about the
shares asked for.
"""

import hashlib
import math
from collections.abc import Mapping
from itertools import accumulate

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from samples import digests, encode
from stage.errors import UsageError

from parquetizer.split_files import check_split


def check_shares(shares: Mapping[str, float], where: str) -> None:
    """Raise UsageError unless the shares of the splits are positive and make a whole."""
    for name, share in shares.items():
        check_split(name, where)
        if not 0 < share <= 1:
            raise UsageError(where, f"the share of {name} is {share}", "write shares above 0 that sum to 1")
    if not math.isclose(sum(shares.values()), 1):
        raise UsageError(where, f"the shares sum to {sum(shares.values()):g}", "write shares that sum to 1")


def assigned(keys: pa.RecordBatch, shares: Mapping[str, float], seed: int) -> npt.NDArray[np.intp]:
    """Return the number of each row's split, in the order of ``shares``.

    The first 8 bytes of SHA-256(seed as 8 bytes ‖ key digest), as a fraction of 2⁶⁴, fall into one of the shares.
    """
    prefix = seed.to_bytes(8, "big")
    sha256 = hashlib.sha256
    drawn = b"".join([sha256(prefix + digest.tobytes()).digest()[:8] for digest in digests(encode(keys))])
    ends = np.cumsum(list(shares.values()))[:-1]
    return np.searchsorted(ends, np.frombuffer(drawn, ">u8") / 2.0**64, side="right")


def in_order(count: int, shares: Mapping[str, float]) -> npt.NDArray[np.intp]:
    """Return the number of each of ``count`` rows' split: the first rows make the first split, and so on."""
    ends = [math.floor(count * share + 1e-6) for share in accumulate(shares.values())]  # sums of floats are not exact
    return np.repeat(np.arange(len(shares)), np.diff([*ends[:-1], count], prepend=0))

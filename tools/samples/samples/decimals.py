"""Decimal numbers in canonical encoding: alike whatever the precision and scale."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .cbor import ARRAY, BYTES, NEGATIVE, POSITIVE, Matrix, as_binary, binary, constant, heads, integers, joined

FRACTION = bytes([0xC4, ARRAY, *(2).to_bytes(8)])  # tag 4 of RFC 8949: exponent of ten, mantissa
BIG_POSITIVE, BIG_NEGATIVE = 0xC2, 0xC3  # tags 2 and 3: integers of more than 64 bits, as bytes

Limbs = npt.NDArray[np.uint64]  # 32 bits each, the lowest first: shape (rows, limbs)


def decimals(column: pa.Array) -> pa.Array:
    """Encode a column of decimals as decimal fractions whose mantissa does not end in zero."""
    width = column.type.bit_width // 8
    data = np.frombuffer(memoryview(column.buffers()[1] or b""), np.uint8, len(column) * width, column.offset * width)
    limbs = data.reshape(len(column), width).view("<u4").astype(np.uint64)
    is_negative = limbs[:, -1] >> np.uint64(31) == 1
    limbs[is_negative] = _incremented(~limbs[is_negative] & np.uint64(0xFFFF_FFFF), 1)
    exponents = np.full(len(limbs), -column.type.scale, np.int64)
    _normalise(limbs, exponents)
    limbs[is_negative] = _incremented(limbs[is_negative], -1)  # CBOR has -1 - value of a negative integer
    return joined([constant(FRACTION, len(limbs)), integers(exponents), _mantissas(limbs, is_negative)])


def _normalise(limbs: Limbs, exponents: npt.NDArray[np.int64]) -> None:
    """Move the zeros at the end of each number to its exponent; the exponent of zero is zero."""
    for zeros in (8, 4, 2, 1):  # 10^8 is below 2^32, the base of a limb
        rows = np.flatnonzero(limbs.any(axis=1))
        while len(rows):
            quotients, remainders = _divided(limbs[rows], 10**zeros)
            rows = rows[remainders == 0]
            limbs[rows] = quotients[remainders == 0]
            exponents[rows] += zeros
    exponents[~limbs.any(axis=1)] = 0


def _divided(limbs: Limbs, divisor: int) -> tuple[Limbs, npt.NDArray[np.uint64]]:
    quotients, remainders = np.empty_like(limbs), np.zeros(len(limbs), np.uint64)
    for place in reversed(range(limbs.shape[1])):
        quotients[:, place], remainders = np.divmod(remainders << np.uint64(32) | limbs[:, place], np.uint64(divisor))
    return quotients, remainders


def _incremented(limbs: Limbs, step: int) -> Limbs:
    """Return numbers plus ``step``, 1 or -1; no number is at its limit."""
    result, carry = limbs.astype(np.int64), np.full(len(limbs), step, np.int64)
    for place in range(limbs.shape[1]):
        total = result[:, place] + carry
        result[:, place], carry = total & 0xFFFF_FFFF, total >> 32
    return result.astype(np.uint64)


def _mantissas(limbs: Limbs, is_negative: npt.NDArray[np.bool_]) -> Matrix | pa.Array:
    """Encode integers, those of more than 64 bits as a tagged byte string without leading zeros."""
    low = limbs[:, 0] if limbs.shape[1] == 1 else limbs[:, 0] | limbs[:, 1] << np.uint64(32)
    small = heads(POSITIVE, low)
    small[is_negative, 0] = NEGATIVE
    is_big = limbs[:, 2:].any(axis=1)
    if not is_big.any():
        return small
    tags = np.where(is_negative[is_big], BIG_NEGATIVE, BIG_POSITIVE).astype(np.uint8).reshape(-1, 1)
    digits = limbs[is_big, ::-1].astype(">u4").view(np.uint8)  # the highest first
    sizes = digits.shape[1] - (digits != 0).argmax(axis=1)
    data = digits[np.arange(digits.shape[1]) >= digits.shape[1] - sizes[:, np.newaxis]]
    offsets = np.concatenate(([0], np.cumsum(sizes)))
    big = joined([tags, heads(BYTES, sizes), binary(offsets, pa.py_buffer(data))])
    positions = np.where(is_big, len(small) + np.cumsum(is_big) - 1, np.arange(len(small)))
    return pa.concat_arrays([as_binary(small), big]).take(pa.array(positions))

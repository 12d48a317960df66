"""Heads and strings of CBOR (RFC 8949) for whole columns, with every number and length in its 64-bit form.

An encoded column is a byte matrix if all of its values have the same size, else a binary array.
"""

from itertools import groupby

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Matrix = npt.NDArray[np.uint8]

POSITIVE, NEGATIVE, BYTES, TEXT, ARRAY, MAP, FLOAT = 0x1B, 0x3B, 0x5B, 0x7B, 0x9B, 0xBB, 0xFB
HEAD = np.dtype([("kind", "u1"), ("argument", ">u8")])


def heads(kind: int, arguments: npt.NDArray[np.integer]) -> Matrix:
    """Return the 9-byte heads of one kind for 64-bit arguments: uint8, shape (rows, 9)."""
    rows = np.empty(len(arguments), HEAD)
    rows["kind"], rows["argument"] = kind, arguments
    return rows.view(np.uint8).reshape(-1, 9)


def integers(values: npt.NDArray[np.int64]) -> Matrix:
    """Encode signed integers."""
    matrix = heads(POSITIVE, np.where(values < 0, ~values, values).view(np.uint64))
    matrix[values < 0, 0] = NEGATIVE
    return matrix


def constant(content: bytes, rows: int) -> Matrix:
    """Return the same bytes in every row."""
    return np.tile(np.frombuffer(content, np.uint8), (rows, 1))


def joined(parts: list[Matrix | pa.Array]) -> pa.Array:
    """Concatenate the parts row by row; adjacent matrices first, which is cheap."""
    groups = [(kind, list(group)) for kind, group in groupby(parts, type)]
    arrays = [
        array for kind, group in groups for array in ([as_binary(_stacked(group))] if kind is np.ndarray else group)
    ]
    return arrays[0] if len(arrays) == 1 else pc.binary_join_element_wise(*arrays, pa.scalar(b"", pa.large_binary()))


def _stacked(parts: list[Matrix]) -> Matrix:
    """Return the rows of all parts joined, each copied as one value: np.hstack copies byte by byte."""
    rows = np.empty(len(parts[0]), [("", f"V{part.shape[1]}") for part in parts])
    for name, part in zip(rows.dtype.names or (), parts, strict=True):
        rows[name] = part.view(f"V{part.shape[1]}").ravel()
    return rows.view(np.uint8).reshape(len(rows), rows.dtype.itemsize)


def as_binary(part: Matrix | pa.Array) -> pa.Array:
    """Return an encoded column as a binary array."""
    if isinstance(part, pa.Array):
        return part
    offsets = np.arange(0, part.size + 1, part.shape[1], dtype=np.int64)
    return binary(offsets, pa.py_buffer(np.ascontiguousarray(part)))


def binary(offsets: npt.NDArray[np.int64], data: pa.Buffer) -> pa.Array:
    """Return the binary array whose values lie between the offsets."""
    return pa.Array.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets.astype(np.int64)), data]
    )

"""The canonical encoding of samples: CBOR (RFC 8949) with every number and length in its 64-bit form.

A fixed form per type makes the encoding unique, and allows encoding whole columns at once. Lists of uint8 are typed
arrays (RFC 8746), so that an image takes one byte per pixel.
"""

import hashlib
from itertools import groupby, pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Matrix = npt.NDArray[np.uint8]

POSITIVE, NEGATIVE, BYTES, TEXT, ARRAY, FLOAT = 0x1B, 0x3B, 0x5B, 0x7B, 0x9B, 0xFB
FALSE, NULL = 0xF4, 0xF6
UINT8_ARRAY = 0xD840  # tag 64 of RFC 8746
NAN = 0x7FF8_0000_0000_0000


class UnsupportedType(TypeError):
    """A column type without canonical encoding."""


def encode(batch: pa.RecordBatch) -> pa.LargeBinaryArray:
    """Encode each row of a batch as the CBOR array of its values, in column order.

    Raises UnsupportedType for types other than null, bool, integers, floats, text, binary, lists and structs of them.
    """
    head = np.repeat(_heads(ARRAY, np.array([batch.num_columns], np.uint64)), batch.num_rows, axis=0)
    return _joined([head, *map(_column, batch.columns)])


def digests(encoded: pa.LargeBinaryArray) -> npt.NDArray[np.uint8]:
    """Return the SHA-256 of each value: uint8, shape (rows, 32)."""
    offsets = np.frombuffer(encoded.buffers()[1], np.int64, len(encoded) + 1, encoded.offset * 8).tolist()
    data = memoryview(encoded.buffers()[2] or b"")
    sha256 = hashlib.sha256
    joined = b"".join([sha256(data[start:end]).digest() for start, end in pairwise(offsets)])
    return np.frombuffer(joined, np.uint8).reshape(-1, 32)


def _column(column: pa.Array) -> Matrix | pa.Array:
    """Encode one column: as a byte matrix if all values have the same size, else as a binary array."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_null(column.type):
        return np.full((len(column), 1), NULL, np.uint8)
    if column.null_count:
        return _with_nulls(column)
    if _is_scalar(column.type):
        return _scalars(column)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return _joined([_heads(TEXT, _lengths(column)), column.cast(pa.large_binary())])
    if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
        return _joined([_heads(BYTES, _lengths(column)), column.cast(pa.large_binary())])
    if pa.types.is_fixed_size_binary(column.type):
        return _column(column.cast(pa.large_binary()))
    if pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or pa.types.is_fixed_size_list(column.type):
        return _lists(column)
    if pa.types.is_struct(column.type):
        return encode(pa.RecordBatch.from_struct_array(column))
    raise UnsupportedType(f"unsupported column type {column.type}")


def _is_scalar(kind: pa.DataType) -> bool:
    return bool(pa.types.is_boolean(kind) or pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _scalars(column: pa.Array) -> Matrix:
    if pa.types.is_boolean(column.type):
        bits: Matrix = column.cast(pa.uint8()).to_numpy() + np.uint8(FALSE)
        return bits.reshape(-1, 1)
    values = column.to_numpy(zero_copy_only=False)
    if pa.types.is_floating(column.type):
        bits = (values.astype(np.float64) + 0.0).view(np.uint64)  # + 0.0 makes -0.0 zero
        return _heads(FLOAT, np.where(np.isnan(values), np.uint64(NAN), bits))
    if pa.types.is_unsigned_integer(column.type):
        return _heads(POSITIVE, values.astype(np.uint64))
    signed = values.astype(np.int64)
    matrix = _heads(POSITIVE, np.where(signed < 0, ~signed, signed).view(np.uint64))
    matrix[signed < 0, 0] = NEGATIVE
    return matrix


def _lists(column: pa.Array) -> pa.Array:
    counts = pc.list_value_length(column).to_numpy().astype(np.int64)
    items = column.flatten()
    offsets = np.concatenate(([0], np.cumsum(counts)))
    if items.type != pa.uint8():
        return _arrays(counts, offsets, items)
    if not items.null_count:
        return _typed_arrays(counts, offsets, items)
    # A typed array cannot hold nulls; lists without them have the same encoding, whatever other lists contain.
    nulls = np.concatenate(([0], np.cumsum(items.is_null().to_numpy(zero_copy_only=False))))
    has_nulls = pa.array(nulls[offsets[1:]] > nulls[offsets[:-1]])
    typed = _typed_arrays(counts, offsets, items.fill_null(0))
    return pc.if_else(has_nulls, _arrays(counts, offsets, items), typed)


def _arrays(counts: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64], items: pa.Array) -> pa.Array:
    encoded = _as_binary(_column(items))
    ends = np.frombuffer(encoded.buffers()[1], np.int64, len(encoded) + 1, encoded.offset * 8)
    return _joined([_heads(ARRAY, counts), _binary(ends[offsets], encoded.buffers()[2])])


def _typed_arrays(counts: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64], items: pa.Array) -> pa.Array:
    data = pa.py_buffer(np.ascontiguousarray(items.to_numpy()))
    tag = np.full((len(counts), 2), [UINT8_ARRAY >> 8, UINT8_ARRAY & 0xFF], np.uint8)
    return _joined([tag, _heads(BYTES, counts), _binary(offsets, data)])


def _with_nulls(column: pa.Array) -> pa.Array:
    valid = column.is_valid()
    encoded = _as_binary(_column(column.drop_null()))
    order = pc.cumulative_sum(valid.cast(pa.int64()))
    index = pc.if_else(valid, pc.subtract(order, 1), pa.scalar(None, pa.int64()))
    return encoded.take(index).fill_null(pa.scalar(bytes([NULL]), pa.large_binary()))


def _heads(kind: int, values: npt.NDArray[np.integer]) -> Matrix:
    """Return the 9-byte CBOR heads of one kind for 64-bit arguments: uint8, shape (rows, 9)."""
    matrix = np.empty((len(values), 9), np.uint8)
    matrix[:, 0] = kind
    matrix[:, 1:] = values.astype(">u8").view(np.uint8).reshape(-1, 8)
    return matrix


def _lengths(column: pa.Array) -> npt.NDArray[np.integer]:
    return np.asarray(pc.binary_length(column).to_numpy())


def _joined(parts: list[Matrix | pa.Array]) -> pa.Array:
    """Concatenate the parts row by row; adjacent matrices first, which is cheap."""
    groups = [(kind, list(group)) for kind, group in groupby(parts, type)]
    arrays = [
        array for kind, group in groups for array in ([_as_binary(np.hstack(group))] if kind is np.ndarray else group)
    ]
    return arrays[0] if len(arrays) == 1 else pc.binary_join_element_wise(*arrays, pa.scalar(b"", pa.large_binary()))


def _as_binary(part: Matrix | pa.Array) -> pa.Array:
    if isinstance(part, pa.Array):
        return part
    offsets = np.arange(0, part.size + 1, part.shape[1], dtype=np.int64)
    return _binary(offsets, pa.py_buffer(np.ascontiguousarray(part)))


def _binary(offsets: npt.NDArray[np.int64], data: pa.Buffer) -> pa.Array:
    return pa.Array.from_buffers(
        pa.large_binary(), len(offsets) - 1, [None, pa.py_buffer(offsets.astype(np.int64)), data]
    )

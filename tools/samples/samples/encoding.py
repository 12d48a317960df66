"""The canonical encoding of samples: CBOR (RFC 8949) with every number and length in its 64-bit form.

A fixed form per type makes the encoding unique, and allows encoding whole columns at once. Lists of uint8 are typed
arrays (RFC 8746), so that an image takes one byte per pixel.
"""

import hashlib
import io
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .arrow_types import is_binary, is_file, is_list, is_string, storage_type
from .cbor import ARRAY, BYTES, FLOAT, POSITIVE, TEXT, Matrix, as_binary, binary, constant, heads, integers, joined
from .decimals import decimals
from .temporal import temporal

FALSE, NULL = 0xF4, b"\xf6"
UINT8_ARRAY = b"\xd8\x40"  # tag 64 of RFC 8746
NAN = 0x7FF8_0000_0000_0000


class UnsupportedType(TypeError):
    """A column type without canonical encoding."""


def encode(batch: pa.RecordBatch) -> pa.LargeBinaryArray:
    """Encode each row of a batch as the CBOR array of its values, in column order.

    Values are encoded alike whatever Arrow's layout of them: width, unit, dictionary, view. Raises UnsupportedType for
    types other than null, bool, numbers, text, binary, dates and times, lists and structs of them.
    """
    return _rows(batch.columns, batch.num_rows)


def digests(encoded: pa.LargeBinaryArray) -> npt.NDArray[np.uint8]:
    """Return the SHA-256 of each value: uint8, shape (rows, 32)."""
    offsets = np.frombuffer(encoded.buffers()[1], np.int64, len(encoded) + 1, encoded.offset * 8)
    data = memoryview(encoded.buffers()[2] or b"")[offsets[0] : offsets[-1]]
    return hashes(data, np.diff(offsets).tolist())


def hashes(data: memoryview, sizes: Iterable[int]) -> npt.NDArray[np.uint8]:
    """Return the SHA-256 of consecutive parts of some data, by their sizes in bytes: uint8, shape (parts, 32)."""
    sha256 = hashlib.sha256
    parts = map(io.BytesIO(data).read, sizes)  # a copy, but a slice of a memoryview takes as long as half its hash
    return np.frombuffer(b"".join([sha256(part).digest() for part in parts]), np.uint8).reshape(-1, 32)


def _rows(columns: list[pa.Array], rows: int) -> pa.Array:
    head = np.repeat(heads(ARRAY, np.array([len(columns)], np.uint64)), rows, axis=0)
    return joined([head, *map(_column, columns)])


def _column(column: pa.Array) -> Matrix | pa.Array:
    """Encode one column: as a byte matrix if all values have the same size, else as a binary array."""
    if isinstance(column.type, pa.BaseExtensionType):
        column = column.storage
    if pa.types.is_dictionary(column.type):
        return _filled(as_binary(_column(column.dictionary)).take(column.indices))
    if pa.types.is_run_end_encoded(column.type):
        runs = pa.RunEndEncodedArray.from_arrays(column.run_ends, as_binary(_column(column.values)))
        return pc.run_end_decode(runs.slice(column.offset, len(column)))
    if pa.types.is_null(column.type):
        return constant(NULL, len(column))
    encoded = _values(column)
    return pc.if_else(column.is_valid(), as_binary(encoded), NULL) if column.null_count else encoded


def _values(column: pa.Array) -> Matrix | pa.Array:
    """Encode one column; what is returned for its nulls has no meaning."""
    kind = column.type
    if pa.types.is_boolean(kind):
        bits: Matrix = column.fill_null(False).cast(pa.uint8()).to_numpy() + np.uint8(FALSE)
        return bits.reshape(-1, 1)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _numbers(column.fill_null(0))
    if is_string(kind):
        return _strings(TEXT, column)
    if is_binary(kind):
        return _strings(BYTES, column)
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return temporal(column)
    if pa.types.is_decimal(kind):
        return decimals(column)
    if is_list(kind):
        return _lists(column)
    if pa.types.is_struct(kind):
        return _structs(column)
    raise UnsupportedType(f"unsupported column type {kind}")


def _numbers(column: pa.Array) -> Matrix:
    values = column.to_numpy(zero_copy_only=False)
    if pa.types.is_floating(column.type):
        bits = (values.astype(np.float64) + 0.0).view(np.uint64)  # + 0.0 makes -0.0 zero
        return heads(FLOAT, np.where(np.isnan(values), np.uint64(NAN), bits))
    if pa.types.is_unsigned_integer(column.type):
        return heads(POSITIVE, values.astype(np.uint64))
    return integers(values.astype(np.int64))


def _strings(head: int, column: pa.Array) -> pa.Array:
    data = column.cast(pa.large_binary()).fill_null(b"")
    return joined([heads(head, pc.binary_length(data).to_numpy()), data])


def _structs(column: pa.Array) -> Matrix | pa.Array:
    fields = column.flatten()  # a dictionary of no values may have indices below a null
    if not is_file(column.type):
        return _rows(fields, len(column))
    content, path = fields  # the name of a file is not part of the sample, unless it is all there is
    encoded = as_binary(_column(content))
    is_missing = pc.equal(encoded, NULL)
    return pc.if_else(is_missing, as_binary(_column(path)), encoded) if pc.any(is_missing).as_py() else encoded


def _lists(column: pa.Array) -> pa.Array:
    counts = pc.list_value_length(column).fill_null(0).to_numpy().astype(np.int64)
    items = _plain_uint8(column.flatten())
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


def _plain_uint8(items: pa.Array) -> pa.Array:
    """Return uint8 in their plain layout, by which lists of them are recognised; others as they are."""
    if storage_type(items.type) != pa.uint8() or items.type == pa.uint8():
        return items
    if isinstance(items.type, pa.BaseExtensionType):
        return _plain_uint8(items.storage)
    return items.dictionary_decode() if pa.types.is_dictionary(items.type) else pc.run_end_decode(items)


def _arrays(counts: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64], items: pa.Array) -> pa.Array:
    encoded = as_binary(_column(items))
    ends = np.frombuffer(encoded.buffers()[1], np.int64, len(encoded) + 1, encoded.offset * 8)
    return joined([heads(ARRAY, counts), binary(ends[offsets], encoded.buffers()[2])])


def _typed_arrays(counts: npt.NDArray[np.int64], offsets: npt.NDArray[np.int64], items: pa.Array) -> pa.Array:
    data = pa.py_buffer(np.ascontiguousarray(items.to_numpy()))
    return joined([constant(UINT8_ARRAY, len(counts)), heads(BYTES, counts), binary(offsets, data)])


def _filled(encoded: pa.Array) -> pa.Array:
    return encoded.fill_null(pa.scalar(NULL, pa.large_binary()))

"""Read text as values of a declared type: numbers, booleans, decimals, base64 and what temporal.py reads."""

import dataclasses

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from parquetizer.formats.temporal import parse_temporal

TRUE, FALSE = ("1", "true", "TRUE", "True"), ("0", "false", "FALSE", "False")  # as Arrow has them
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"  # of base64
INVALID, PADDING = 255, 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class TextStyle:
    """How numbers and booleans are written."""

    decimal: str = "."
    thousands: str = ""
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()
    lenient_integers: bool = False

    @property
    def plain_numbers(self) -> bool:
        """Whether numbers are written as Arrow reads them."""
        return self.decimal == "." and not self.thousands


PLAIN = TextStyle()


def parse_text(column: pa.StringArray, kind: pa.DataType, format: str = "", style: TextStyle = PLAIN) -> pa.Array:
    """Return text as values of a type; null stays null, and space around a value is dropped unless it is a string.

    Integers may be hexadecimal (``0xFF``), binary values are base64, ``format`` is the strptime format of a temporal
    type (default: ISO 8601). Raises ArrowInvalid if a text is no value of the type, or would lose digits in it.
    """
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return column.cast(kind)
    column = pc.ascii_trim(column, " \t")
    if pa.types.is_boolean(kind):
        return _booleans(column, style)
    if pa.types.is_integer(kind):
        return _integers(_plain(column, style), style.lenient_integers).cast(kind)
    if pa.types.is_floating(kind):
        numbers = _plain(column, style).cast(kind)
        if not pc.all(pc.is_finite(numbers), min_count=0).as_py():
            raise pa.ArrowInvalid("not a finite number")
        return numbers
    if pa.types.is_decimal(kind):
        return _plain(column, style).cast(kind)
    if pa.types.is_temporal(kind):
        return parse_temporal(column, kind, format)
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return decode_base64(column).cast(kind)
    raise pa.ArrowInvalid(f"text is not read as {kind}")


def decode_base64(column: pa.StringArray) -> pa.LargeBinaryArray:
    """Decode base64 with its padding (RFC 4648, section 4). Raises ArrowInvalid for any other character or length."""
    lengths = pc.binary_length(column).fill_null(0).to_numpy()
    texts = pc.binary_join(pa.ListArray.from_arrays([0, len(column)], column.fill_null("")), "")
    table = np.full(256, INVALID, np.uint8)
    table[[*ALPHABET]] = np.arange(64, dtype=np.uint8)
    table[ord("=")] = PADDING
    digits = table[np.frombuffer(texts.buffers()[2] or b"", np.uint8, int(lengths.sum()))]
    if (lengths % 4).any() or (digits == INVALID).any():
        raise pa.ArrowInvalid("not base64")
    quads = digits.reshape(-1, 4)
    is_padding = quads == PADDING
    ends = np.cumsum(lengths // 4)
    last = np.zeros(len(quads), bool)
    last[ends[lengths > 0] - 1] = True  # of its value
    padding = is_padding.sum(axis=1)
    values = np.where(is_padding, 0, quads).astype(np.uint32)
    joined = values[:, 0] << 18 | values[:, 1] << 12 | values[:, 2] << 6 | values[:, 3]
    unused = joined & np.array([0, 0xFF, 0xFFFF], np.uint32)[np.minimum(padding, 2)]
    if (
        is_padding[~last].any()
        or is_padding[:, :2].any()
        or (is_padding[:, 2] & ~is_padding[:, 3]).any()
        or unused.any()
    ):
        raise pa.ArrowInvalid("not base64")
    bytes_ = np.stack([joined >> 16, joined >> 8 & 0xFF, joined & 0xFF], axis=1).astype(np.uint8)
    data = bytes_[np.arange(3) < (3 - padding)[:, None]]
    paddings = np.concatenate(([0], np.cumsum(padding)))
    offsets = np.concatenate(([0], ends * 3 - paddings[ends])).astype(np.int64)
    validity = pc.is_valid(column).buffers()[1] if column.null_count else None
    return pa.Array.from_buffers(
        pa.large_binary(), len(column), [validity, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    )


def _booleans(column: pa.StringArray, style: TextStyle) -> pa.BooleanArray:
    truths, falsehoods = style.true_values or TRUE, style.false_values or FALSE
    positions = pc.index_in(column, value_set=pa.array([*truths, *falsehoods]))
    if positions.null_count > column.null_count:
        raise pa.ArrowInvalid("not a boolean")
    return pc.less(positions, len(truths))


def _integers(column: pa.StringArray, lenient: bool) -> pa.StringArray:
    """Return integers without the fraction of zeros that a ``lenient`` style allows."""
    if lenient and pc.any(pc.match_substring(column, "."), min_count=0).as_py():
        return pc.replace_substring_regex(column, r"^(-?[0-9]+)\.0*$", r"\1")
    return column


def _plain(column: pa.StringArray, style: TextStyle) -> pa.StringArray:
    """Return numbers with a decimal point and no separators. Raises ArrowInvalid for a separator in a wrong place."""
    if style.plain_numbers:
        return column
    if style.thousands and _has(column, style.thousands):
        separated = pc.match_substring(column, style.thousands)
        if pc.any(separated, min_count=0).as_py():
            mark, point = (f"\\x{{{ord(character):x}}}" for character in (style.thousands, style.decimal))
            # Groups of three, or of two before the last, as in India.
            grouped = (
                f"^[+-]?[0-9]{{1,3}}(?:{mark}[0-9]{{2,3}})*{mark}[0-9]{{3}}(?:{point}[0-9]*)?(?:[eE][+-]?[0-9]+)?$"
            )
            if not pc.all(pc.match_substring_regex(column.filter(separated), grouped), min_count=0).as_py():
                raise pa.ArrowInvalid("separator of thousands in a wrong place")
            column = pc.replace_substring(column, style.thousands, "")
    if style.decimal != ".":
        if _has(column, ".") and pc.any(pc.match_substring(column, "."), min_count=0).as_py():
            raise pa.ArrowInvalid("another decimal mark than the declared one")
        validity, offsets, _ = column.buffers()
        points = pa.py_buffer(_bytes(column).translate(bytes.maketrans(style.decimal.encode(), b".")))
        column = pa.StringArray.from_buffers(len(column), offsets, points, validity, column.null_count, column.offset)
    return column


def _has(column: pa.StringArray, mark: str) -> bool:
    """Say whether the data of a column, and perhaps of the array it is a part of, have a character."""
    return mark.encode() in _bytes(column)


def _bytes(column: pa.StringArray) -> bytes:
    data = column.buffers()[2]
    return bytes(data.to_pybytes()) if data else b""

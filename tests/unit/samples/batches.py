"""Batches of every type that has a canonical encoding, for hypothesis, and manifests made of small tables."""

import datetime
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from hypothesis import strategies as st
from samples import ManifestWriter
from samples.arrow_types import MEDIA, is_file, is_list

INTEGERS = {
    f"{sign}int{bits}": (0, 2**bits - 1) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    for bits in (8, 16, 32, 64)
    for sign in ("", "u")
}
LEAVES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.bool_(): st.booleans(),
    **{pa.type_for_alias(name): st.integers(*bounds) for name, bounds in INTEGERS.items()},
    **{pa.type_for_alias(f"float{bits}"): st.floats(width=bits) for bits in (16, 32, 64)},
    **{kind: st.text(max_size=5) for kind in (pa.string(), pa.large_string())},
    **{kind: st.binary(max_size=5) for kind in (pa.binary(), pa.large_binary())},
    pa.binary(3): st.binary(min_size=3, max_size=3),
    pa.null(): st.none(),
}
UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
CENTURIES = 8 * 10**9  # seconds before and after 1970 that fit nanoseconds of 64 bits
DAY = 86_400
TEMPORAL: dict[pa.DataType, st.SearchStrategy[Any]] = {  # counts of their units
    pa.date32(): st.integers(-100_000, 100_000),
    pa.date64(): st.integers(-100_000, 100_000).map(lambda days: days * DAY * 1000),
    **{
        kind: st.integers(-CENTURIES * size, CENTURIES * size)
        for unit, size in UNITS.items()
        for kind in (pa.timestamp(unit), pa.timestamp(unit, "UTC"), pa.timestamp(unit, "+05:30"), pa.duration(unit))
    },
    **{pa.time32(unit): st.integers(0, DAY * UNITS[unit] - 1) for unit in ("s", "ms")},
    pa.time64("us"): st.integers(0, DAY * 10**6 - 1),
    pa.time64("ns"): st.integers(0, DAY * 10**6 - 1).map(lambda count: count * 1000),  # Python has no nanoseconds
}
DECIMALS: dict[pa.DataType, st.SearchStrategy[Any]] = {
    kind: st.decimals(-limit, limit, allow_nan=False, places=kind.scale)
    for kind in (pa.decimal32(9, 2), pa.decimal64(18, 0), pa.decimal128(38, 9), pa.decimal256(76, 20))
    for limit in (10 ** (kind.precision - kind.scale) - 1,)
}
LEAVES |= TEMPORAL | DECIMALS


def types() -> st.SearchStrategy[pa.DataType]:
    """Draw a supported type, nested or not."""
    return st.recursive(
        st.sampled_from([*LEAVES, pa.string_view(), pa.binary_view(), MEDIA]),
        lambda inner: st.one_of(
            *(inner.map(make) for make in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)),
            inner.map(lambda kind: pa.list_(kind, 2)),
            st.lists(inner, max_size=3).map(
                lambda kinds: pa.struct([(str(number), kind) for number, kind in enumerate(kinds)])
            ),
        ),
        max_leaves=4,
    )


def values(kind: pa.DataType, nullable: bool = True) -> st.SearchStrategy[Any]:
    """Draw a Python value of an Arrow type."""
    present: st.SearchStrategy[Any]
    if pa.types.is_fixed_size_list(kind):
        present = st.lists(values(kind.value_type), min_size=2, max_size=2)
    elif is_list(kind):
        present = st.lists(values(kind.value_type), max_size=4)
    elif pa.types.is_struct(kind):
        present = st.fixed_dictionaries({field.name: values(field.type) for field in kind})
    else:
        views = {pa.string_view(): pa.string(), pa.binary_view(): pa.binary()}
        present = LEAVES[views.get(kind, kind)]
    return st.none() | present if nullable else present


@st.composite
def batches(draw: st.DrawFn) -> pa.RecordBatch:
    """Draw a batch of one to three columns and up to six rows."""
    kinds = draw(st.lists(types(), min_size=1, max_size=3))
    rows = draw(st.integers(0, 6))
    columns = []
    for kind in kinds:
        nullable = draw(st.booleans())
        column = pa.array(draw(st.lists(values(kind, nullable), min_size=rows, max_size=rows)), kind)
        columns.append(compressed(column, draw(st.sampled_from([None, "dictionary", "runs"]))))
    return pa.record_batch(columns, names=[str(number) for number in range(len(columns))])


def compressed(column: pa.Array, layout: str | None) -> pa.Array:
    """Return a column in a layout that repeats no value, if Arrow has one for its type."""
    try:
        if layout == "dictionary":
            return column.dictionary_encode()
        return pc.run_end_encode(column) if layout == "runs" else column
    except (pa.ArrowNotImplementedError, pa.ArrowTypeError):
        return column


@st.composite
def layouts(draw: st.DrawFn, kind: pa.DataType) -> pa.DataType:
    """Draw another type with the same values: wider, of a finer unit, a view, with a dictionary."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        kind = kind.value_type
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, draw(layouts(field.type))) for field in kind])
    if is_list(kind):
        makes = [pa.list_, pa.large_list, pa.list_view, pa.large_list_view]
        return draw(st.sampled_from(makes))(draw(layouts(kind.value_type)))
    for group in (
        [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
        [pa.binary(3), pa.binary(), pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int8(), pa.binary())],
        [pa.float16(), pa.float32(), pa.float64()],
        [pa.int8(), pa.int16(), pa.int32(), pa.int64()],
        [pa.uint16(), pa.uint32(), pa.uint64()],
        [pa.uint8(), pa.dictionary(pa.int8(), pa.uint8())],  # lists of them are typed arrays
        [pa.decimal32(9, 2), pa.decimal64(18, 2), pa.decimal128(38, 9), pa.decimal256(76, 20)],
        [pa.decimal64(18, 0), pa.decimal128(20, 0), pa.decimal256(70, 3)],
        [pa.date32(), pa.date64()],
        [pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns")],
        [pa.duration(unit) for unit in UNITS],
        [pa.timestamp(unit) for unit in UNITS],
        [pa.timestamp(unit, "UTC") for unit in UNITS] + [pa.timestamp("ns", "Europe/Berlin")],
        [pa.timestamp(unit, "+05:30") for unit in UNITS] + [pa.timestamp("ns", "UTC")],
    ):
        if kind in group:
            return draw(st.sampled_from(group[group.index(kind) :]))
    return kind


EPOCH = datetime.datetime(1970, 1, 1)
SECOND = datetime.timedelta(seconds=1)


def seconds(value: Any) -> tuple[int, int]:
    """Return the seconds and nanoseconds of a duration, of Python or of pandas."""
    microseconds = value // datetime.timedelta(microseconds=1)
    return microseconds // 10**6, microseconds % 10**6 * 1000 + getattr(value, "nanoseconds", 0)


def expected_time(value: Any) -> Any:
    """Return what an independent decoder must find for a value of a temporal type."""
    if isinstance(value, datetime.timedelta):
        return "duration", *seconds(value)
    if isinstance(value, datetime.time):
        return "duration", *seconds(datetime.datetime.combine(EPOCH, value) - EPOCH)
    if not isinstance(value, datetime.datetime):
        return value
    if value.tzinfo:
        return "instant", *seconds(value - EPOCH.replace(tzinfo=datetime.UTC))
    midnight = datetime.datetime.combine(value.date(), datetime.time())
    return [value.date(), ("duration", *seconds(value - midnight))]


def expected(value: Any, kind: pa.DataType) -> Any:
    """Return what an independent decoder must find for a value."""
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        kind = kind.value_type
    if value is None:
        return None
    if pa.types.is_temporal(kind):
        return expected_time(value)
    if is_file(kind):
        return value["path"] if value["bytes"] is None else value["bytes"]
    if pa.types.is_struct(kind):
        return [expected(value[field.name], field.type) for field in kind]
    if pa.types.is_nested(kind):
        if kind.value_type == pa.uint8() and None not in value:
            return "uint8", bytes(value)
        return [expected(item, kind.value_type) for item in value]
    if isinstance(value, float):
        return "nan" if math.isnan(value) else ("zero" if value == 0 else value)
    return value


def found(value: Any) -> Any:
    """Return a decoded value in the form of ``expected``; cbor2 leaves tags 64, 1001 and 1002 alone."""
    if hasattr(value, "tag"):
        if value.tag == 64:
            return "uint8", value.value
        return {1001: "instant", 1002: "duration"}[value.tag], value.value[1], value.value[-9]
    if isinstance(value, list):
        return [found(item) for item in value]
    if isinstance(value, float):
        if math.isnan(value):
            return "nan"
        if value == 0:
            return "zero" if math.copysign(1, value) == 1 else "negative zero"
    return value


def write_manifest(
    path: Path,
    schema: pa.Schema,
    rows: Iterable[Sequence[Any]],
    key: Sequence[str] = (),
    files: dict[str, str] | None = None,
) -> Path:
    """Write the manifest of rows given as (split, values…), one batch for each run of a split."""
    with ManifestWriter(path, schema, key) as writer:
        run: list[tuple[Any, ...]] = []
        split = ""
        for name, *row in (*rows, ("",)):
            if run and name != split:
                writer.add(batch_of(schema, run), split=split, file=f"{split}.csv", source=f"raw/{split}")
                run = []
            split = name
            run.append(tuple(row))
        writer.finish(files or {})
    return path


def batch_of(schema: pa.Schema, rows: Sequence[Sequence[Any]]) -> pa.RecordBatch:
    """Make a batch of rows."""
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    return pa.record_batch(
        [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)], schema=schema
    )


def array_of(value: Any, kind: pa.DataType) -> pa.Array:
    """Return an array of one value of a vector: times and decimals are text, bytes are hex."""
    if isinstance(value, int):
        return pa.array([value], kind)
    return pa.array([with_bytes(value)]).cast(kind)


def with_bytes(value: Any) -> Any:
    if isinstance(value, dict):
        return bytes.fromhex(value["hex"]) if [*value] == ["hex"] else {k: with_bytes(v) for k, v in value.items()}
    return [*map(with_bytes, value)] if isinstance(value, list) else value

"""Batches of every type that has a canonical encoding, for hypothesis, and manifests made of small tables."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st
from samples import ManifestWriter

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


def types() -> st.SearchStrategy[pa.DataType]:
    """Draw a supported type, nested or not."""
    return st.recursive(
        st.sampled_from(list(LEAVES)),
        lambda inner: st.one_of(
            inner.map(pa.list_),
            inner.map(pa.large_list),
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
    elif pa.types.is_list(kind) or pa.types.is_large_list(kind):
        present = st.lists(values(kind.value_type), max_size=4)
    elif pa.types.is_struct(kind):
        present = st.fixed_dictionaries({field.name: values(field.type) for field in kind})
    else:
        present = LEAVES[kind]
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
        codable = kind in LEAVES and not pa.types.is_null(kind) and kind != pa.float16()
        columns.append(column.dictionary_encode() if codable and draw(st.booleans()) else column)
    return pa.record_batch(columns, names=[str(number) for number in range(len(columns))])


def expected(value: Any, kind: pa.DataType) -> Any:
    """Return what an independent decoder must find for a value."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if value is None:
        return None
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
    """Return a decoded value in the form of ``expected``; cbor2 leaves tag 64 alone."""
    if hasattr(value, "tag"):
        assert value.tag == 64
        return "uint8", value.value
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

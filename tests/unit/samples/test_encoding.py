"""The canonical encoding, against its test vectors and an independent CBOR decoder."""

import hashlib
import itertools
import json
from decimal import Context, Decimal
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import UnsupportedType, digests, encode, parse_type
from samples.arrow_types import MEDIA
from unit.samples.batches import UNITS, array_of, batches, expected, found, layouts

VECTORS = json.loads((Path(__file__).parents[3] / "tools/samples/vectors.json").read_text())


def column(kind: pa.DataType, *values: Any) -> pa.RecordBatch:
    return pa.record_batch({"x": pa.array(values, kind)})


@pytest.mark.parametrize("vector", VECTORS["samples"], ids=lambda vector: "-".join(vector["types"]))
def test_each_vector_has_its_encoding_and_hash(vector):
    columns = [array_of(value, parse_type(name)) for value, name in zip(vector["values"], vector["types"], strict=True)]
    batch = pa.record_batch(columns, names=[*map(str, range(len(columns)))])
    encoded = encode(batch)
    assert encoded[0].as_py().hex() == vector["encoding"]
    assert digests(encoded)[0].tobytes().hex() == vector["content_hash"]


@settings(max_examples=200, deadline=None)
@given(batches())
def test_an_independent_decoder_reads_every_batch_back(batch):
    kinds = [field.type for field in batch.schema]
    for encoded, row in zip(encode(batch).to_pylist(), batch.to_pylist(), strict=True):
        wanted = [expected(value, kind) for value, kind in zip(row.values(), kinds, strict=True)]
        assert found(cbor2.loads(encoded)) == wanted


@settings(max_examples=100, deadline=None)
@given(batches())
def test_values_are_equal_if_and_only_if_their_encodings_are(batch):
    for name in batch.schema.names:
        kind = batch.schema.field(name).type
        values = [expected(value, kind) for value in batch[name].to_pylist()]
        encoded = encode(batch.select([name])).to_pylist()
        for one, other in itertools.combinations(range(len(values)), 2):
            assert (values[one] == values[other]) == (encoded[one] == encoded[other])


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(list(UNITS)), st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1), st.booleans())
def test_every_count_of_a_unit_has_its_seconds_and_nanoseconds(unit, counts, is_instant):
    kind = pa.timestamp(unit, "UTC") if is_instant else pa.duration(unit)
    for count, encoded in zip(counts, encode(column(kind, *counts)).to_pylist(), strict=True):
        (value,) = cbor2.loads(encoded)
        seconds, parts = divmod(count, UNITS[unit])
        assert (value.tag, value.value) == (
            1001 if is_instant else 1002,
            {1: seconds, -9: parts * 10**9 // UNITS[unit]},
        )


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(10**76) + 1, 10**76 - 1) | st.integers(-(2**65), 2**65), min_size=1), st.integers(0, 76))
def test_every_decimal_has_its_exponent_and_mantissa(mantissas, scale):
    values = [Decimal(mantissa).scaleb(-scale, Context(prec=80)) for mantissa in mantissas]
    for mantissa, encoded in zip(mantissas, encode(column(pa.decimal256(76, scale), *values)).to_pylist(), strict=True):
        zeros = len(str(mantissa)) - len(str(mantissa).rstrip("0")) if mantissa else scale
        wanted = [zeros - scale, mantissa // 10**zeros]
        assert encoded[9:10] == b"\xc4" and cbor2.loads(encoded[10:]) == wanted


@settings(max_examples=100, deadline=None)
@given(batches(), st.data())
def test_the_layout_in_arrow_does_not_matter(batch, data):
    schema = pa.schema([(field.name, data.draw(layouts(field.type))) for field in batch.schema])
    columns = [pa.array(batch[field.name].to_pylist(), field.type) for field in schema]
    assert encode(pa.record_batch(columns, schema=schema)).to_pylist() == encode(batch).to_pylist()


@settings(max_examples=50, deadline=None)
@given(batches(), st.integers(0, 6))
def test_chunks_do_not_matter(batch, place):
    chunks = [chunk for chunk in (batch[:place], batch[place:]) if chunk.num_rows]
    apart = [value for chunk in chunks for value in encode(chunk).to_pylist()]
    assert apart == encode(batch).to_pylist()


@settings(max_examples=200, deadline=None)
@given(batches(), st.data())
def test_what_stands_beside_a_sample_does_not_change_its_encoding(batch, data):
    start = data.draw(st.integers(0, batch.num_rows))
    length = data.draw(st.integers(0, batch.num_rows - start))
    assert encode(batch.slice(start, length)).to_pylist() == encode(batch).to_pylist()[start : start + length]


@settings(max_examples=100, deadline=None)
@given(batches())
def test_digests_are_the_sha256_of_each_encoding(batch):
    encoded = encode(batch)
    assert [row.tobytes() for row in digests(encoded)] == [
        hashlib.sha256(value).digest() for value in encoded.to_pylist()
    ]
    assert np.array_equal(digests(encoded[1:]), digests(encoded)[1:])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-128, 127)), st.lists(st.floats(width=16)))
def test_the_width_of_a_number_does_not_matter(integers, floats):
    for width in (16, 32, 64):
        assert encode(column(pa.type_for_alias(f"int{width}"), *integers)) == encode(column(pa.int8(), *integers))
    for kind in (pa.float32(), pa.float64()):
        assert encode(column(kind, *floats)) == encode(column(pa.float16(), *floats))
    positive = [value for value in integers if value >= 0]
    assert encode(column(pa.uint64(), *positive)) == encode(column(pa.int8(), *positive))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (column(pa.float64(), -0.0), column(pa.float64(), 0.0)),
        (column(pa.float64(), float("nan")), column(pa.float32(), -float("nan"))),
        (column(pa.string(), "ü"), column(pa.large_string(), "ü")),
        (column(pa.binary(), b"ab"), column(pa.binary(2), b"ab")),
        (column(pa.list_(pa.int8()), [1]), column(pa.large_list(pa.int64()), [1])),
        (column(pa.list_(pa.uint8()), [1, 2]), column(pa.list_(pa.uint8(), 2), [1, 2])),
        (column(pa.string(), None), column(pa.null(), None)),
        (column(pa.timestamp("s"), 1), column(pa.timestamp("ns"), 10**9)),
        (column(pa.timestamp("us", "UTC"), 1), column(pa.timestamp("us", "Europe/Berlin"), 1)),
        (column(pa.date32(), -1), column(pa.date64(), -86_400_000)),
        (column(pa.decimal128(5, 2), Decimal("1.50")), column(pa.decimal256(40, 1), Decimal("1.5"))),
        (column(pa.decimal128(3, -2), Decimal(1200)), column(pa.decimal32(9, 2), Decimal(1200))),
        (column(MEDIA, {"bytes": b"x", "path": "a"}), column(MEDIA, {"bytes": b"x", "path": "b"})),
        (column(MEDIA, {"bytes": b"x", "path": "a"}), column(pa.binary(), b"x")),
    ],
    ids=lambda batch: str(batch.schema.field("x").type),
)
def test_equal_values_have_equal_encodings(one, other):
    assert encode(one).to_pylist() == encode(other).to_pylist()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (column(pa.int64(), 1), column(pa.float64(), 1.0)),
        (column(pa.string(), "1"), column(pa.int64(), 1)),
        (column(pa.string(), "a"), column(pa.binary(), b"a")),
        (column(pa.string(), ""), column(pa.string(), None)),
        (column(pa.list_(pa.string()), []), column(pa.list_(pa.string()), None)),
        (column(pa.list_(pa.string()), [None]), column(pa.list_(pa.string()), [])),
        (column(pa.bool_(), False), column(pa.int8(), 0)),
        (column(pa.timestamp("s"), 1), column(pa.timestamp("s", "UTC"), 1)),
        (column(pa.timestamp("ns"), 1), column(pa.timestamp("ns"), 2)),
        (column(pa.date32(), 1), column(pa.timestamp("s"), 86_400)),
        (column(pa.decimal128(5, 2), Decimal(1)), column(pa.int8(), 1)),
        (column(pa.decimal128(5, 2), Decimal("0.01")), column(pa.decimal128(5, 2), Decimal("-0.01"))),
        (column(MEDIA, {"bytes": None, "path": "a"}), column(MEDIA, {"bytes": None, "path": "b"})),
        (column(MEDIA, {"bytes": b"", "path": "a"}), column(MEDIA, {"bytes": None, "path": "a"})),
        (column(pa.list_(pa.list_(pa.int8())), [[1], [2]]), column(pa.list_(pa.list_(pa.int8())), [[1, 2]])),
    ],
    ids=lambda batch: str(batch.schema.field("x").type),
)
def test_unequal_values_have_unequal_encodings(one, other):
    assert encode(one).to_pylist() != encode(other).to_pylist()


def test_a_missing_pixel_changes_the_form_of_its_own_list_only():
    """Canonical means: a list of uint8 is a typed array, whatever the list beside it is."""
    kind = pa.list_(pa.uint8())
    alone = encode(column(kind, [1, 2])).to_pylist()
    assert encode(column(kind, [1, 2], [3, None], [], None)).to_pylist()[:1] == alone


@pytest.mark.parametrize(
    ("kind", "value"), [(pa.map_(pa.string(), pa.int8()), [("a", 1)]), (pa.month_day_nano_interval(), (1, 2, 3))]
)
def test_a_type_without_encoding_is_refused_even_inside_a_list(kind, value):
    message = f"unsupported column type {kind}"
    for batch in (column(kind, value), column(kind, value, None), column(pa.list_(kind), [value])):
        with pytest.raises(UnsupportedType) as caught:
            encode(batch)
        assert str(caught.value) == message

"""The canonical encoding, against its test vectors and an independent CBOR decoder."""

import hashlib
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import cbor2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import UnsupportedType, digests, encode
from unit.samples.batches import batches, expected, found

VECTORS = json.loads((Path(__file__).parents[3] / "tools/samples/vectors.json").read_text())
NAMED = {
    "list<int32>": pa.list_(pa.int32()),
    "list<uint8>": pa.list_(pa.uint8()),
    "list<list<uint8>>": pa.list_(pa.list_(pa.uint8())),
    "list<string>": pa.list_(pa.string()),
}


def column(kind: pa.DataType, *values: Any) -> pa.RecordBatch:
    return pa.record_batch({"x": pa.array(values, kind)})


@pytest.mark.parametrize("vector", VECTORS["samples"], ids=lambda vector: "-".join(vector["types"]))
def test_each_vector_has_its_encoding_and_hash(vector):
    values = [bytes.fromhex(value["hex"]) if isinstance(value, dict) else value for value in vector["values"]]
    kinds = [NAMED.get(name) or pa.type_for_alias(name) for name in vector["types"]]
    batch = pa.record_batch(
        [pa.array([value], kind) for value, kind in zip(values, kinds, strict=True)], names=[*map(str, kinds)]
    )
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


@pytest.mark.parametrize("kind", [pa.timestamp("s"), pa.date32(), pa.decimal128(5, 2), pa.map_(pa.string(), pa.int8())])
def test_a_type_without_encoding_is_refused_even_inside_a_list(kind):
    values: dict[str, Any] = {"decimal128(5, 2)": Decimal("1.5"), "map<string, int8>": [("a", 1)]}
    value = values.get(str(kind), 1)
    message = f"unsupported column type {kind}"
    for batch in (column(kind, value), column(kind, value, None), column(pa.list_(kind), [value])):
        with pytest.raises(UnsupportedType) as caught:
            encode(batch)
        assert str(caught.value) == message

"""Parquet and Arrow files are read by declared types, cast where nothing is lost."""

import datetime
import decimal
import io

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from unit.parquetizer.archives import arrow
from unit.parquetizer.folders import encoded_table
from unit.parquetizer.tables import PARQUET, parquetize

FORMATS = ("parquet", "arrow")
NOON = datetime.datetime(2024, 2, 29, 12, 0, 0)
UTC = NOON.replace(tzinfo=datetime.UTC)


def packed(table, format):
    return encoded_table(table) if format == "parquet" else arrow(table, "file")


def read(values, source, target, format, **rest):
    data = packed(pa.table({"x": pa.array(values, source)}), format)
    return parquetize(data, {"x": target}, PARQUET, format=format, **rest)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("values", "source", "target"),
    [
        ([1, -7, None], pa.int64(), "int8"),
        ([1.0, None], pa.float64(), "int32"),
        ([1, 2**53], pa.int64(), "float64"),
        ([1.5, None], pa.float64(), "float32"),
        ([7], pa.int8(), "decimal(5, 2)"),
        ([decimal.Decimal("1.50")], pa.decimal128(9, 4), "decimal(5, 2)"),
        (["x", None, ""], pa.large_string(), "string"),
        (["x", "y", "x", None], pa.dictionary(pa.int8(), pa.string()), "string"),
        ([b"\0\xff"], pa.large_binary(), "binary"),
        ([b"\0\xff"], pa.binary(2), "binary"),
        ([True, None], pa.bool_(), "bool"),
        ([NOON], pa.timestamp("ns"), "timestamp[ms]"),
        ([UTC], pa.timestamp("us", "UTC"), "timestamp[ms, UTC]"),
        ([NOON.date()], pa.date64(), "date"),
        ([datetime.timedelta(seconds=7)], pa.duration("us"), "duration[s]"),
        ([[1, None], None, []], pa.large_list(pa.int64()), "list<int8>"),
        ([[1.0, 2.0], None], pa.list_(pa.float64(), 2), "list<float32>"),
        ([[{"a": 1, "b": ["x"]}], None, [None]], None, "list<struct<b: list<string>, a: int16>>"),
        ([{"a": 1}], pa.struct([("a", pa.int64())]), "struct<a: int64, b: string>"),
        ([None, None], pa.null(), "string"),
    ],
)
def test_values_of_other_layouts_and_sizes_are_read(format, values, source, target):
    outcome = read(values, source, target, format)
    assert outcome.code == 0, outcome.error
    rows = pq.read_table(PARQUET)["x"].to_pylist()
    assert rows == ([{"a": 1, "b": None}] if target == "struct<a: int64, b: string>" else values)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("values", "source", "target", "row", "shown"),
    [
        ([1, 2, 300], pa.int64(), "int8", 3, "300"),
        ([1.0, 1.5], pa.float64(), "int32", 2, "1.5"),
        ([2**53 + 1], pa.int64(), "float64", 1, "9007199254740993"),
        ([0.5, 0.1], pa.float64(), "float32", 2, "0.1"),
        ([decimal.Decimal("1.555")], pa.decimal128(9, 4), "decimal(5, 2)", 1, "Decimal('1.5550')"),
        ([NOON, NOON.replace(microsecond=7)], pa.timestamp("us"), "timestamp[s]", 2, "datetime"),
        ([[1], None, [2, 300]], pa.list_(pa.int64()), "list<int8>", 3, "[2, 300]"),
    ],
)
def test_a_value_that_would_change_is_refused_with_its_row(format, values, source, target, row, shown):
    outcome = read(values, source, target, format)
    assert outcome.code == 20
    assert outcome.error.startswith(f"raw/a.csv row {row}: x: expected {target}, got {shown}")


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("source", "target"),
    [
        (pa.string(), "int64"),
        (pa.int64(), "string"),
        (pa.int8(), "bool"),
        (pa.bool_(), "int8"),
        (pa.binary(), "string"),
        (pa.timestamp("us", "UTC"), "timestamp[us]"),
        (pa.timestamp("us"), "timestamp[us, UTC]"),
        (pa.date32(), "timestamp[s]"),
        (pa.int64(), "timestamp[s]"),
        (pa.list_(pa.string()), "string"),
        (pa.struct([("a", pa.int64()), ("b", pa.int64())]), "struct<a: int64>"),
        (pa.map_(pa.string(), pa.int64()), "list<struct<key: string, value: int64>>"),
    ],
    ids=str,
)
def test_a_type_of_another_sort_is_refused(format, source, target):
    outcome = read([None], source, target, format)
    assert outcome.code == 22
    assert outcome.error.startswith(f"raw/a.csv: column 'x': expected {target}, got ")


@pytest.mark.parametrize("format", FORMATS)
def test_nul_and_numbers_that_are_not_finite_are_refused(format):
    assert "row 2: x contains a NUL character" in read([["a"], ["b", "c\0"]], None, "list<string>", format).error
    assert "row 1: x contains a number that is not finite" in read([float("inf")], None, "float64", format).error
    nan = [1.0, float("nan")]
    assert "row 2: x contains a number that is not finite" in read(nan, None, "float64", format).error
    assert read(nan, None, "float64", format, null_values=["nan"]).code == 0
    assert pq.read_table(PARQUET)["x"].to_pylist() == [1.0, None]
    assert read(nan, None, "float64", format, null_values=["NA"]).code == 2


@pytest.mark.parametrize("format", FORMATS)
def test_columns_are_those_declared(format):
    table = pa.table({"x": [1], "y": ["a"], "z": [None]})
    outcome = parquetize(packed(table, format), {"y": "string", "x": "int8"}, PARQUET, format=format)
    assert (outcome.code, outcome.error) == (
        22,
        "raw/a.csv: unknown column 'z'; fix: add it to dataset.columns, or to ignore",
    )
    outcome = parquetize(packed(table, format), {"y": "string", "x": "int8"}, PARQUET, format=format, ignore=["z"])
    assert pq.read_table(PARQUET).to_pydict() == {"y": ["a"], "x": [1]}
    outcome = parquetize(packed(table, format), {"w": "string"}, PARQUET, format=format)
    assert outcome.error.startswith("raw/a.csv: column 'w' not found in 'x', 'y', 'z'")
    twice = pa.table([pa.array([1]), pa.array([2])], names=["x", "x"])
    assert "duplicate column 'x'" in parquetize(packed(twice, format), {"x": "int8"}, PARQUET, format=format).error


def test_feather_and_streams_are_arrow():
    table = pa.table({"x": range(5)})
    sink = io.BytesIO()
    feather.write_feather(table, sink)
    for data in (sink.getvalue(), arrow(table, "stream"), arrow(table, "file", compression="lz4")):
        outcome = parquetize(data, {"x": "int8"}, PARQUET, format="arrow")
        assert outcome.code == 0, outcome.error
        assert pq.read_table(PARQUET)["x"].to_pylist() == [0, 1, 2, 3, 4]


def test_a_stream_without_its_end_or_with_more_is_refused():
    data = arrow(pa.table({"x": range(5)}), "stream")
    for damaged, what in ((data[:-8], "truncated"), (data[:-20], ""), (data + b"x", "data after the end")):
        outcome = parquetize(damaged, {"x": "int8"}, PARQUET, format="arrow")
        assert outcome.code == 23 and outcome.error.startswith(f"raw/a.csv: damaged Arrow file: {what}")


@pytest.mark.parametrize("format", FORMATS)
def test_a_damaged_file_is_refused(format):
    data = packed(pa.table({"x": range(500)}), format)
    for damaged in (data[:-1], data[: len(data) // 2], data[:3], b"x" + data):
        outcome = parquetize(damaged, {"x": "int64"}, PARQUET, format=format)
        assert outcome.code == 23, (outcome.error, len(damaged))
    assert parquetize(b"", {"x": "int64"}, PARQUET, format=format).code == 21
    assert (
        parquetize(packed(pa.table({"x": pa.array([], pa.int64())}), format), {"x": "int64"}, format=format).code == 21
    )


def test_another_format_is_named():
    table = pa.table({"x": [1]})
    for data, format, name, cure in (
        (packed(table, "arrow"), "parquet", "an Arrow file, not Parquet", "set format: arrow"),
        (packed(table, "parquet"), "arrow", "a Parquet file, not Arrow", "set format: parquet"),
        (b'{"x": 1}\n', "parquet", "JSON lines, not Parquet", "set format: json"),
    ):
        outcome = parquetize(data, {"x": "int64"}, PARQUET, format=format)
        assert (outcome.code, outcome.error) == (20, f"raw/a.csv: is {name}; fix: {cure}")

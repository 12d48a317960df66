"""JSON lines and arrays are read by declared types, at once by Arrow or one by one in Python, with equal results."""

import datetime
import decimal
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from parquetizer.formats import json_input, json_structure
from parquetizer.formats.json_input import read_objects
from parquetizer.formats.settings import FormatSettings
from parquetizer.raw.files import RawFile
from stage.errors import StageError
from unit.parquetizer.mutants import damaged
from unit.parquetizer.parsers import CHAT, CHATS, CHATTED, JSON
from unit.parquetizer.tables import AB, PARQUET, parquetize

NESTED = {"m": "list<struct<role: string, score: list<float32>>>", "n": "int64"}
ROWS = [
    {"m": [{"role": 'a "quoted" \\ text, {[]}', "score": [1.5, None]}, {"role": None, "score": []}], "n": 1},
    {"m": [], "n": None},
    {"m": None, "n": -(2**63)},
]
LINES = "\n".join(map(json.dumps, ROWS))


def rows_of(data, columns=NESTED, **rest):
    outcome = parquetize(data, columns, PARQUET, format="json", **rest)
    assert outcome.code == 0, outcome.error
    return pq.read_table(PARQUET).to_pylist()


def refused(data, code, error, columns=AB, **rest):
    outcome = parquetize(data, columns, PARQUET, format="json", **rest)
    assert outcome.code == code and outcome.error.startswith(f"raw/a.csv{error}"), outcome.error
    return outcome.error.partition("; fix: ")[2]


@pytest.mark.parametrize(
    "data",
    [
        LINES,
        f"\n{LINES}\n \t\n",
        LINES.replace("\n", "\r\n"),
        json.dumps(ROWS),
        f" \n {json.dumps(ROWS, indent=2)} \n",
        json.dumps(ROWS, separators=(",", ":"), ensure_ascii=False),
        json.dumps(ROWS, indent=1).replace("\n", "\r\n"),
    ],
    ids=["lines", "blank lines", "crlf", "array", "indented", "compact", "indented, crlf"],
)
def test_lines_and_arrays_are_the_same_rows(data):
    assert rows_of(data) == ROWS


UNDER = [
    ('{"v": "]", "data": %s}', ["data"]),
    ('\n{"data" :%s, "z": {"data": [1]}}\n ', ["data"]),
    ('{"z": [{"data": {"r\\u00fcs": [1]}}], "data": {"x": {}, "r\\u00fcs": %s, "y": 1}}', ["data", "rüs"]),
]


@pytest.mark.parametrize(("around", "names"), UNDER, ids=["first", "last", "nested"])
def test_rows_under_a_name(around, names):
    assert rows_of(around % json.dumps(ROWS, indent=1), rows=names) == ROWS


@pytest.mark.parametrize(
    ("data", "code", "error"),
    [
        ('{"data": [{"b": 1}]', 20, " around its rows: invalid JSON"),
        ('{"data": [{"b": 1}]}\n{"data": [{"b": 1}]}', 20, " around its rows: invalid JSON: Extra data"),
        ('{"data": [{"b": 1}], "data": 1}', 20, " around its rows: invalid JSON: duplicate name"),
        ('{"x": 01, "data": [{"b": 1}]}', 20, " around its rows: invalid JSON"),
        ('{"data": [{"b": 1}, {"b": "x"}]}', 20, " item 2: b: expected int64, got 'x'"),
        ('{"data": [{"b": 1}', 20, " item 1: the array is not closed"),
        ('{"data": [{"b": 1}], "x": "' + "x" * (1 << 20) + '"}', 20, ": more than 1,048,576 bytes after the array"),
        ('{"x": "' + "x" * (1 << 20) + '", "data": [{"b": 1}]}', 22, ': no array under ["data"]'),
        ('{"x": {"data": [{"b": 1}]}}', 22, ': no array under ["data"]'),
        ('[{"data": [{"b": 1}]}]', 22, ': no array under ["data"]'),
        ('{"data": {"b": 1}}', 22, ': no array under ["data"]'),
        ('{"data": []}', 21, ": no items"),
        (" ", 21, ": the file is empty"),
    ],
)
def test_what_is_not_rows_under_a_name_is_refused(data, code, error):
    refused(data, code, error, rows=["data"])


def test_a_missing_field_is_null_in_structs_too():
    assert rows_of('{}\n{"m": [{}]}') == [{"m": None, "n": None}, {"m": [{"role": None, "score": None}], "n": None}]


def test_each_type_has_its_form():
    columns = {
        "d": {"type": "date", "format": "%d.%m.%Y"},
        "t": "timestamp[ms, UTC]",
        "p": "decimal(6, 2)",
        "q": "duration[s]",
        "b": "binary",
        "w": "list<time[s]>",
    }
    line = '{"d": "31.12.2024", "t": "2024-12-31T23:00:00Z", "p": %s, "q": %s, "b": "AP8=", "w": ["10:30:00", null]}\n'
    first, second = rows_of(line % ('"1.5"', '"PT1M"') + line % ("-1234.5", "60"), columns)
    assert first["d"] == datetime.date(2024, 12, 31) and first["b"] == b"\0\xff"
    assert first["t"] == datetime.datetime(2024, 12, 31, 23, tzinfo=datetime.UTC)
    assert first["w"] == [datetime.time(10, 30), None]
    assert (first["p"], second["p"]) == (decimal.Decimal("1.50"), decimal.Decimal("-1234.50"))
    assert first["q"] == second["q"] == datetime.timedelta(minutes=1)
    refused(line % ("1.555", "60"), 20, ":1: p: expected decimal(6, 2), got '1.555'", columns)
    refused(line.replace("31.12", "31.11") % ("1", "60"), 20, ":1: d: expected date, got '31.11.2024'", columns)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ('{"a": 1}', "a: expected string, got 1"),
        ('{"a": ["x"]}', "a: expected string, got ['x']"),
        ('{"b": "1"}', "b: expected int64, got '1'"),
        ('{"b": true}', "b: expected int64, got True"),
        ('{"b": 1.0}', "b: expected int64, got 1.0"),
        ('{"b": 9223372036854775808}', "b: expected int64, got 9223372036854775808"),
        ('{"b": 1, "b": 2}', "invalid JSON: duplicate name in an object"),
        ('{"b": NaN}', "invalid JSON: unsupported number NaN"),
        ('{"b": 01}', "invalid JSON: "),
        (r'{"a": "\ud83d"}', "a contains a lone surrogate"),
        (r'{"a": "x\u0000"}', "a contains a NUL character"),
        ("null", "expected a JSON object"),
        ("[1]", "expected a JSON object"),
        ('{"b": 1} {"b": 2}', "invalid JSON: Extra data"),
        ('{"a": "x"', "invalid JSON: "),
        ('{"a": "x\ty"}', "invalid JSON: Invalid control character"),
        (f'{{"a": "{"x" * 2000}"}}', "a is longer than 1000 bytes"),
        (f'{{"c": {"[" * 100_000}', "invalid JSON: nested too deeply"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_line_or_item(line, error):
    good = '{"a": "x", "b": 1}'
    options = {"ignore": ["c"], "max_field_bytes": 1000}
    refused(f"{good}\n\n{good}\n{line}\n{good}", 20, f":4: {error}", **options)
    if line[-1] in "]}" or line == "null":
        refused(f"[{good},\n{good},\n{line},\n{good}]", 20, f" item 3: {error}", **options)


def test_numbers_are_refused_where_they_are_out_of_range():
    for kind, good, wrong in (("float32", "3.4e38", "1e39"), ("float64", "1e308", "1e999"), ("uint8", "255", "256")):
        assert rows_of(f'{{"x": {good}}}', {"x": kind})[0]["x"] is not None
        refused(f'{{"x": {wrong}}}', 20, f":1: x: expected {kind}, got {wrong}", {"x": kind})
    refused('{"x": [1, Infinity]}', 20, ":1: invalid JSON: unsupported number Infinity", {"x": "list<float64>"})
    assert rows_of('{"x": -2.000}', {"x": "int8"}, lenient_integers=True) == [{"x": -2}]


def test_unknown_fields_are_refused_unless_ignored():
    line = '{"a": "x", "b": 1, "z": %s}\n'
    fix = refused(line % 1, 22, ":1: unknown field 'z'")
    assert fix == "add it to dataset.columns, or to ignore"
    data = line % 1 + line % '"text"' + line % '[{"y": [null, 1]}]' + line % "null" + '{"a": "y"}'
    assert [row["b"] for row in rows_of(data, AB, ignore=["z"])] == [1, 1, 1, 1, None]
    columns = {"s": "struct<x: int64>"}
    refused('{"s": {"x": 1}}\n{"s": {"x": 1, "y": 2}}', 22, ":2: s: unknown field 'y'", columns)
    refused('{"s": {"x": 1}}\n{"s": {"x": 1, "y": 2}}', 22, ":2: s: unknown field 'y'", columns, ignore=["z"])


@pytest.mark.parametrize(
    ("data", "code", "error"),
    [
        ("", 21, ": the file is empty"),
        ("\n \n", 21, ": no rows"),
        ("[]", 21, ": no items"),
        (" [ \n ] ", 21, ": no items"),
        ('[{"b": 1}', 20, " item 1: the array is not closed"),
        ('[{"b": 1},]', 20, " item 2: comma before the end of the array"),
        ('[{"b": 1},,{"b": 2}]', 20, " item 2: invalid JSON"),
        ('[{"b": 1} {"b": 2}]', 20, " item 1: invalid JSON: Extra data"),
        ('{"b": 1} {"b": 2}\n{"a": "y",\n"b": 3}\n', 20, ":1: invalid JSON: Extra data"),
        ('{"b": 1}{"b": 2}\n{\0}\n', 20, ":2: NUL character"),
        ('{"a": "}\n{"}\n', 20, ":1: invalid JSON: "),
        ('[{"b": 1},\n{"b": 2} {"b": 3}\n]', 20, " item 2: invalid JSON: Extra data"),
        ('[{"b": 1}] x', 20, ": data after the array"),
        ('[{"b": 1}]\n[{"b": 1}]', 20, ": data after the array"),
        ('[{"b": 1}, 2]', 20, " item 2: expected a JSON object"),
        ("b\n1\n", 20, ":1: invalid JSON"),
        ("<html>", 20, ": is an HTML page"),
        ("PAR1", 20, ": is a Parquet file, not JSON"),
    ],
)
def test_what_is_no_json_of_objects_is_refused(data, code, error):
    refused(data, code, error)


def test_settings_of_other_formats_are_refused():
    outcome = parquetize("{}", AB, PARQUET, format="json", delimiter=";")
    assert (outcome.code, outcome.error) == (
        2,
        "params.yaml: delimiter is not a setting of format json; fix: remove it",
    )
    outcome = parquetize("{}", AB, PARQUET, format="xml")
    assert (outcome.code, outcome.error.partition(";")[0]) == (2, "params.yaml: unknown format xml")


def test_lines_and_items_that_blocks_cut_are_whole(monkeypatch):
    monkeypatch.setattr(json_structure, "BLOCK", 7)
    assert rows_of(json.dumps(ROWS, indent=1)) == ROWS
    many = [{"m": [{"role": f"text {n}", "score": [n]}], "n": n} for n in range(30_000)]
    assert rows_of("\n".join(map(json.dumps, many))) == many


def read(data, patience):
    Path("data").write_bytes(data)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(json_input, "PATIENCE", patience)
        return _read()


def _read():
    try:
        batches = read_objects(
            RawFile.of(Path("data")), CHATS.columns, FormatSettings(max_field_bytes=100, ignore=("z",)), 1600
        )
        return [
            repr(row) for numbers, batch in batches for row in zip(numbers.to_pylist(), batch.to_pylist(), strict=True)
        ]
    except StageError as error:
        return str(error)


def agree(examples):
    whole = (CHAT * 2, b"[" + CHAT.strip().replace(b"\n", b" \n, ") + b"]", b'{"z": []}\n{"z": {}}\n{"n": 1}\n')

    @settings(
        derandomize=True, database=None, deadline=None, max_examples=examples, suppress_health_check=[*HealthCheck]
    )
    @given(data=damaged(whole, (*JSON, *CHATTED)))
    def check(data):
        assert read(data, 3) == read(data, 0)

    check()


def test_arrow_and_python_read_the_same():
    agree(300)


@pytest.mark.extended
def test_arrow_and_python_read_the_same_of_many():
    agree(1_500)


def test_arrow_reads_what_is_usual(monkeypatch):
    """Else it is many times slower."""
    monkeypatch.setattr(json_input.BlockReader, "_in_python", None)
    for data in (LINES, f" {LINES}  ", json.dumps(ROWS, indent=2), json.dumps(ROWS)):
        assert rows_of(data) == ROWS
    assert len(rows_of(CHAT.decode().splitlines()[0], {c.name: c.type for c in CHATS.columns}, ignore=["z"])) == 1

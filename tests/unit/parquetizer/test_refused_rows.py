"""What is refused, with which exit code and which words; nothing is written then."""

from pathlib import Path

import pytest
from unit.parquetizer.tables import AB, PARQUET, parquetize

SPAN = "correct the row, or quote fields with delimiters"
VALUE = "correct the value, or add it to null-values"
CLOSE = "close or double it, or set multiline: true, or quote: none if quotes are text"
LONG = f"{'x' * 97},1\n"  # 100 bytes
DECLARE = "set the encoding of the file, such as encoding: windows-1252"
SENT = "check that the source sent the whole file"


def refused(code, message, fix, *arguments, **settings):
    """Assert one refusal, and that the outputs of an earlier run and the raw file are as before."""
    before = {"out.csv": b"an older output", "samples.parquet": b"its manifest"}
    for name, data in before.items():
        Path(name).write_bytes(data)
    outcome = parquetize(*arguments, **settings)
    assert (outcome.code, outcome.error) == (code, f"{message}; fix: {fix}")
    assert not outcome.result
    assert {name: Path(name).read_bytes() for name in before} == before
    assert sorted(path.name for path in Path().iterdir()) == ["out.csv", "params.yaml", "raw", "samples.parquet"]
    assert [path.name for path in Path("raw").iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    ("data", "row", "fields"),
    [
        ("a,b\nx,1\ny\n", 3, 1),
        ("a,b\nx,1\ny,2,3\n", 3, 3),
        ("a,b\r\nx,1\r\n\r\ny\r\n", 4, 1),
        ("a,b\nx,1\ny", 3, 1),
        ("a,b\n" + LONG * 11_000 + "y\n", 11_002, 1),
    ],
    ids=["short", "long", "after CRLF and a blank line", "no last newline", "in the second block"],
)
def test_a_ragged_row_is_refused(data, row, fields):
    """Q1."""
    refused(20, f"raw/a.csv:{row}: expected 2 fields, got {fields}", SPAN, data)


@pytest.mark.parametrize(
    ("data", "row"),
    [
        ('a,b\n"x,1\ny,2\n', 2),
        ('a,b\nx,1\ny",2\nz,3\n', 3),
        ('a,b\nx,1\n"y,2', 3),
        ('a,"b\nx,1\n', 1),
        ("a,b\n" + "x,1\n" * 300_000 + '"y,1\n' + "z,2\n" * 10, 300_002),
    ],
    ids=["first", "stray", "last line", "header", "in the second block"],
)
def test_a_quote_that_is_not_closed_is_refused(data, row):
    """Q2: Arrow alone takes the rest of the file as one field, without an error."""
    refused(20, f"raw/a.csv:{row}: unclosed quote", CLOSE, data)


def test_a_quote_that_is_never_closed_is_refused_where_it_was_opened():
    """Q2, with multiline: true."""
    data = 'a,b\n"x\ny",1\n"z,2\nw,3\n'
    refused(20, "raw/a.csv:4: unclosed quote", "close or double it, or set quote: none", data, multiline=True)


@pytest.mark.parametrize(
    ("data", "encoding", "at", "reason"),
    [
        (b"a,b\nZ\xfcrich,1\n", "utf-8", 5, "invalid start byte"),
        (b"a,b\nx,1\n" * 200_000 + b"\xff", "utf-8", 1_600_000, "invalid start byte"),
        (b"a,b\nx,1\n\xc3", "utf-8", 8, "unexpected end of data"),
        ("a,b\nZürich,1\n".encode(), "ascii", 5, "ordinal not in range(128)"),
        (b"\xef\xbb\xbfa,b\nx\xff,1\n", "utf-8-sig", 8, "invalid start byte"),
        ("a,b\nx,1\n".encode("utf-16") + b"\x00", "utf-16", 18, "truncated data"),
        ("a,b\n".encode("utf-16-le") + b"\x00\xd8x\x00", "utf-16-le", 8, "illegal UTF-16 surrogate"),
        (b"a,b\nx\x81,1\n", "cp1252", 5, "character maps to <undefined>"),
    ],
    ids=["latin-1", "late", "cut", "ascii", "after a mark", "odd", "lone surrogate", "cp1252"],
)
def test_bytes_outside_the_declared_encoding_are_refused(data, encoding, at, reason):
    """Q3: Arrow alone makes the column binary, without an error."""
    refused(20, f"raw/a.csv@{at}: invalid {encoding}: {reason}", DECLARE, data, encoding=encoding)


def test_a_character_no_file_can_hold_is_refused():
    """Q7: a lone surrogate, which UTF-7 can write."""
    outcome = parquetize(b"a,b\nx+2AA-,1\n", encoding="utf-7")
    assert outcome.code == 20
    assert outcome.error.startswith("raw/a.csv@0: invalid utf-7: 'utf-8' codec can't encode character '\\ud800'")


def test_a_byte_order_mark_must_be_declared():
    """Q3."""
    data = "a,b\nx,1\n".encode("utf-8-sig")
    refused(20, "raw/a.csv@0: byte-order mark at the start of the file", "set encoding: utf-8-sig", data)


@pytest.mark.parametrize(
    ("kind", "value", "fix"),
    [
        ("int64", "9223372036854775808", "declare type: uint64"),
        ("int8", "128", "declare type: int16"),
        ("uint8", "-1", "declare type: int16"),
        ("int64", "1.0", "set lenient-integers: true"),
        ("int64", "1e3", "declare type: float64"),
        ("int64", "+1", "declare type: float64"),
        ("int64", "1_000", 'set thousands: "_"'),
        ("int64", "٣", VALUE),
        ("int64", "", 'add "" to null-values'),
        ("int64", "NA", 'add "NA" to null-values'),
        ("float64", "1,5", 'set decimal: ","'),
        ("float64", "nan", 'add "nan" to null-values'),
        ("float64", "-inf", VALUE),
        ("float64", "1e400", VALUE),
        ("float64", "1_0.5", VALUE),
        ("float64", "0x1p3", VALUE),
        ("float64", "", 'add "" to null-values'),
        ("float32", "1e39", "declare type: float64"),
        ("bool", "yes", 'set true-values: ["yes"] and false-values: ["no"]'),
        ("bool", "TrUe", VALUE),
        ("bool", "", 'add "" to null-values'),
    ],
)
def test_a_value_that_is_not_of_its_declared_type_is_refused(kind, value, fix):
    """Q4: pandas turns 2**63 into a float and drops what it cannot read."""
    message = f"raw/a.csv:3: b: expected {kind}, got {value!r}"
    good = "true" if kind == "bool" else "1"
    refused(20, message, fix, f'a,b\nx,{good}\ny,"{value}"\n', {"a": "string", "b": kind})


def test_a_bad_value_late_in_the_file_is_found():
    """Q4: pandas decides types on what it has seen so far."""
    data = "a,b\n" + LONG * 30_000 + "x,one\nx,1\n"
    refused(20, "raw/a.csv:30002: b: expected int64, got 'one'", VALUE, data)


@pytest.mark.parametrize(
    ("header", "what", "fix"),
    [
        ("a,a", "duplicate column 'a'", 'declare or ignore it as "a.1"'),
        ("a,b,a", "duplicate column 'a'", 'declare or ignore it as "a.1"'),
        ("a", "column 'b' not found in 'a'", "correct dataset.columns"),
        ("a, b", "column 'b' not found in 'a', ' b'", "set trim: true"),
        ("A,B", "column 'a' not found in 'A', 'B'", "correct dataset.columns"),
        ("a,b,", "unknown column ''", "add it to dataset.columns, or to ignore"),
        ("a,b,c", "unknown column 'c'", "add it to dataset.columns, or to ignore"),
        ("a;b", "column 'a' not found in 'a;b'", 'set delimiter: ";"'),
    ],
)
def test_a_header_that_is_not_the_declared_one_is_refused(header, what, fix):
    """Q5."""
    refused(22, f"raw/a.csv:1: {what}", fix, f"{header}\nx,1,2\n")


def test_a_column_that_is_constant_and_in_the_file_is_refused():
    """Q5."""
    inputs = [{"file": "a.csv", "constants": {"b": 1}}]
    refused(
        22, "raw/a.csv:1: unknown column 'b'", "add it to dataset.columns, or to ignore", "a,b\nx,1\n", inputs=inputs
    )


def test_a_field_above_the_limit_is_refused():
    """Q6."""
    data = f"a,b\nx,1\n{'y' * 1001},2\n"
    fix = "raise max-field-bytes, or shorten it"
    refused(20, "raw/a.csv:3: a is longer than 1000 bytes", fix, data, max_field_bytes=1000)
    refused(20, "raw/a.csv:2: a is longer than 2 bytes", fix, "a,b\nzü,1\n", max_field_bytes=2)


def test_a_row_of_long_fields_may_be_too_long_for_a_block():
    """Q6."""
    columns = dict.fromkeys("abcdef", "string")
    data = "a,b,c,d,e,f\n1,2,3,4,5,6\n" + ",".join(["x" * 500_000] * 6) + "\n"
    message = "raw/a.csv:3: the row is longer than 1048576 bytes"
    refused(20, message, "raise max-field-bytes to half its length", data, columns)
    assert parquetize(data, columns, PARQUET, max_field_bytes=1_600_000).code == 0


def test_a_file_that_is_one_endless_header_is_refused():
    """Q6."""
    message = "raw/a.csv:1: field larger than field limit (4096)"
    refused(20, message, "correct the header", b"a" * 3_000_000)


@pytest.mark.parametrize("row", [2, 3, 250_001])
def test_a_nul_is_refused(row):
    """Q7: Postgres would refuse it later."""
    data = "a,b\n" + "x,1\n" * (row - 2) + "y\0,1\nz,2\n"
    refused(20, f"raw/a.csv:{row}: NUL character", "remove it, or set the file's encoding", data)


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ("", "the file is empty"),
        ("\n\r\n\n", "the file is empty"),
        ("a,b\n", "no rows after the header"),
        ("a,b", "no rows after the header"),
        ("a,b\r\n", "no rows after the header"),
        ("\na,b\n\n\n", "no rows after the header"),
    ],
)
def test_a_file_without_rows_is_refused(data, what):
    """Q8."""
    refused(21, f"raw/a.csv: {what}", SENT, data)


def test_one_empty_file_among_several_is_refused():
    """Q8."""
    outcome = parquetize({"a.csv": "a,b\nx,1\n", "b.csv": "a,b\n"}, inputs=["a.csv", "b.csv"])
    assert (outcome.code, outcome.error) == (21, f"raw/b.csv: no rows after the header; fix: {SENT}")


def test_a_raw_file_that_is_not_there_is_named():
    outcome = parquetize("a,b\nx,1\n", inputs=["a.csv", "b.csv"])
    assert outcome.code == 10
    assert outcome.error == "raw/b.csv: not found; fix: run the fetcher, or correct parquetizer.inputs"


def test_a_manifest_that_would_take_the_place_of_its_table_is_refused():
    outcome = parquetize("a,b\nx,1\n", AB, "samples.parquet")
    message = "samples.parquet: same path for table and manifest; fix: write the manifest to another file"
    assert (outcome.code, outcome.error) == (2, message)


def test_an_output_of_unknown_format_is_refused():
    outcome = parquetize("a,b\nx,1\n", AB, "out.txt")
    assert (outcome.code, outcome.error) == (
        2,
        "out.txt: unsupported format; fix: use the suffix .csv or .parquet, or a folder for splits",
    )

"""What is read, whatever the file looks like: dialects, encodings, and the edges of the blocks in which it is read."""

import pyarrow.parquet as pq
import pytest
from parquetizer.formats.csv_diagnosis import first_bad_row
from parquetizer.kinds.table_settings import TableSettings
from parquetizer.raw.checked_bytes import CheckedBytes
from parquetizer.raw.files import RawFile
from unit.parquetizer.tables import AB, PARQUET, RAW, parquetize, write_params, write_raw

BLOCK = 1 << 20


def upto(size: int, newline: str = "\n", start: str = "a,b\n") -> str:
    """Return a table of ``size`` bytes whose last row is whole."""
    row = f"{'x' * 95},1{newline}"
    whole, rest = divmod(size - len(start), len(row))
    return start + row * (whole - 1) + "y" * rest + row


def count(text: str) -> int:
    return len(text.splitlines()) - 1


@pytest.mark.parametrize(
    ("data", "settings"),
    [
        ("a,b\nx,1\ny,2\n", {}),
        ("a,b\nx,1\ny,2", {}),
        ("a,b\r\nx,1\r\ny,2\r\n", {}),
        ("a,b\rx,1\ry,2\r", {}),
        ("\n\na,b\n\nx,1\n\n\ny,2\n\n", {}),
        ("b,a\n1,x\n2,y\n", {}),
        ('"a","b"\n"x","1"\n"y","2"\n', {}),
        ("a;b\nx;1\ny;2\n", {"delimiter": ";"}),
        ("a\tb\nx\t 1\ny\t2 \n", {"delimiter": "\t"}),
        ("a,b\n'x',1\ny,'2'\n", {"quote": "'"}),
        ("a,b\nx,1\ny,2\n".encode("utf-16"), {"encoding": "utf-16"}),
        ("a,b\nx,1\ny,2\n".encode("utf-32-be"), {"encoding": "utf-32-be"}),
        ("a,b\nx,1\ny,2\n".encode("utf-8-sig"), {"encoding": "utf-8-sig"}),
        ("a,b\nx,1\ny,2\n", {"encoding": "utf-8-sig"}),
        ("a,b\nx,1\ny,2\n", {"encoding": "ascii"}),
    ],
    ids=lambda value: "-".join(value.values()) if isinstance(value, dict) else None,
)
def test_a_table_is_the_same_in_any_dialect(data, settings):
    """Q3 where the encoding is declared."""
    outcome = parquetize(data, **settings)
    assert outcome.code == 0, outcome.error
    assert outcome.text == "a,b\nx,1\ny,2\n"


@pytest.mark.parametrize(
    ("kind", "raw", "written"),
    [
        ("string", "00501", "00501"),
        ("string", "NA", "NA"),
        ("string", " x ", " x "),
        ("string", "1e5", "1e5"),
        ("string", "", ""),
        ("string", "=cmd()", "=cmd()"),
        ("string", "+1-1", "+1-1"),
        ("string", "@SUM(1)", "@SUM(1)"),
        ("int64", "007", "7"),
        ("int64", " 7\t", "7"),
        ("int64", "-9223372036854775808", "-9223372036854775808"),
        ("uint64", "18446744073709551615", "18446744073709551615"),
        ("float64", "7", "7.0"),
        ("float64", "-0", "-0.0"),
        ("float64", "1e-400", "0.0"),
        ("float64", "0.1000000000000000055511151231257827", "0.1"),
        ("float32", "0.5", "0.5"),
        ("bool", "TRUE", "true"),
        ("bool", "0", "false"),
    ],
)
def test_a_type_is_declared_and_never_guessed(kind, raw, written):
    """Q4 and Q17: pandas makes 501 of 00501 and nothing of NA; what looks like a formula stays as it is."""
    outcome = parquetize(f'a,b\nx,"{raw}"\n', {"a": "string", "b": kind}, PARQUET)
    assert outcome.code == 0, outcome.error
    assert outcome.rows == [["x", written]]


def test_only_declared_null_values_are_missing():
    """Q4."""
    columns = {"a": "string", "b": "int64", "c": "float64"}
    outcome = parquetize("a,b,c\nNA,?,?\n?,1,2\n,3,4\n", columns, PARQUET, null_values=["?"])
    assert pq.read_table(outcome.output)["a"].to_pylist() == ["NA", None, ""]
    assert outcome.text == "a,b,c\nNA,,\n,1,2.0\n,3,4.0\n"


def test_inputs_follow_each_other_and_constants_fill_the_columns_they_lack():
    inputs = [{"file": "b.csv", "constants": {"kind": 1, "ok": True}}, {"file": "a.csv", "constants": {"kind": 0}}]
    columns = {"kind": "int8", "a": "string", "ok": "bool"}
    outcome = parquetize({"a.csv": "ok,a\nfalse,x\n", "b.csv": "a\ny\nz\n"}, columns, inputs=inputs)
    assert outcome.text == "kind,a,ok\n1,y,true\n1,z,true\n0,x,false\n"
    assert outcome.result["rows"] == 3


def test_a_field_up_to_the_limit_is_read():
    """Q6: Python's csv module stops at 128 kB."""
    long = "x" * (1 << 19)
    outcome = parquetize(f"a,b\n{long},1\ny,2\n{long},3\n")
    assert outcome.code == 0, outcome.error
    assert outcome.text == f"a,b\n{long},1\ny,2\n{long},3\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "latin-1"])
@pytest.mark.parametrize("before", [1000, 300_000, 900_000, 1_040_000])
def test_a_field_up_to_the_limit_is_read_in_any_encoding_wherever_it_stands(encoding, before):
    """Q6: a block is a million characters long, not a million bytes of a wide encoding."""
    data = upto(before) + "ü" + "x" * ((1 << 19) - 2) + ",2\nz,3\n"
    outcome = parquetize(data.encode(encoding), encoding=encoding)
    assert outcome.code == 0, outcome.error
    assert outcome.text == data


@pytest.mark.parametrize("limit", [1 << 21, 3 << 20])
def test_the_limit_can_be_raised(limit):
    """Q6."""
    outcome = parquetize(upto(500_000) + "x" * limit + ",2\nz,3\n", AB, PARQUET, max_field_bytes=limit)
    assert outcome.code == 0, outcome.error
    assert len(outcome.rows[-2][0]) == limit


EDGES = range(-6, 2)
SOME = [pytest.param(shift, marks=[pytest.mark.extended] * (shift not in (-1, 0))) for shift in EDGES]


@pytest.mark.parametrize("shift", SOME)
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize(
    "row",
    ['"q""q",2', '"comma,",2', '"",2', "\N{GRINNING FACE}üz,2", '"say ""hi""",2'],
    ids=["doubled", "comma", "empty", "wide", "at the end"],
)
def test_a_row_at_the_edge_of_a_block_is_read(row, newline, shift):
    start = f"a,b{newline}"
    data = upto(BLOCK + shift, newline, start) + row + newline + f"last,3{newline}"
    outcome = parquetize(data, AB, PARQUET)
    assert outcome.code == 0, outcome.error
    assert outcome.text == data.replace("\r\n", "\n").replace('\n"",2', "\n,2")


@pytest.mark.parametrize("shift", SOME)
@pytest.mark.parametrize("inside", ["one\ntwo", "one\r\ntwo", '"\n"', "\n", ",\n,", "ü\n🙂"])
def test_a_line_end_inside_quotes_at_the_edge_of_a_block_is_read(inside, shift):
    data = upto(BLOCK + shift) + '"' + inside.replace('"', '""') + '",2\nlast,3\n'
    outcome = parquetize(data, AB, PARQUET, multiline=True)
    assert outcome.code == 0, outcome.error
    assert outcome.rows[-2:] == [[inside, "2"], ["last", "3"]]
    assert outcome.result["rows"] == len(outcome.rows)


@pytest.mark.parametrize("shift", SOME)
def test_a_carriage_return_inside_quotes_is_read_right_or_refused(shift):
    """Arrow takes it for the end of a row where multiline is not set and a block ends soon after."""
    data = upto(BLOCK + shift) + '"one\rtwo",2\nlast,3\n'
    outcome = parquetize(data, AB, PARQUET)
    if shift in range(-4, 0):
        assert outcome.code == 20
        assert outcome.error == f"raw/a.csv:{count(data)}: line break in a field; fix: set multiline: true"
    else:
        assert outcome.rows[-2:] == [["one\rtwo", "2"], ["last", "3"]]
    assert parquetize(data, AB, PARQUET, multiline=True).rows[-2:] == [["one\rtwo", "2"], ["last", "3"]]


@pytest.mark.parametrize("shift", [-2, -1, 0, 1])
@pytest.mark.parametrize(
    ("bad", "what"),
    [
        ('"open,2\n', "unclosed quote"),
        ("n\0l,2\n", "NUL character"),
        ("ragged\n", "expected 2 fields, got 1"),
        ("x,y\n", "b: expected int64, got 'y'"),
    ],
    ids=["quote", "NUL", "ragged", "value"],
)
def test_what_is_wrong_at_the_edge_of_a_block_is_found_on_its_line(bad, what, shift):
    data = upto(BLOCK + shift)
    outcome = parquetize(data + bad + "z,3\n")
    assert outcome.code == 20
    assert outcome.error.startswith(f"raw/a.csv:{count(data) + 2}: {what}; fix: ")


@pytest.mark.parametrize("shift", [-3, -2, -1, 0, 1])
def test_a_wrong_byte_at_the_edge_of_a_block_is_found_at_its_place(shift):
    data = upto(BLOCK + shift).encode()
    outcome = parquetize(data + "ü".encode()[:1] + b"x,2\n")
    assert outcome.error.startswith(f"raw/a.csv@{BLOCK + shift}: invalid utf-8: invalid continuation byte; fix: ")


def test_a_multiline_field_longer_than_a_block_is_read():
    """Q6."""
    inside = "line\n" * 250_000
    outcome = parquetize(f'a,b\n"{inside}",1\nx,2\n', AB, PARQUET, multiline=True, max_field_bytes=1 << 21)
    assert outcome.code == 0, outcome.error
    assert outcome.rows == [[inside, "1"], ["x", "2"]]


def test_where_the_row_cannot_be_told_the_file_is():
    """Q6: so many doubled quotes that Arrow gives up."""
    data = upto(BLOCK - 1) + '"' + '""' * (1 << 19) + '",1\nx,1\n'
    outcome = parquetize(data)
    what = "straddling object straddles two block boundaries (try to increase block size?)"
    fix = "correct the file, or raise max-field-bytes"
    assert (outcome.code, outcome.error) == (20, f"raw/a.csv: {what}; fix: {fix}")
    assert parquetize(data, AB, PARQUET, max_field_bytes=1 << 20).code == 0


def test_looking_for_the_row_goes_on_to_bytes_that_arrow_has_not_seen():
    """Which of two errors Arrow meets first is for its threads to say, so this asks the diagnosis alone."""
    write_raw(b"a,b\n" + b"x,1\n" * 300_000 + b"\xff")
    settings, file = TableSettings.read(write_params(AB)), RawFile.of(RAW / "a.csv")
    with CheckedBytes(file, "utf-8") as source:
        error = first_bad_row(file, source, settings.columns, settings)
    assert error and error.what.startswith("invalid utf-8")


def test_the_last_characters_of_a_stateful_encoding_are_not_lost():
    """UTF-7 says only at the end of a file that its last character is whole."""
    assert parquetize(b"a,b\nx,1\n+AOk,+ADI", encoding="utf-7").rows == [["x", "1"], ["é", "2"]]

"""CSV files as they are: each setting reads what is refused without it, and the error without it names the setting."""

import dataclasses
import io
import json
import re
from collections.abc import Sequence
from datetime import date, time
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parquetizer.formats.csv_dialect import CsvDialect
from parquetizer.formats.csv_lines import LineFilter
from parquetizer.formats.csv_spaces import SpaceFilter
from unit.parquetizer.tables import AB, PARQUET, Columns, parquetize

AIR = "Date;Time;CO;;\r\n10/03/2004;18.00.00;2,6;;\r\n11/03/2004;19.00.00;-200;;\r\n;;;;\r\n;;;;\r\n"
AIR_COLUMNS: Columns = {
    "Date": {"type": "date", "format": "%d/%m/%Y"},
    "Time": {"type": "time[s]", "format": "%H.%M.%S"},
    "CO": "float64",
}
XY = [("x", 1), ("y", 2)]
FILES: dict[str, tuple[bytes | str, Columns, dict[str, Any], Sequence[tuple[Any, ...]]]] = {
    "decimal comma, empty columns and rows": (
        AIR,
        AIR_COLUMNS,
        {"delimiter": ";", "decimal": ",", "ignore": [""], "skip_empty_rows": True},
        [(date(2004, 3, 10), time(18), 2.6), (date(2004, 3, 11), time(19), -200.0)],
    ),
    "no header": ("x,1\ny,2\n", AB, {"header": False}, XY),
    "no header, more columns": ("x,?,1\ny,?,2\n", AB, {"header": False, "ignore": ["2"]}, XY),
    "names of one's own": ("A,B\nx,1\ny,2\n", AB, {"header": False, "skip_rows": 1}, XY),
    "preamble": ('A "title\r\nand more;\r\na,b\r\nx,1\r\ny,2\r\n', AB, {"skip_rows": 2}, XY),
    "preamble with blank lines": ("A title\n\na,b\nx,1\ny,2\n", AB, {"skip_rows": 1}, XY),
    "comments": ("# it's \"so\na,b\n# x\nx,1\n#\ny,2\n# the end", AB, {"comment": "#"}, XY),
    "thousands": ('a,b\nx,"1,234"\ny,"-12,345,678"\n', AB, {"thousands": ","}, [("x", 1234), ("y", -12345678)]),
    "Indian groups": ('a,b\nx,"12,34,567"\n', AB, {"thousands": ","}, [("x", 1234567)]),
    "decimal comma and points": (
        "a;b\nx;1.234,5\ny;,25\n",
        {"a": "string", "b": "float64"},
        {"delimiter": ";", "decimal": ",", "thousands": "."},
        [("x", 1234.5), ("y", 0.25)],
    ),
    "yes and no": (
        "a,b\nyes,1\nno,2\n",
        {"a": "bool", "b": "int64"},
        {"true_values": ["yes"], "false_values": ["no"]},
        [(True, 1), (False, 2)],
    ),
    "missing after a space": (
        "a, b\n ?, ?\n x, 1\n\ty\u00a0,2 \n",
        AB,
        {"trim": True, "null_values": ["?"]},
        [(None, None), *XY],
    ),
    "space around quotes": (
        '"a", "b"\n"x, x" , "1"\n "y ""y""","2" ',
        AB,
        {"trim": True},
        [("x, x", 1), ('y "y"', 2)],
    ),
    "several values for missing": (
        "a,b\nNA,-\n,1\n",
        AB,
        {"null_values": ["NA", "-"]},
        [(None, None), ("", 1)],
    ),
    "integers as floats": ("a,b\nx,1.0\ny,2.\nz,3\n", AB, {"lenient_integers": True}, [*XY, ("z", 3)]),
    "label before text": (
        'ham\tsee "you", ok\nspam\t"win now\n',
        {"label": {"type": "string", "classes": ["ham", "spam"]}, "text": "string"},
        {"header": False, "delimiter": "\t", "quote": "none"},
        [("ham", 'see "you", ok'), ("spam", '"win now')],
    ),
    "Windows-1252": (
        "a,b\nZ\u00fcrich \u2013 \u20ac,1\n".encode("cp1252"),
        AB,
        {"encoding": "windows-1252"},
        [("Zürich – €", 1)],
    ),
    "white space": (
        'a  b\tc\n 1.5 "x  y"   3\r\n20\t\'z\'  4 \n\n \n-3\t \t"say ""so  """\t5',
        {"a": "float64", "b": "string", "c": "int64"},
        {"delimiter": "whitespace"},
        [(1.5, "x  y", 3), (20.0, "'z'", 4), (-3.0, 'say "so  "', 5)],
    ),
    "white space without quotes or header": (
        '# 5"  disks\n 1   2"\n3\t4"',
        {"a": "int64", "b": "string"},
        {"delimiter": "whitespace", "quote": "none", "header": False, "comment": "#"},
        [(1, '2"'), (3, '4"')],
    ),
    "UTF-16": ("a,b\nü,1\n".encode("utf-16"), AB, {"encoding": "utf-16"}, [("ü", 1)]),
    "byte-order mark": ("a,b\nx,1\ny,2\n".encode("utf-8-sig"), AB, {"encoding": "utf-8-sig"}, XY),
    "ignored column": ("c,a,b\n?,x,1\n?,y,2\n", AB, {"ignore": ["c"]}, XY),
    "repeated columns": ("a,b,a,a\nx,1,p,q\ny,2,r,s\n", AB, {"ignore": ["a.1", "a.2"]}, XY),
    "repeated columns that are ignored": ("c,a,c,b\n1,x,2,1\n3,y,4,2\n", AB, {"ignore": ["c"]}, XY),
    "a second of a name": (
        "a,b,a\nx,1,p\n",
        {**AB, "a.1": "string"},
        {"ignore": ["none of this name"]},
        [("x", 1, "p")],
    ),
    "unnamed columns": (",a,,b\n0,x,,1\n1,y,,2\n", AB, {"ignore": [""]}, XY),
}


def read(outcome):
    assert outcome.code == 0, outcome.error
    return [tuple(row.values()) for row in pq.read_table(outcome.output).to_pylist()]


@pytest.mark.parametrize("name", FILES)
def test_a_setting_reads_what_is_refused_without_it(name):
    data, columns, dialect, rows = FILES[name]
    assert read(parquetize(data, columns, PARQUET, **dialect)) == rows
    for setting in (
        dialect.keys() - {"delimiter", "null_values", "lenient_integers"} if name != "a second of a name" else ()
    ):
        without = {other: value for other, value in dialect.items() if other != setting}
        outcome = parquetize(data, columns, PARQUET, **without)
        assert outcome.code in (2, 20, 22) or (setting, name) == ("quote", "label before text"), outcome
    assert parquetize(data, columns, PARQUET).code in (0, 20, 22)


CURES = [
    ("a;b\nx;1\n", AB, {}),
    ("x,1\ny,2\n", AB, {}),
    ("1,1\n2,3\n", {"x": "int64", "y": "int64"}, {}),
    ("Title\n\na,b\nx,1\n", AB, {}),
    ("Title;\nmore\na;b\nx;1\n", AB, {}),
    ("a, b\nx, 1\n", AB, {}),
    ("a,b,\nx,1,\n", AB, {}),
    ("a,b,,\nx,1,,\n", AB, {}),
    ("a,b,a\nx,1,\n", AB, {}),
    ("a,b,c\nx,1,\n", AB, {}),
    ("a,b\nx,1\n# the end\n", AB, {}),
    ("a,b\nx,1\n,\n", AB, {}),
    ("# title\n\na,b\nx,1,\ny,2,\n", AB, {"comment": "#"}),
    ('a,b\n5" disk,1\n', AB, {}),
    ("a,b\nx,1\n".encode("utf-16"), AB, {}),
    ("a,b\nx,1\n".encode("utf-8-sig"), AB, {}),
    (b"a,b\nZ\xfcrich,1\n", AB, {}),
    ("5.1,x\n4.9,y\n", {"5.1": "float64", "x": "string"}, {}),
    ('a,b\n"x\ny",1\n', AB, {}),
]
VALUES = {
    "int64": "1,234;1.234;1 234;1\u202f234;1'234'567;1.0;1,0;1,234.0;?;;NA;1.5",
    "int8": "128;-129;70000;3.5",
    "uint64": "-1;1.00",
    "float64": "1,5;1,234;1.234,5;1,234.5;1_000.5;nan;-; ? ",
    "float32": "1e39",
    "bool": "yes;No;Y;T;OFF;1.0;?",
    "date": "31/12/2020;12/31/2020;03.04.2020;20201231;3-Mar-21;March 3, 2021;2020/01/02;2020;2020-12-31T10:00",
    "timestamp[s]": "31.12.2020 17:00;12/31/2020 5:00:01 PM;2020-12-31T10:00:00Z;2020-12-31 10:00:00.5;1388534400;2020",
    "timestamp[us]": "2020-12-31T10:00:00.123456789;20201231 101500",
    "timestamp[us, UTC]": "31.12.2020 17:00;2020-12-31 10:00:00 +0200",
    "time[s]": "18.00.00;5:00 PM;10:00:00.5;1730",
    "decimal(4, 2)": "1,5;1.234;123.4",
    "duration[s]": "0:00:00.5",
}


SETTINGS = [field.name.replace("_", "-") for field in dataclasses.fields(CsvDialect)]


def applied(error, columns, dialect):
    """Return columns and dialect with the first alternative of an error's fix made."""
    where, _, fix = error.partition("; fix: ")
    columns, dialect = {**columns}, {**dialect}
    fix = re.sub(r"(set .*?),? or (set|quote).*", r"\1", fix)
    for name in SETTINGS:
        if given := re.search(rf'\b{name}: (\[.*?\]|".*?"|[\w.-]+)', fix):
            dialect[name.replace("-", "_")] = yaml.safe_load(given[1])
    if fix == "add it to dataset.columns, or to ignore":
        dialect["ignore"] = [where.partition("column '")[2][:-1]]
    if given := re.search(r'format: (".*?")', fix):
        columns["b"] = {"type": columns["b"], "format": json.loads(given[1])}
    if given := re.search(r"type: (.*)$", fix):
        columns["b"] = given[1]
    if given := re.search(r'add (".*") to null-values', fix):
        dialect["null_values"] = [json.loads(given[1])]
    if given := re.search(r'(?:ignore it as|add) (".*?")(?: to ignore)?$', fix):
        dialect["ignore"] = [json.loads(given[1])]
    return columns, dialect


@pytest.mark.parametrize(
    ("data", "columns", "dialect"),
    [
        *CURES,
        *(
            (f'a|b\nx|"{value}"\n', {"a": "string", "b": kind}, {"delimiter": "|"})
            for kind, values in VALUES.items()
            for value in values.split(";")
        ),
    ],
    ids=lambda value: repr(value) if isinstance(value, str | bytes) else None,
)
def test_the_setting_that_an_error_names_reads_the_file(data, columns, dialect):
    outcome = parquetize(data, columns, PARQUET, **dialect)
    assert outcome.code in (20, 22)
    for _ in range(2):  # a quote that is not closed may be one of two things
        if outcome.code:
            columns, dialect = applied(outcome.error, columns, dialect)
            outcome = parquetize(data, columns, PARQUET, **dialect)
    assert read(outcome)


@pytest.mark.parametrize(
    ("kind", "value", "fix"),
    [
        ("int64", "1,234", 'set thousands: ","'),
        ("float64", "1,234", 'set decimal: "," or set thousands: ","'),
        ("date", "03/04/2020", 'set format: "%d/%m/%Y" or "%m/%d/%Y" for the column'),
        ("date", "31/04/2020", "correct the value, or add it to null-values"),
        ("date", "13/04/2020", 'set format: "%d/%m/%Y" for the column'),
        ("int64", "one", "correct the value, or add it to null-values"),
    ],
)
def test_alternatives_are_named_and_none_that_would_not_do(kind, value, fix):
    outcome = parquetize(f'a;b\nx;"{value}"\n', {"a": "string", "b": kind}, PARQUET, delimiter=";")
    assert (outcome.code, outcome.error) == (20, f"raw/a.csv:2: b: expected {kind}, got {value!r}; fix: {fix}")


def test_another_word_for_a_boolean_is_to_be_listed():
    outcome = parquetize("a\nyes\nja\n", {"a": "bool"}, PARQUET, true_values=["yes"], false_values=["no"])
    assert outcome.error.endswith("expected bool, got 'ja'; fix: add \"ja\" to true-values or false-values")


@pytest.mark.parametrize(
    ("data", "columns", "dialect"),
    [
        ("5.1,1.4,x\n4.9,1.4,y\n", {"5.1": "float64", "1.4": "float64", "x": "string"}, {}),
        ("1,1\n2,3\n", {"1": "int64", "1.1": "int64"}, {}),
        ("ham,hello\nspam,x\n", {"ham": {"type": "string", "classes": ["ham", "spam"]}, "hello": "string"}, {}),
        ("2020-01-01,x\n2020-01-02,y\n", {"2020-01-01": "date", "x": "string"}, {}),
        ("?,1\n2,?\n", {"?": "int64", "1": "int64"}, {"null_values": ["?"]}),
    ],
)
def test_a_header_that_is_a_row_is_refused(data, columns, dialect):
    outcome = parquetize(data, columns, PARQUET, **dialect)
    assert outcome.code == 22
    assert outcome.error.startswith("raw/a.csv:1: the header has a value of ")
    assert outcome.error.endswith("; fix: set header: false, and skip-rows if it is a header and not a row")
    rows = len(data.splitlines())
    assert len(read(parquetize(data, columns, PARQUET, header=False, **dialect))) == rows
    assert len(read(parquetize(data, columns, PARQUET, header=False, skip_rows=1, **dialect))) == rows - 1


def test_a_header_with_some_names_that_are_numbers_is_one():
    data = "country,1960,1961\nAruba,1.5,2\n"
    columns = {"country": "string", "1960": "float64", "1961": "float64", "id": "int64"}
    assert parquetize(data, columns, PARQUET, inputs=[{"file": "a.csv", "constants": {"id": 1}}]).code == 22
    data = "country,id,1960\nAruba,1,2\n"
    assert read(parquetize(data, {"country": "string", "id": "int64", "1960": "float64"}, PARQUET)) == [
        ("Aruba", 1, 2.0)
    ]


EMPTY_ROWS = {"delimiter": ";", "skip_empty_rows": True, "ignore": [""]}


@pytest.mark.parametrize(
    ("data", "columns", "dialect", "where"),
    [
        ("one\r\ntwo\r\na,b\r\nx,1\r\ny,z\r\n", AB, {"skip_rows": 2}, "raw/a.csv:5: b:"),
        ("#\n#\na,b\n# x\nx,1\n\ny,z\n", AB, {"comment": "#"}, "raw/a.csv:7: b:"),
        (";;\na;b;\nx;1;\n;;\ny;z;\n", AB, EMPTY_ROWS, "raw/a.csv:5: b:"),
        ("x,1\ny,z\n", AB, {"header": False}, "raw/a.csv:2: b:"),
        ('#"\na,b\n"#x\n#y",1\n# "\n\nz,z\n', AB, {"comment": "#", "multiline": True}, "raw/a.csv:7: b:"),
        ("#\na,b\nx,1\nz\n", AB, {"comment": "#"}, "raw/a.csv:4: expected 2 fields, got 1"),
        ("t\na,b\nx,1\n\"y,2\n", AB, {"skip_rows": 1}, "raw/a.csv:4: unclosed quote"),
        ("t\na,b\nx,1\ny\0,2\n", AB, {"skip_rows": 1}, "raw/a.csv:4: NUL character"),
    ],
)  # fmt: skip
def test_lines_that_are_skipped_are_counted(data, columns, dialect, where):
    outcome = parquetize(data, columns, PARQUET, **dialect)
    assert outcome.code == 20
    assert outcome.error.startswith(where)


@pytest.mark.parametrize(
    ("data", "dialect", "what"),
    [
        ("only a title\n", {"skip_rows": 2}, "raw/a.csv: the file is empty"),
        ("# comments\n# alone", {"comment": "#"}, "raw/a.csv: the file is empty"),
        ("a,b\n# comments\n", {"comment": "#"}, "raw/a.csv: no rows after the header"),
        ("a,b\n,\n,\n", {"skip_empty_rows": True}, "raw/a.csv: no rows after the header"),
        ("", {"header": False}, "raw/a.csv: the file is empty"),
    ],
)
def test_a_file_without_rows_is_refused(data, dialect, what):
    outcome = parquetize(data, AB, PARQUET, **dialect)
    assert outcome.code == 21
    assert outcome.error.startswith(f"{what}; fix: ")


@pytest.mark.parametrize(
    ("dialect", "what"),
    [
        ({"skip_rows": -1}, "invalid skip-rows -1: expected 0 to 10000"),
        ({"comment": "//"}, "invalid comment '//': expected one ASCII character"),
        ({"comment": ","}, "comment is the delimiter or the quote"),
        ({"quote": ""}, "invalid quote '': expected one ASCII character"),
        ({"decimal": ";"}, "invalid decimal ';'"),
        ({"thousands": "."}, "invalid thousands '.'"),
        ({"thousands": "5"}, "invalid thousands '5'"),
        ({"true_values": ["yes"]}, "true-values without false-values, or the reverse"),
        ({"true_values": ["1"], "false_values": ["1"]}, "'1' is in true-values and false-values"),
        ({"true_values": ["1"], "false_values": ["-"], "null_values": ["-"]}, "'-' is in null-values and the"),
        ({"ignore": ["a"]}, "column a is declared and ignored"),
        ({"columns": {"a": "list<string>"}}, "column a has type list<string>, which CSV does not support"),
        ({"columns": {"a": "struct<x: int64>"}}, "column a has type struct<x: int64>, which CSV does not support"),
        ({"columns": {"a": "image"}}, "column a has type image, which CSV does not support"),
        ({"columns": {"a": {"type": "int64", "shape": [2]}}}, "column a has a shape, which CSV does not support"),
    ],
)  # fmt: skip
def test_settings_that_contradict_each_other_are_refused(dialect, what):
    outcome = parquetize("a,b\nx,1\n", output=PARQUET, **dialect)
    assert outcome.code == 2
    assert outcome.error.startswith(f"params.yaml: {what}")
    assert "; fix: " in outcome.error


def without_lines(data: bytes, dialect: CsvDialect) -> bytes:
    """Return the file with preamble, comments and empty rows blanked, line by line."""
    wanted, quotes = [], 0
    for number, line in enumerate(data.splitlines(keepends=True)):
        text = line.rstrip(b"\r\n")
        is_comment = dialect.comment and text.startswith(b"#")
        is_empty = dialect.skip_empty_rows and text and not text.strip(b"; \t" if dialect.trim else b";")
        if number < dialect.skip_rows or (not quotes % 2 and (is_comment or is_empty)):
            line = line[len(text) :]
        elif dialect.quote != "none" and (dialect.multiline or dialect.trim):
            quotes += text.count(b'"')
        wanted.append(line)
    return b"".join(wanted)


def without_space(data: bytes) -> bytes:
    """Return the file without space between delimiters and quotes, byte by byte."""
    wanted, quotes, at = bytearray(), 0, 0
    while at < len(data):
        byte = data[at : at + 1]
        quotes += byte == b'"'
        is_edge = byte in b'";\r\n'
        wanted += byte
        at += 1
        after = data[at:].lstrip(b" \t")
        closes = byte == b'"' and (not after or after[:1] in b";\r\n")
        if is_edge and not quotes % 2 and (closes or (byte != b'"' and after[:1] == b'"')):
            at = len(data) - len(after)
    return bytes(wanted)


quiet = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(quiet, max_examples=300)
@given(
    data=st.text(st.sampled_from('#;"\r\n x\t'), max_size=30).map(str.encode),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    skip=st.integers(0, 3),
    comment=st.sampled_from(["", "#"]),
    empty=st.booleans(),
    multiline=st.booleans(),
    trim=st.booleans(),
    quote=st.sampled_from(['"', "none"]),
)
def test_lines_are_blanked_whatever_the_blocks(data, sizes, skip, comment, empty, multiline, trim, quote):
    dialect = CsvDialect(
        delimiter=";",
        skip_rows=skip,
        comment=comment,
        skip_empty_rows=empty,
        multiline=multiline,
        trim=trim,
        quote=quote,
    )
    wanted = without_lines(data, dialect)
    if trim and quote != "none":
        wanted = without_space(b"\n" + wanted)[1:]
    lines, at, blocks = LineFilter(dialect), 0, list[bytes]()
    while at < len(data):
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(lines(data[at : at + size], False))
        at += size
    assert b"".join([*blocks, lines(b"", True)]) == wanted


words = st.sampled_from(["x", "y z", "NA", "?", "", " pad ", "1,5", "yes"])
numbers = st.one_of(st.integers(-(10**9), 10**9), st.none())
reals = st.one_of(st.floats(-1e9, 1e9), st.none())


@settings(quiet, max_examples=150)
@given(
    rows=st.lists(st.tuples(words, numbers, reals, st.booleans()), min_size=1, max_size=6),
    delimiter=st.sampled_from(";\t|"),
    decimal=st.sampled_from(".,"),
    grouped=st.booleans(),
    skip=st.integers(0, 2),
    header=st.booleans(),
    comments=st.booleans(),
)
def test_what_pandas_reads_with_the_same_settings_is_what_is_read(
    rows, delimiter, decimal, grouped, skip, header, comments
):
    """Pandas gets the columns as text where it cannot be told a type, and does not know ``skip-empty-rows``."""
    thousands = {".": ",", ",": "."}[decimal]

    def real(value):
        whole, _, fraction = f"{value:{',' if grouped else ''}.4f}".partition(".")
        return whole.replace(",", thousands) + decimal + fraction

    lines = ["a title", "and more"][:skip] + [delimiter.join("wird")] * header
    for word, number, value, truth in rows:
        whole = "NA" if number is None else f"{number:,}".replace(",", thousands) if grouped else str(number)
        fields = (f'"{word}"', whole, "NA" if value is None else real(value), "yes" if truth else "no")
        lines += ["# comment"] * comments + [delimiter.join(fields)]
    text = "\n".join(lines) + "\n"
    by_pandas = pd.read_csv(
        io.StringIO(text), sep=delimiter, decimal=decimal, thousands=thousands if grouped else None, skiprows=skip,
        header=0 if header else None, names=list("wird"), comment="#" if comments else None, keep_default_na=False,
        na_values=["NA"], true_values=["yes"], false_values=["no"],
        dtype={"w": "string", "i": "Int64", "d": "bool"},
    )  # fmt: skip
    found = parquetize(
        text, {"w": "string", "i": "int64", "r": "float64", "d": "bool"}, PARQUET, delimiter=delimiter, decimal=decimal,
        thousands=thousands if grouped else "", skip_rows=skip, header=header, comment="#" if comments else "",
        null_values=["NA"], true_values=["yes"], false_values=["no"],
    )  # fmt: skip
    wanted = [tuple(None if pd.isna(value) else value for value in row) for row in by_pandas.itertuples(index=False)]
    assert read(found) == wanted


@settings(quiet, max_examples=300)
@given(
    data=st.text(st.sampled_from('"\r\n x\t'), max_size=30).map(str.encode),
    sizes=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    quote=st.sampled_from(['"', "none"]),
)
def test_white_space_is_one_space_whatever_the_blocks(data, sizes, quote):
    wanted = []
    for line in re.split(rb"(?<=[\r\n])", data):
        parts = line.rstrip(b"\r\n").split(b'"' if quote == '"' else b"-")
        closed = range(1, len(parts) - 1, 2)  # the parts in quotes
        parts = [part if at in closed else re.sub(rb"\s+", b" ", part) for at, part in enumerate(parts)]
        wanted.append(b'"'.join(parts).strip(b" ") + line[len(line.rstrip(b"\r\n")) :])
    spaces, at, blocks = SpaceFilter(CsvDialect(delimiter="whitespace", quote=quote)), 0, list[bytes]()
    while at < len(data):
        size = sizes[len(blocks) % len(sizes)]
        blocks.append(spaces(data[at : at + size], False))
        at += size
    assert b"".join([*blocks, spaces(b"", True)]) == b"".join(wanted)


@pytest.mark.parametrize("long", [f"x{' ' * 3_000_000}1", f'"x{" " * 3_000_000}y" 1', f"x {' ' * 3_000_000}"])
def test_a_row_longer_than_a_block_is_not_read_wrongly(long):
    assert read(parquetize("a b\nx  1\n", output=PARQUET, delimiter="whitespace")) == [("x", 1)]
    outcome = parquetize(f"a b\nx  1\n{long}\ny 2\n", output=PARQUET, delimiter="whitespace")
    assert outcome.code == 20 and outcome.error.startswith("raw/a.csv:3"), outcome.error


def test_white_space_within_lines_only():
    outcome = parquetize("a b\nx 1\n", delimiter="whitespace", multiline=True)
    assert outcome.code == 2 and "remove one of them" in outcome.error


def test_memory_and_blocks_do_not_matter_for_comments_and_empty_rows():
    """Rows, comments and empty rows in turn, over several blocks."""
    rows = 60_000
    body = "".join(f"# comment {n}\n{n};{n},5\n;\n" for n in range(rows))
    outcome = parquetize(
        f"a;b\n{body}",
        {"a": "int64", "b": "float64"},
        PARQUET,
        delimiter=";",
        decimal=",",
        comment="#",
        skip_empty_rows=True,
    )
    table = pq.read_table(outcome.output)
    assert table["a"].to_pylist() == [*range(rows)]
    assert table["b"].to_pylist() == [n + 0.5 for n in range(rows)]


@pytest.mark.parametrize(
    ("kind", "labels", "row", "label"),
    [
        ("string", "ham ? spam Spam", 4, "'Spam'"),
        ("string", "ham 0", 2, "'0'"),
        ("int8", "0 1 -1 ? 2", 5, "2"),
        ("int64", "-2", 1, "-2"),
        ("uint64", "18446744073709551615", 1, "18446744073709551615"),
    ],
)
def test_a_label_is_a_class_or_its_number(kind, labels, row, label):
    columns: Columns = {"text": "string", "label": {"type": kind, "classes": ["ham", "spam"]}}
    data = "text,label\n" + "".join(f"x,{label}\n" for label in labels.split())
    outcome = parquetize(data, columns, PARQUET, null_values=["?"])
    message = f"raw/a.csv row {row}: label: unknown label {label}"
    assert (outcome.code, outcome.error) == (
        20,
        f"{message}; fix: use one of the 2 classes, or add it to dataset.columns",
    )
    good = "".join(line for line in data.splitlines(keepends=True)[:row])
    assert parquetize(good, columns, PARQUET, null_values=["?"]).code == (0 if row > 1 else 21)

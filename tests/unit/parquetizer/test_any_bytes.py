"""Whatever bytes come: the declared table or one line that says why not; never a traceback."""

import csv
import io

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from parquetizer.kinds.table import parquetize_table
from parquetizer.kinds.table_settings import Input, TableSettings
from samples import Column
from stage.errors import BadRows, CorruptFile, EmptyInput, SchemaMismatch
from unit.parquetizer.tables import RAW, write_raw

KINDS = {"s": "string", "i": "int32", "f": "float64", "b": "bool"}
bounded = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def read(here):
    def read_rows(data: bytes, columns=KINDS, **rest):
        """Return the rows that the parquetizer makes of a raw file."""
        write_raw(data)
        declared = tuple(Column(name, kind) for name, kind in columns.items())
        parquetize_table(
            RAW, here / "o.parquet", here / "m.parquet", TableSettings((Input("a.csv"),), declared, **rest)
        )
        return [tuple(row.values()) for row in pq.read_table(here / "o.parquet").to_pylist()]

    return read_rows


def whole_or_refused(read, data, **rest):
    try:
        read(data, **rest)
    except (BadRows, CorruptFile, EmptyInput, SchemaMismatch) as error:  # corrupt if it begins like a gzip file
        assert error.what
        assert error.fix


@settings(bounded, max_examples=150)
@given(data=st.binary(max_size=60), header=st.booleans(), multiline=st.booleans())
def test_random_bytes(read, data, header, multiline):
    whole_or_refused(read, b"s,i,f,b\n" * header + data, multiline=multiline)


@settings(bounded, max_examples=150)
@given(
    text=st.text(st.sampled_from("s,ifb\n\r\"'\0 1.e-ü\ufeff"), max_size=40),
    header=st.sampled_from(["", "s,i,f,b\n", '"s",i,f,b\r\n', "s\n", "\n\n"]),
    encoding=st.sampled_from(
        ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1", "cp1252", "utf-7", "gb18030", "idna"]
    ),
    multiline=st.booleans(),
    quote=st.sampled_from("\"'"),
)
def test_random_tables_in_any_encoding(read, text, header, encoding, multiline, quote):
    data = (header + text).encode(encoding, "ignore") if encoding != "idna" else (header + text).encode()
    whole_or_refused(read, data, encoding=encoding, multiline=multiline, quote=quote)


@settings(bounded, max_examples=200)
@given(data=st.data(), multiline=st.booleans())
def test_mutated_tables(read, data, multiline):
    whole = bytearray(b's,i,f,b\nx,1,1.5,true\n"y,""z""",-2,1e-5,false\n"multi\nline",3,0,1\n' * 2)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(whole)))
        size = data.draw(st.integers(0, 3))
        whole[at : at + size] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b'"', b",", b"\n", b"\r", b"\0", b"\xc3"])
        )
    whole_or_refused(read, bytes(whole), multiline=multiline)


cells = st.tuples(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    | st.text(st.sampled_from("\",;\r\n'| ")),
    st.integers(-(2**31), 2**31 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
)


@settings(bounded, max_examples=300)
@given(
    rows=st.lists(cells, min_size=1, max_size=6),
    delimiter=st.sampled_from(",;\t| "),
    quote=st.sampled_from("\"'"),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    newline=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-le"]),
)
def test_valid_tables_are_what_the_csv_module_reads(read, rows, delimiter, quote, quoting, newline, encoding):
    file = io.StringIO(newline="")
    dialect = {"delimiter": delimiter, "quotechar": quote}
    if any("\r" in text for text, *_ in rows):  # which csv.writer may leave unquoted, though it ends a line
        quoting = csv.QUOTE_ALL
    writer = csv.writer(file, **dialect, quoting=quoting, lineterminator=newline)
    writer.writerows([[*KINDS], *((text, number, repr(real), str(truth)) for text, number, real, truth in rows)])
    by_csv = [*csv.reader(io.StringIO(file.getvalue(), newline=""), **dialect)][1:]
    wanted = [(text, int(number), float(real), truth == "True") for text, number, real, truth in by_csv]
    assert wanted == rows
    data = file.getvalue().encode(encoding)
    assert read(data, delimiter=delimiter, quote=quote, encoding=encoding, multiline=True) == wanted


@settings(bounded, max_examples=100)
@given(texts=st.lists(st.text(st.sampled_from('a" ,\n\r'), max_size=5), min_size=1, max_size=5))
def test_a_lone_column_keeps_every_row(read, texts):
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["s"], *([text] for text in texts)])
    data = file.getvalue().encode()
    assert read(data, {"s": "string"}, multiline=True) == [(text,) for text in texts]

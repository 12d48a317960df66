"""What a CSV file cannot say so that every reader gives it back is refused, with its column, its row and the cure.

That the readers give back what is not refused: tests/unit/registry/test_readers.py.
"""

import io
import re

import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from unit.parquetizer.tables import AB, PARQUET, SAMPLES, parquetize

FIX = "write Parquet: use the suffix .parquet for the output and for dataset.file in params.yaml"
NUMBER = "string that CSV readers read as a number"
NOTHING = "string that CSV readers read as null"
TRUTH = "string that CSV readers read as a boolean"
EMPTY = "empty string, which CSV does not distinguish from null"
GAP = "null, which CSV does not distinguish from an empty string"
FLOATS = "null, and CSV readers convert such a column to float"


@pytest.mark.parametrize(
    ("kind", "raw", "what"),
    [
        *(("string", raw, NUMBER) for raw in ("00123", "1.0", "+5", "-0", "1e5", ".5", "5.", " 5", "inf", "-Infinity")),
        ("string", "1234567890123456789", NUMBER),
        *(("string", raw, NOTHING) for raw in ("NA", "null", "None", "nan", "N/A", "<NA>", "#N/A", "n/a")),
        *(("string", raw, TRUTH) for raw in ("true", "False", "TRUE")),
        ("string", "", EMPTY),
        ("string", "?", GAP),
        ("string", "one\rtwo", "carriage return, which CSV readers may drop"),
        *((kind, "?", FLOATS) for kind in ("int8", "int64", "uint64", "bool")),
        ("uint64", "9223372036854775808", "above 2^63 - 1, and CSV readers convert such a column to float"),
    ],
)
def test_a_value_that_readers_would_change_is_refused(kind, raw, what):
    good = {"string": "x", "bool": "true"}.get(kind, "1")
    data = f'a,b\nx,{good}\n\ny,"{raw}"\nz,"{raw}"\n'
    columns = {"a": "string", "b": kind}
    outcome = parquetize(data, columns, null_values=["?"], multiline=True)
    assert (outcome.code, outcome.error) == (20, f"raw/a.csv row 2: column b: {what}; fix: {FIX}")
    assert not outcome.output.exists() and not SAMPLES.exists()
    assert parquetize(data, columns, PARQUET, null_values=["?"], multiline=True).code == 0


def test_the_first_row_is_named_whichever_column_it_is_and_whichever_file():
    columns = {"a": "string", "b": "string"}
    files = {"a.csv": "a,b\nx,y\n", "b.csv": "a,b\nx,y\nx,007\n007,y\n"}
    outcome = parquetize(files, columns, inputs=["a.csv", "b.csv"])
    assert outcome.error == f"raw/b.csv row 2: column b: {NUMBER}; fix: {FIX}"
    many = "a,b\n" + "x,y\n" * 400_000 + "NA,y\n"
    assert parquetize(many, columns).error == f"raw/a.csv row 400001: column a: {NOTHING}; fix: {FIX}"


def test_a_row_that_is_longer_than_readers_take_is_refused():
    data = "a,b\nx,1\n" + "x" * (1 << 20) + ",2\n"
    outcome = parquetize(data, AB, max_field_bytes=1 << 21)
    what = "the row is longer than 1048576 bytes, the limit of CSV readers"
    assert (outcome.code, outcome.error) == (20, f"raw/a.csv row 2: {what}; fix: {FIX}")
    assert parquetize(data, AB, PARQUET, max_field_bytes=1 << 21).code == 0


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("", "the name of column 1 is empty, and CSV readers replace it"),
        (" ", "the name of column 1 is empty, and CSV readers replace it"),
    ],
)
def test_a_column_without_a_name_is_refused(name, what):
    outcome = parquetize(f"{name},b\nx,1\n", {name: "string", "b": "int64"})
    assert (outcome.code, outcome.error) == (2, f"dataset.columns: {what}; fix: {FIX}")
    assert parquetize(f"{name},b\nx,1\n", {name: "string", "b": "int64"}, PARQUET).code == 0


@pytest.mark.parametrize(
    "kind",
    ["date", "timestamp[us]", "time[s]", "duration[s]", "decimal(4, 2)", "binary"],
)
def test_a_type_that_readers_do_not_infer_is_refused(kind):
    outcome = parquetize("a,b\nx,?\n", {"a": "string", "b": kind}, null_values=["?"])
    assert outcome.code == 2
    assert outcome.error.startswith("dataset.columns: column b is ")
    assert outcome.error.endswith(f", and CSV readers infer another type; fix: {FIX}")
    assert parquetize("a,b\nx,?\n", {"a": "string", "b": kind}, PARQUET, null_values=["?"]).code == 0


texts = st.text("0123456789+-.eEinfaNAulTrFs_ \t#/", min_size=1, max_size=6) | st.text(
    st.characters(exclude_characters="\0\r", exclude_categories=["Cs"]), min_size=1, max_size=8
)


@settings(max_examples=100, deadline=None)
@given(values=st.lists(texts, min_size=1, max_size=4))
@example(values=["12", "7", "-3"])
@example(values=[" ", "\t", "x"])
@example(values=["1e", "e5"])
def test_pandas_reads_what_is_not_refused(values, tmp_path_factory):
    """Alone in its column or among others, as text."""
    quoted = "\n".join('"' + value.replace('"', '""') + '"' for value in values)
    outcome = parquetize(f"a\n{quoted}\n", {"a": "string"}, multiline=True)
    if outcome.code:
        assert re.search(f"{NUMBER}|{NOTHING}|{TRUTH}", outcome.error)
        return
    found = pd.read_csv(io.StringIO(outcome.text, newline=""))["a"]
    assert [str(each) for each in found] == values

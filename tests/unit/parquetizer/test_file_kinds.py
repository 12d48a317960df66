"""What is no CSV file is called by its name, with the cure for it (D7)."""

import bz2
import gzip
import io
import lzma
import sqlite3
import tarfile
import time
import zipfile
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from unit.parquetizer.folders import PARAMS, run, write, write_params
from unit.parquetizer.tables import AB, parquetize, run_table, write_raw

CSV = b"a,b\nx,1\ny,2\n"
UNPACK = "unpack it, and list the unpacked file in sources.csv"
MEMBERS = 'name its members in the input, as in members: "*.csv"'


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table({"a": ["x"], "b": [1]}), sink)
    return sink.getvalue()


def zipped(*names: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name in names:
            archive.writestr(name, CSV)
    return sink.getvalue()


def tar() -> bytes:
    sink = io.BytesIO()
    with tarfile.open(fileobj=sink, mode="w") as archive:
        member = tarfile.TarInfo("a.csv")
        member.size = len(CSV)
        archive.addfile(member, io.BytesIO(CSV))
    return sink.getvalue()


def sqlite() -> bytes:
    with sqlite3.connect(":memory:") as database:
        database.execute("create table t (a text, b integer)")
        return database.serialize()


FILES = {
    "parquet": (parquet(), "is a Parquet file, not CSV; fix: set format: parquet"),
    "gzip twice": (gzip.compress(gzip.compress(CSV)), f"is a gzip file, not CSV; fix: {UNPACK}"),
    "bzip2 twice": (gzip.compress(bz2.compress(CSV)), f"is a bzip2 file, not CSV; fix: {UNPACK}"),
    "xz twice": (gzip.compress(lzma.compress(CSV)), f"is an xz file, not CSV; fix: {UNPACK}"),
    "zip": (zipped("a.csv"), f"is a zip archive, not CSV; fix: {MEMBERS}"),
    "tar": (tar(), f"is a tar archive, not CSV; fix: {MEMBERS}"),
    "tar.gz": (gzip.compress(tar()), f"is a tar archive, not CSV; fix: {MEMBERS}"),
    "xlsx": (zipped("xl/workbook.xml"), "is an Excel workbook (xlsx), not CSV; fix: save it as CSV"),
    "xls": (
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(99),
        "is an old Excel workbook (xls), not CSV; fix: save it as CSV",
    ),
    "sqlite": (sqlite(), "is an SQLite database, not CSV; fix: export its table as CSV"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n", "is a PDF document, not CSV; fix: save its data as CSV"),
    "html": (
        b"<!DOCTYPE html>\n<html><body>404 Not Found</body></html>\n",
        "is an HTML page, perhaps an error page, not CSV; fix: correct the URL in sources.csv",
    ),
    "xml": (b"<?xml version='1.0'?>\n<a/>\n", "is an XML document, not CSV; fix: save it as CSV"),
    "utf-16": (CSV.decode().encode("utf-16"), "is text in UTF-16, not CSV; fix: set encoding: utf-16"),
    "utf-16-le": (CSV.decode().encode("utf-16-le"), "is text in UTF-16-LE, not CSV; fix: set encoding: utf-16-le"),
    "utf-16-be": (CSV.decode().encode("utf-16-be"), "is text in UTF-16-BE, not CSV; fix: set encoding: utf-16-be"),
    "utf-32": (CSV.decode().encode("utf-32"), "is text in UTF-32, not CSV; fix: set encoding: utf-32"),
    "jsonl": (b'{"a": "x", "b": 1}\n{"a": "y", "b": 2}\n', "is JSON lines, not CSV; fix: set format: json"),
    "json": (b'[{"a": "x", "b": 1}]\n', "is JSON, not CSV; fix: set format: json"),
    "json, indented": (b'{\n  "a": ["x"]\n}\n', "is JSON, not CSV; fix: set format: json"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_csv_is_called_by_its_name(kind):
    data, message = FILES[kind]
    outcome = parquetize(data)
    assert (outcome.code, outcome.error) == (20, f"raw/a.csv: {message}")


@pytest.mark.parametrize(
    ("format", "kind", "message"),
    [
        ("csv", "jsonl", "is JSON lines, not CSV; fix: set format: jsonl"),
        ("lines", "jsonl", "is JSON lines, not lines of text; fix: set format: jsonl"),
        ("lines", "parquet", "is a Parquet file, not lines of text; fix: set format: parquet"),
        ("jsonl", "parquet", "is a Parquet file, not JSON lines; fix: set format: parquet"),
        ("jsonl", "gzip twice", f"is a gzip file, not JSON lines; fix: {UNPACK}"),
        (
            "jsonl",
            "html",
            "is an HTML page, perhaps an error page, not JSON lines; fix: correct the URL in sources.csv",
        ),
        ("lines", "utf-16", "is text in UTF-16, not lines of text; fix: set encoding: utf-16"),
    ],
)
def test_so_is_a_file_that_is_no_labelled_text(format, kind, message):
    columns: list[dict[str, Any]] = [
        {"name": "text", "type": "string"},
        {"name": "label", "type": "string", "classes": ["x"]},
    ]
    write_params(columns, format=format, inputs=[{"file": "a", "split": "train"}])
    write({"raw/a": FILES[kind][0]})
    outcome = run("text")
    assert (outcome.code, outcome.error) == (20, f"raw/a: {message}")


@pytest.mark.parametrize(("delimiter", "written"), [(";", ";"), ("\t", "\\t"), ("|", "|"), (",", ",")])
def test_the_delimiter_of_a_file_is_named(delimiter, written):
    data = CSV.decode().replace(",", delimiter)
    declared = ";" if delimiter == "," else ","
    outcome = parquetize(data, AB, delimiter=declared)
    assert outcome.code == 22
    assert outcome.error.startswith("raw/a.csv:1: column 'a' not found in 'a")
    assert outcome.error.endswith(f'; fix: set delimiter: "{written}"')
    write_raw(data)
    text = PARAMS.read_text().replace(f"delimiter: {declared!r}" if declared == "," else f"delimiter: {declared}", "")
    PARAMS.write_text(text.rstrip() + f'\n  delimiter: "{written}"\n')
    done = run_table(PARAMS)
    assert (done.code, done.text) == (0, "a,b\nx,1\ny,2\n"), done.error


def test_a_text_that_begins_like_json_is_read():
    columns = {'{"a": 1}': "string", "b": "int64"}
    outcome = parquetize('"{""a"": 1}",b\nx,1\n', columns)
    assert outcome.code == 0, outcome.error
    assert parquetize('"{""a"": 1}",b\nx,y\n', columns).error.startswith("raw/a.csv:2: b: expected int64, got 'y'")


def test_a_message_about_a_wide_header_is_short():
    header = ",".join(f"column {number}" for number in range(20_000))
    outcome = parquetize(f"{header}\n", {"a": "string"})
    assert outcome.error.endswith("'column 19', and 19980 more; fix: correct dataset.columns")
    assert len(outcome.error) < 500


def test_a_wide_header_takes_time_as_it_is_wide():
    """Ten times the columns, about ten times the work; comparing each with all would be a hundred."""

    def seconds(columns: int) -> float:
        header = ",".join(f"c{number}" for number in range(columns))
        start = time.process_time()
        outcome = parquetize(f"{header}\n", {"c0": "string", "other": "string"})
        assert outcome.code == 22
        return time.process_time() - start

    seconds(100)
    assert seconds(60_000) < 40 * max(seconds(6_000), 0.005)

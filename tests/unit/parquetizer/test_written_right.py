"""The bytes of the outputs: CSV that reads back as what it was, Parquet as declared, manifests that match."""

import csv
import hashlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from parquetizer.table_output import ROWS, open_table
from samples import read_manifest
from unit.parquetizer.tables import AB, SAMPLES, parquetize

REALS = [
    0.0,
    -0.0,
    1.0,
    100.0,
    1e15,
    1e16,
    123456789012345680.0,
    1e-4,
    1e-5,
    0.1,
    1 / 3,
    5e-324,
    2.2250738585072014e-308,
]
REALS += [1.7976931348623157e308, -1.7976931348623157e308, 2**53 + 2.0, 9007199254740993.0, 1e22, 1e23]


def written(batch: pa.RecordBatch, folder: Path, suffix: str = ".csv") -> Path:
    path = folder / f"out{suffix}"
    with open_table(path, suffix, batch.schema) as table:
        table.write(batch)
    return path


@settings(max_examples=100, deadline=None)
@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
@example(numbers=REALS)
def test_floats_are_written_as_python_writes_them(numbers, tmp_path_factory):
    folder = tmp_path_factory.mktemp("floats")
    text = written(pa.record_batch({"x": pa.array(numbers, pa.float64())}), folder).read_text()
    assert text.splitlines() == ["x", *map(repr, numbers)]


def test_floats_go_through_from_csv_to_csv_to_pandas():
    text = "\n".join(["a,b", *(f"x,{number!r}" for number in REALS), ""])
    outcome = parquetize(text, {"a": "string", "b": "float64"})
    assert outcome.text == text
    read = pd.read_csv(outcome.output)["b"].to_numpy()
    assert read.tobytes() == np.array(REALS).tobytes()
    assert parquetize(outcome.output.read_bytes(), {"a": "string", "b": "float64"}, "again.csv").text == text


texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.text(
    st.sampled_from("\",\r\n ';a")
)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(texts, texts | st.none()), max_size=8),
    names=st.lists(texts, min_size=2, max_size=2, unique=True),
)
def test_text_reads_back_with_the_csv_module(rows, names, tmp_path_factory):
    schema = pa.schema([(name, pa.string()) for name in names])
    batch = pa.record_batch([pa.array([row[n] for row in rows], pa.string()) for n in (0, 1)], schema=schema)
    text = written(batch, tmp_path_factory.mktemp("text")).read_bytes().decode()
    found = [*csv.reader(io.StringIO(text, newline=""), strict=True)]
    assert found == [names, *([first, second or ""] for first, second in rows)]


@pytest.mark.parametrize(
    ("value", "written_as"),
    [
        ('say "hi"', '"say ""hi"""'),
        ("a,b", '"a,b"'),
        ("a\rb", '"a\rb"'),
        (" a ", '" a "'),
        ("a;b'c\td", "a;b'c\td"),
        ("=1", "=1"),
    ],
)
def test_text_is_quoted_only_where_it_must_be(value, written_as, tmp_path):
    batch = pa.record_batch({"x": pa.array([value]), "y": pa.array([1])})
    assert written(batch, tmp_path).read_bytes().decode() == f"x,y\n{written_as},1\n"


def test_an_empty_text_alone_on_its_line_is_not_lost():
    """Readers skip an empty line."""
    outcome = parquetize("a\n?\n1\n", {"a": "float64"}, null_values=["?"])
    assert outcome.text == 'a\n""\n1.0\n'
    assert len(pd.read_csv(outcome.output)) == 2


EVERY: dict[str, tuple[list[Any], str]] = {
    "string": (["ü", None], "string"),
    "bool": ([True, None], "bool"),
    **{f"{sign}int{bits}": ([1, None], f"{sign}int{bits}") for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float32": ([0.1, None], "float"),
    "float64": ([0.1, None], "double"),
}


def test_parquet_has_the_declared_types_and_every_value():
    texts = ["true" if kind == "bool" else str(values[0]) for kind, (values, _) in EVERY.items()]
    data = "\n".join([",".join(EVERY), ",".join(texts), ",".join(["?"] * len(EVERY)), ""])
    outcome = parquetize(data, {kind: kind for kind in EVERY}, "out.parquet", null_values=["?"])
    assert outcome.code == 0, outcome.error
    table = pq.read_table(outcome.output)
    assert {field.name: str(field.type) for field in table.schema} == {kind: name for kind, (_, name) in EVERY.items()}
    wanted = pa.table({kind: pa.array(values, table.schema.field(kind).type) for kind, (values, _) in EVERY.items()})
    assert table.equals(wanted)
    assert not table.schema.metadata


def test_parquet_has_row_groups_of_one_size_and_page_checksums():
    rows = 2 * ROWS + 5
    outcome = parquetize("a,b\n" + "".join(f"x{n},{n}\n" for n in range(rows)), AB, "out.parquet")
    metadata = pq.read_metadata(outcome.output)
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [ROWS, ROWS, 5]
    assert pq.read_table(outcome.output)["b"].to_pylist() == [*range(rows)]
    data = bytearray(outcome.output.read_bytes())
    data[metadata.row_group(0).column(1).data_page_offset + 3000] ^= 1
    outcome.output.write_bytes(data)
    with pytest.raises(OSError, match="CRC checksum verification failed"):
        pq.read_table(outcome.output, page_checksum_verification=True)


@pytest.mark.parametrize("output", ["out.csv", "processed/out.parquet"])
def test_the_manifest_matches_its_table(output):
    outcome = parquetize(
        {"a.csv": "a,b\nx,1\ny,2\n", "b.csv": "a,b\nx,1\n"}, AB, output, inputs=["a.csv", "b.csv"], key=["a"]
    )
    sha256 = hashlib.sha256(outcome.output.read_bytes()).hexdigest()
    assert outcome.result == {"output": output, "rows": 3, "sha256": sha256}
    manifest = read_manifest(SAMPLES)
    assert manifest.files == {output: sha256}
    assert (manifest.rows, manifest.key, manifest.columns) == (3, ["a"], [["a", "string"], ["b", "int64"]])
    table = pq.read_table(SAMPLES, columns=["split", "file", "row", "source"])
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        ("all", output, 0, "a.csv"),
        ("all", output, 1, "a.csv"),
        ("all", output, 2, "b.csv"),
    ]


def test_the_manifest_does_not_depend_on_the_format():
    ids = []
    for output in ("out.csv", "out.parquet"):
        parquetize("a,b\nx,1\ny,2\n", AB, output)
        ids.append(pq.read_table(SAMPLES, columns=["sample_id", "content_hash"]))
    assert ids[0].equals(ids[1])

"""The manifest: ids, hashes, steps, footer, and what happens when hashing fails."""

import base64
import hashlib
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import samples.manifest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import (
    Column,
    Manifest,
    ManifestWriter,
    UnsupportedType,
    encode,
    logical_hash,
    parse_type,
    read_manifest,
    schema_of,
)
from samples.footer import META
from unit.samples.batches import array_of, batch_of, write_manifest

VECTORS = json.loads((Path(__file__).parents[3] / "tools/samples/vectors.json").read_text())
TEXT = pa.schema([("text", pa.string())])


def ids(path: Path) -> list[str]:
    return [value.hex() for value in pq.read_table(path)["sample_id"].to_pylist()]


@pytest.mark.parametrize("vector", VECTORS["manifests"], ids=["all-columns", "keyed", "types"])
def test_each_vector_has_its_ids_and_hashes(vector, tmp_path):
    schema = pa.schema([(name, parse_type(kind)) for name, kind in vector["columns"]])
    rows = [
        (split, *(array_of(value, field.type)[0].as_py() for value, field in zip(row, schema, strict=True)))
        for split, *row in vector["rows"]
    ]
    path = write_manifest(tmp_path / "m.parquet", schema, rows, vector["key"])
    table = pq.read_table(path)
    assert ids(path) == vector["sample_ids"]
    assert [value.hex() for value in table["content_hash"].to_pylist()] == vector["content_hashes"]
    assert table["split"].to_pylist() == [row[0] for row in vector["rows"]]
    assert logical_hash(path) == vector["logical_hash"]


def test_a_sample_id_is_made_as_the_readme_says(tmp_path):
    key = hashlib.sha256(encode(batch_of(TEXT, [("a",)]))[0].as_py()).digest()
    wanted = [hashlib.sha256(key + number.to_bytes(4, "big")).hexdigest()[:32] for number in range(3)]
    assert ids(write_manifest(tmp_path / "m.parquet", TEXT, [("train", "a")] * 3)) == wanted


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.sampled_from(["train", "val"]), st.sampled_from("abc")), max_size=12))
def test_duplicates_have_distinct_ids_and_the_split_does_not_enter(rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ids")
    found = ids(write_manifest(folder / "m.parquet", TEXT, rows))
    assert len(set(found)) == len(rows)
    assert found == ids(write_manifest(folder / "n.parquet", TEXT, [("all", text) for _, text in rows]))


def test_a_changed_value_keeps_the_id_of_its_key_and_changes_the_hash(tmp_path):
    schema = pa.schema([("id", pa.string()), ("value", pa.int64())])
    before = pq.read_table(write_manifest(tmp_path / "a", schema, [("all", "x", 1), ("all", "y", 2)], ["id"]))
    after = pq.read_table(write_manifest(tmp_path / "b", schema, [("all", "x", 1), ("all", "y", 3)], ["id"]))
    assert before["sample_id"] == after["sample_id"]
    assert before["content_hash"][0] == after["content_hash"][0]
    assert before["content_hash"][1] != after["content_hash"][1]


@pytest.mark.parametrize("rows", [0, 1, 3, 4, 5, 7, 8, 9, 23])
@pytest.mark.parametrize("batch", [1, 4, 5, 100])
def test_steps_of_any_size_give_the_same_rows(rows, batch, tmp_path, monkeypatch):
    values = [(str(number % 3),) for number in range(rows)]
    whole = tmp_path / "whole.parquet"
    write_manifest(whole, TEXT, [("all", *value) for value in values])
    monkeypatch.setattr(samples.manifest, "ROWS", 4)
    stepped = tmp_path / "stepped.parquet"
    with ManifestWriter(stepped, TEXT) as writer:
        for start in range(0, rows, batch):
            writer.add(batch_of(TEXT, values[start : start + batch]), split="all", file="all.csv", source="raw/all")
        assert writer.finish({}) == rows
    assert pq.read_table(stepped).equals(pq.read_table(whole))
    with pq.ParquetFile(stepped) as file:
        assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == (
            [4] * (rows // 4) + ([rows % 4] if rows % 4 else [])
        )


def test_rows_are_counted_per_file_and_sources_kept_apart(tmp_path):
    path = tmp_path / "m.parquet"
    with ManifestWriter(path, TEXT) as writer:
        for file, source, rows in [("a", "red", 2), ("b", "red", 1), ("a", "white", 2)]:
            writer.add(batch_of(TEXT, [("x",)] * rows), split="all", file=file, source=source)
        writer.finish({"b": "2", "a": "1"})
    table = pq.read_table(path)
    places = [*zip(*(table[name].to_pylist() for name in ("file", "row", "source")), strict=True)]
    assert places == [("a", 0, "red"), ("a", 1, "red"), ("b", 0, "red"), ("a", 2, "white"), ("a", 3, "white")]


def test_the_footer_says_what_the_manifest_is_of(tmp_path):
    schema = pa.schema([("größe", pa.float32()), ("bild", pa.list_(pa.uint8()))])
    path = write_manifest(tmp_path / "m.parquet", schema, [("all", 1.0, [1])], ["größe"], {"b": "22", "a": "11"})
    manifest = read_manifest(path)
    assert manifest == Manifest(
        path, 1, [["größe", "float"], ["bild", "list<item: uint8>"]], ["größe"], {"a": "11", "b": "22"}
    )
    assert manifest.schema == schema


@pytest.mark.parametrize(
    "kind",
    [
        *(pa.timestamp("us", "UTC"), pa.date32(), pa.decimal128(5, 2), pa.dictionary(pa.int8(), pa.string())),
        pa.list_(pa.field("item", pa.duration("s"), nullable=False)),
        pa.struct([("a, b: c", pa.int8())]),
    ],
    ids=str,
)
def test_the_footer_has_the_schema_of_what_was_no_type_before(kind, tmp_path):
    schema = pa.schema([("x", kind)])
    path = write_manifest(tmp_path / "m.parquet", schema, [])
    manifest = read_manifest(path)
    assert manifest.columns == [["x", str(kind)]]
    assert manifest.arrow is not None and manifest.schema == schema


def test_the_footer_says_whether_files_are_images_or_audio(tmp_path):
    schema = schema_of([Column("x", "audio")])
    path = write_manifest(tmp_path / "m.parquet", schema, [])
    assert read_manifest(path).schema.metadata == schema.metadata


def test_a_manifest_without_schema_is_read_by_the_texts_of_its_types(tmp_path):
    path = write_manifest(tmp_path / "m.parquet", pa.schema([("x", pa.date32())]), [])
    without = with_footer(path, lambda footer: footer.pop("schema"))
    assert read_manifest(without).schema == pa.schema([("x", pa.date32())])


@pytest.mark.parametrize("schema", [None, 1, "", "no base64", "AAAA", "other"])
def test_a_schema_that_is_not_that_of_the_columns_is_refused(schema, tmp_path):
    path = write_manifest(tmp_path / "m.parquet", pa.schema([("x", pa.date32())]), [])
    other = base64.b64encode(pa.schema([("x", pa.date64())]).serialize()).decode()
    with_footer(path, lambda footer: footer.update(schema=other if schema == "other" else schema))
    with pytest.raises(ValueError, match=f"^{path} is not a sample manifest: "):
        read_manifest(path)


def with_footer(path, change):
    """Change the footer of a manifest."""
    table = pq.read_table(path)
    footer = json.loads(table.schema.metadata[META])
    change(footer)
    pq.write_table(table.replace_schema_metadata({META: json.dumps(footer)}), path)
    return path


def test_pages_carry_checksums(tmp_path):
    rows = [("all", str(number)) for number in range(1000)]
    path = write_manifest(tmp_path / "m.parquet", TEXT, rows)
    offset = pq.read_metadata(path).row_group(0).column(1).data_page_offset + 5000
    data = bytearray(path.read_bytes())
    data[offset] ^= 1
    path.write_bytes(data)
    with pytest.raises(OSError, match="CRC checksum verification failed"):
        logical_hash(path)


@pytest.mark.parametrize("kind", ["another table", "half a file", "text", "empty"])
def test_what_is_no_manifest_is_refused(kind, tmp_path):
    path = tmp_path / "m.parquet"
    if kind == "another table":
        pq.write_table(pa.table({"a": [1]}), path)
        with pytest.raises(ValueError, match=rf"^{path} is not a sample manifest$"):
            read_manifest(path)
        return
    whole = write_manifest(path, TEXT, [("all", "x")]).read_bytes()
    path.write_bytes({"half a file": whole[: len(whole) // 2], "text": b"no Parquet at all", "empty": b""}[kind])
    with pytest.raises(ValueError, match="Parquet"):
        read_manifest(path)


@pytest.mark.parametrize("at", ["add", "finish"])
def test_a_failure_of_the_hashing_thread_reaches_the_caller(at, tmp_path):
    schema = pa.schema([("when", pa.month_day_nano_interval())])
    batch = batch_of(schema, [((1, 2, 3),)])
    with (
        pytest.raises(UnsupportedType, match=r"^unsupported column type month_day_nano_interval$"),
        ManifestWriter(tmp_path / "m.parquet", schema) as writer,
    ):
        writer.add(batch, split="all", file="f", source="s")
        if at == "add":
            writer.add(batch, split="all", file="f", source="s")
        writer.finish({})
    assert not list(tmp_path.iterdir())


def test_a_key_that_is_no_column_is_an_error(tmp_path):
    with pytest.raises(KeyError), ManifestWriter(tmp_path / "m.parquet", TEXT, ["id"]) as writer:
        writer.add(batch_of(TEXT, [("x",)]), split="all", file="f", source="s")
        writer.finish({})


def test_nothing_is_left_beside_the_manifest(tmp_path):
    write_manifest(tmp_path / "m.parquet", TEXT, [("all", "x")])
    assert [path.name for path in tmp_path.iterdir()] == ["m.parquet"]

"""Loads: what the table holds, what is refused, and who else is there."""

import json
import os
import threading
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from integration.vector_index import fresh, loaded, receipt_of, write_params
from pgloader import LoaderSettings, Receipt, load, reconcile, switch
from pgloader.embeddings import Embeddings
from psycopg import sql
from stage.errors import (
    BadRows,
    CorruptFile,
    DatabaseRefused,
    EmptyInput,
    InputMissing,
    LockHeld,
    SchemaMismatch,
    StageError,
    VerificationFailed,
)
from unit.pgloader.synthetic import columns, facts, vector_column, write_embeddings


def table_of(index, receipt):
    return index.ask("SELECT id, content, embedding::real[], metadata FROM {} ORDER BY id", receipt.table)


def test_the_table_holds_what_the_file_does(index, settings, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_IMAGE_TAG", 'v"1\\')
    monkeypatch.setenv("ARGO_WORKFLOW_UID", "run-ü")
    path = write_embeddings(tmp_path / "e.parquet", rows=5000)
    receipt = loaded(path, settings)
    wanted = columns(5000)
    order = sorted(range(5000), key=lambda row: uuid.UUID(wanted["id"][row]))
    found = table_of(index, receipt)
    assert [str(row[0]) for row in found] == [wanted["id"][row] for row in order]
    assert [row[1] for row in found] == [wanted["content"][row] for row in order]
    vectors = wanted["embedding"].to_pylist()
    assert [row[2] for row in found] == [pytest.approx(vectors[row]) for row in order]
    assert found[0][3] == {
        "source_repo": wanted["source_repo"][order[0]],
        "source_file": wanted["source_file"][order[0]],
        "chunk_index": wanted["chunk_index"][order[0]].as_py(),
        "doc_id": wanted["doc_id"][order[0]],
        "data_version": "opencloudhub-readmes-v1.0.0",
        "dvc_data_version": "opencloudhub-readmes-v1.0.0",
        "embedding_model": "sentence-transformers/all-MiniLM-L6-v2",
        "docker_image": 'v"1\\',
        "argo_workflow_uid": "run-ü",
        "section_h1": wanted["section_h1"][order[0]].as_py() or "",
        "section_h2": "Setup",
        "section_h3": "",
    }
    assert {row[3]["section_h1"] for row in found} == {each.as_py() or "" for each in wanted["section_h1"]}
    assert reconcile(path, settings).rows == 5000


def test_rows_of_any_text_are_told_alike_by_both_sides(index, settings, tmp_path):
    texts = ["\x01\x1f\x7f\u2028", '"\\/\b\f\n\r\t', "é🙂\ufeff", "\ud7ff\ue000\uffff", " ", "x" * 50_000]
    changed: dict[str, Any] = {"content": texts, "section_h1": texts, "source_file": texts}
    path = write_embeddings(tmp_path / "e.parquet", rows=len(texts), **changed)
    receipt = loaded(path, settings)
    assert {row[1] for row in table_of(index, receipt)} == set(texts)
    assert {row[3]["section_h1"] for row in table_of(index, receipt)} == set(texts)
    assert reconcile(path, settings).rows == len(texts)


def test_both_indexes_are_those_of_the_reader(index, settings, tmp_path):
    receipt = loaded(write_embeddings(tmp_path / "e.parquet"), settings)
    with index.connect() as connection:
        query = "SELECT indexdef FROM pg_indexes WHERE tablename = %s"
        found = "\n".join(row[0] for row in connection.execute(query, [receipt.table]))
    assert "USING hnsw (embedding vector_cosine_ops) WITH (m='12', ef_construction='48')" in found
    assert "USING gin (to_tsvector('english'::regconfig, content))" in found
    assert "UNIQUE INDEX" in found


def test_the_receipt_says_what_was_loaded_and_not_where_or_when(index, settings, tmp_path, monkeypatch):
    path = write_embeddings(tmp_path / "e.parquet")
    receipt = loaded(path, settings)
    assert receipt == Receipt(
        relation=settings.relation,
        table=f"{settings.relation}_{receipt.load_id[:12]}",
        load_id=receipt.load_id,
        rows=60,
        dimension=8,
        checksum=receipt.checksum,
        indexes=(
            "hnsw (embedding vector_cosine_ops) WITH (m = 12, ef_construction = 48)",
            "gin (to_tsvector('pg_catalog.english', content))",
        ),
        source_data_version="opencloudhub-readmes-v1.0.0",
        embedding_model="sentence-transformers/all-MiniLM-L6-v2",
        revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
    )
    first = receipt_of(path, settings).read_bytes()
    index.ask("DROP TABLE {}", receipt.table)
    monkeypatch.setenv("DOCKER_IMAGE_TAG", "another")
    assert loaded(path, settings) == receipt
    assert receipt_of(path, settings).read_bytes() == first


def test_what_is_loaded_already_stays_as_it_is(index, settings, tmp_path):
    path = write_embeddings(tmp_path / "e.parquet")
    receipt = loaded(path, settings)
    (before,) = index.ask("SELECT oid FROM pg_class WHERE relname = '" + receipt.table + "'")
    assert not load(path, tmp_path / "again.json", settings).loaded
    assert index.ask("SELECT oid FROM pg_class WHERE relname = '" + receipt.table + "'") == [before]
    assert (tmp_path / "again.json").read_bytes() == receipt_of(path, settings).read_bytes()


def test_a_load_that_lost_rows_is_loaded_again(index, settings, tmp_path):
    path = write_embeddings(tmp_path / "e.parquet")
    receipt = loaded(path, settings)
    index.ask("DELETE FROM {} WHERE content LIKE 'row1%'", receipt.table)
    assert load(path, receipt_of(path, settings), settings).loaded
    assert reconcile(path, settings).rows == 60


def test_a_current_load_that_lost_rows_is_not_dropped_under_its_readers(index, settings, tmp_path):
    path = write_embeddings(tmp_path / "e.parquet")
    receipt = loaded(path, settings)
    switch(receipt_of(path, settings), "1.0.0", settings)
    index.ask("DELETE FROM {} WHERE content LIKE 'row1 %'", receipt.table)
    with pytest.raises(DatabaseRefused, match=r"points at it, and it has 59 of 60 rows; fix: pgloader rollback"):
        load(path, receipt_of(path, settings), settings)
    assert index.ask("SELECT count(*) FROM {}", settings.relation) == [(59,)]


def test_a_table_that_no_load_made_is_not_touched(index, settings, tmp_path):
    path = write_embeddings(tmp_path / "e.parquet")
    receipt = loaded(path, settings)
    index.ask("DROP TABLE {}", receipt.table)
    index.ask("CREATE TABLE {} AS SELECT 7 AS number", receipt.table)
    with pytest.raises(
        DatabaseRefused, match=r"permission denied for table .*; fix: ALTER TABLE public.relation_\w+ OWNER"
    ):
        load(path, receipt_of(path, settings), settings)
    index.ask("DELETE FROM registry_loads WHERE table_name = '" + receipt.table + "'")
    with pytest.raises(DatabaseRefused, match=r"already exists, and was not made by pgloader; fix: rename or drop it"):
        load(path, receipt_of(path, settings), settings)
    assert index.ask("SELECT number FROM {}", receipt.table) == [(7,)]


def test_the_table_belongs_to_owner_and_the_reader_reads_it(index, settings, tmp_path):
    receipt = loaded(write_embeddings(tmp_path / "e.parquet"), settings)
    with index.connect("reader") as reader:
        name = sql.Identifier(receipt.table)
        assert reader.execute(sql.SQL("SELECT count(*) FROM {}").format(name)).fetchone() == (60,)
    owner = "SELECT tableowner FROM pg_tables WHERE tablename = '" + receipt.table + "'"
    assert index.ask(owner) == [("owner",)]


def vectors_with(row, value):
    found = np.random.default_rng(0).standard_normal((60, 8), dtype=np.float32)
    found[row] = value
    return vector_column(found)


def ids_with(row, value):
    found = columns(60)["id"]
    return [*found[:row], value, *found[row + 1 :]]


def without_number():
    found = columns(60)["embedding"].to_pylist()
    found[3][2] = None
    return pa.array(found, pa.list_(pa.float32(), 8))


def texts(row, value, kind=None):
    found = columns(60)["content"]
    return pa.array([*found[:row], value, *found[row + 1 :]], kind or pa.string())


def not_utf8():
    return texts(5, None).cast(pa.binary()).fill_null(b"\xed\xa0\x80").view(pa.string())  # half a surrogate pair


ROWS = {
    "NaN": ({"embedding": vectors_with(7, np.nan)}, SchemaMismatch, ":8: embedding contains NaN"),
    "infinity": (
        {"embedding": vectors_with(7, np.inf)},
        SchemaMismatch,
        ":8: embedding is infinite, or its norm overflows float32",
    ),
    "1e39": (
        {"embedding": vectors_with(0, 1e38)},
        SchemaMismatch,
        ":1: embedding is infinite, or its norm overflows float32",
    ),
    "zero": (
        {"embedding": vectors_with(59, 0)},
        SchemaMismatch,
        ":60: embedding has norm 0 in float32, so no cosine search finds it",
    ),
    "denormal": (
        {"embedding": vectors_with(1, 1e-40)},
        SchemaMismatch,
        ":2: embedding has norm 0 in float32, so no cosine search finds it",
    ),
    "missing number": ({"embedding": without_number()}, SchemaMismatch, ":4: embedding contains a null"),
    "missing vector": (
        {"embedding": pa.array([*columns(60)["embedding"].to_pylist()[:-1], None], pa.list_(pa.float32(), 8))},
        SchemaMismatch,
        ":60: embedding is null",
    ),
    "NUL": ({"content": texts(4, "a\0b")}, BadRows, ":5: content contains a NUL character"),
    "surrogate": ({"content": not_utf8()}, BadRows, ":6: content is not valid UTF-8"),
    "missing text": ({"content": texts(4, None)}, BadRows, ":5: content is null"),
    "long text": ({"content": texts(4, "x" * 1048577)}, BadRows, ":5: content is longer than 1048576 bytes"),
    "id twice": ({"id": ids_with(9, columns(60)["id"][3])}, BadRows, ":10: duplicate id"),
    "no id": ({"id": ids_with(9, "x")}, BadRows, ":10: id is not a lower-case UUID"),
    "upper case": ({"id": ids_with(9, columns(60)["id"][9].upper())}, BadRows, ":10: id is not a lower-case UUID"),
}


@pytest.mark.parametrize("fault", ROWS)
def test_a_row_that_the_database_would_refuse_or_never_find_is_named(index, settings, tmp_path, fault):
    changed, kind, what = ROWS[fault]
    path = write_embeddings(tmp_path / "e.parquet", **changed)
    with pytest.raises(kind) as caught:
        load(path, tmp_path / "receipt.json", settings)
    assert str(caught.value) == f"{path}{what}; fix: run chunk-embed again"
    assert index.tables(settings.relation) == []
    assert not (tmp_path / "receipt.json").exists()


def test_an_id_that_is_another_batchs_is_found(index, settings, tmp_path):
    ids = columns(5000)["id"]
    path = write_embeddings(tmp_path / "e.parquet", rows=5000, id=[*ids[:4000], ids[17], *ids[4001:]])
    with pytest.raises(BadRows, match=r":4001: duplicate id"):
        load(path, tmp_path / "receipt.json", settings)


SCHEMAS: dict[str, dict[str, Any]] = {
    "column content not found": {"content": None},
    "column embedding not found": {"embedding": None},
    "column content: expected string, got int64": {"content": list(range(60))},
    "column chunk_index: expected int32, got int64": {"chunk_index": list(range(60))},
    "column embedding: expected fixed_size_list<float>, got list<element: float>": {
        "embedding": pa.array([[1.0, 2.0]] * 60, pa.list_(pa.float32()))
    },
    "column embedding: expected fixed_size_list<float>, got fixed_size_list<element: double>[2]": {
        "embedding": pa.array([[1.0, 2.0]] * 60, pa.list_(pa.float64(), 2))
    },
    "expected dimension 8 as in the footer, got 2": {
        "embedding": pa.array([[1.0, 2.0]] * 60, pa.list_(pa.float32(), 2))
    },
}


@pytest.mark.parametrize("what", SCHEMAS)
def test_a_file_of_another_kind_is_refused(index, settings, tmp_path, what):
    path = write_embeddings(tmp_path / "e.parquet", **SCHEMAS[what])
    with pytest.raises(SchemaMismatch) as caught:
        load(path, tmp_path / "receipt.json", settings)
    assert caught.value.what == what


def test_more_dimensions_than_the_index_takes_are_refused(settings, tmp_path):
    with pytest.raises(SchemaMismatch, match=r"unsupported dimension 2001; an HNSW index supports 1 to 2000"):
        load(write_embeddings(tmp_path / "e.parquet", rows=2, dimension=2001), tmp_path / "receipt.json", settings)


@pytest.mark.parametrize("missing", ["source_data_version", "embedding_model", "revision", "dimension"])
def test_a_footer_that_says_too_little_is_refused(settings, tmp_path, monkeypatch, missing):
    told = facts()
    del told[missing]
    monkeypatch.setattr("unit.pgloader.synthetic.facts", lambda *_: told)
    with pytest.raises(SchemaMismatch, match=f"{missing} is missing"):
        load(write_embeddings(tmp_path / "e.parquet"), tmp_path / "receipt.json", settings)


def test_files_that_are_no_embeddings_are_refused(settings, tmp_path):
    path = tmp_path / "e.parquet"
    path.write_bytes(b"")
    with pytest.raises(EmptyInput):
        load(path, tmp_path / "receipt.json", settings)
    pq.write_table(pq.read_table(write_embeddings(path)).slice(0, 0), path)
    with pytest.raises(EmptyInput, match="no rows"):
        load(path, tmp_path / "receipt.json", settings)
    data = write_embeddings(path).read_bytes()
    path.write_bytes(data[:-100])
    with pytest.raises(CorruptFile, match="invalid Parquet file"):
        load(path, tmp_path / "receipt.json", settings)


def test_a_file_that_another_one_replaces_meanwhile_is_read_as_it_was(tmp_path):
    path = write_embeddings(tmp_path / "e.parquet")
    embeddings = Embeddings.read(path)
    os.replace(write_embeddings(tmp_path / "other.parquet", seed=1), path)
    assert next(embeddings.batches())["id"].to_pylist() == columns(60)["id"]


def test_a_flipped_bit_in_a_page_is_found_and_nothing_is_left(index, settings, tmp_path):
    path = write_embeddings(tmp_path / "e.parquet")
    group = pq.ParquetFile(path).metadata.row_group(0)
    chunk = next(column for column in map(group.column, range(13)) if column.path_in_schema.startswith("embedding"))
    data = bytearray(path.read_bytes())
    data[chunk.data_page_offset + chunk.total_compressed_size // 2] ^= 1  # a number, which is as good as another
    path.write_bytes(data)
    with pytest.raises(CorruptFile):
        load(path, tmp_path / "receipt.json", settings)
    assert index.tables(settings.relation) == []


def test_rows_that_change_on_the_way_into_the_table_are_noticed(index, settings, tmp_path):
    path = write_embeddings(tmp_path / "e.parquet")
    trigger = (
        "CREATE FUNCTION spoil() RETURNS event_trigger LANGUAGE plpgsql AS $$ DECLARE made record; BEGIN "
        "FOR made IN SELECT * FROM pg_event_trigger_ddl_commands() WHERE object_type = 'table' LOOP "
        "EXECUTE format('CREATE TRIGGER lossy BEFORE INSERT ON %s FOR EACH ROW WHEN (NEW.content LIKE ''row7 %%'')"
        " EXECUTE FUNCTION suppress_redundant_updates_trigger()', made.object_identity); END LOOP; END $$"
    )
    # a trigger that drops one row, as one that partitions or filters might
    lossy = "CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$"
    with index.connect("admin") as admin:
        admin.execute(lossy)
        admin.execute(trigger.replace("suppress_redundant_updates_trigger", "lose"))
        admin.execute(
            "CREATE EVENT TRIGGER spoils ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION spoil()"
        )
    try:
        with pytest.raises(DatabaseRefused, match=r"expected 60 rows with checksum [0-9a-f]{64}, got 59 with"):
            load(path, tmp_path / "receipt.json", settings)
    finally:
        index.ask("DROP EVENT TRIGGER spoils")
    assert index.tables(settings.relation) == []


def test_the_second_of_two_loaders_is_told_who_the_first_is(index, settings, tmp_path):
    path = write_embeddings(tmp_path / "e.parquet")
    with index.connect(autocommit=False, application_name="pgloader load, elsewhere pid 17") as first:
        lock = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))"
        first.execute(lock, [f"pgloader load public.{settings.relation}"])
        with pytest.raises(LockHeld) as caught:
            load(path, tmp_path / "receipt.json", settings)
        assert (
            f"another load is running: server process {first.info.backend_pid} (pgloader load, elsewhere pid 17)"
            in str(caught.value)
        )
        assert load(path, tmp_path / "other.json", fresh()).loaded  # of another relation
    assert load(path, tmp_path / "receipt.json", settings).loaded


def test_two_loaders_at_once_load_once(index, settings, tmp_path):
    path = write_embeddings(tmp_path / "e.parquet", rows=3000)
    outcomes: list[bool | int] = []
    barrier = threading.Barrier(2)

    def run(name):
        barrier.wait()
        try:
            outcomes.append(load(path, tmp_path / name, settings).loaded)
        except StageError as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=run, args=[name]) for name in ("one.json", "two.json")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(map(str, outcomes)) in (["31", "True"], ["False", "True"])
    assert reconcile(path, settings).rows == 3000


def test_reconcile_names_rows_that_are_missing_surplus_or_changed(index, settings, tmp_path):
    path = write_embeddings(tmp_path / "e.parquet", rows=100)
    table, ids = loaded(path, settings).table, columns(100)["id"]
    index.ask(f"DELETE FROM {{}} WHERE id = '{ids[0]}'", table)
    index.ask(f"INSERT INTO {{}} SELECT '{uuid.UUID(int=7)}', content, embedding, metadata FROM {table} LIMIT 1", table)
    for row, change in enumerate(
        ("content = content || ' '", "embedding = embedding * embedding", "metadata = metadata || '{\"doc_id\": 1}'"), 1
    ):
        index.ask(f"UPDATE {{}} SET {change.replace('{', '{{').replace('}', '}}')} WHERE id = '{ids[row]}'", table)
    changed = ", ".join(sorted(ids[1:4]))
    with pytest.raises(VerificationFailed) as caught:
        reconcile(path, settings)
    told = f"1 missing: {ids[0]}; 1 surplus: {uuid.UUID(int=7)}; 3 changed: {changed}"
    assert (caught.value.code, caught.value.what) == (42, told)
    index.ask('UPDATE {} SET metadata = metadata || \'{{"docker_image": "other"}}\'', table)  # says not what a row is
    index.ask("DELETE FROM {}", table)
    with pytest.raises(VerificationFailed, match=r"100 missing: (\S+, ){20}…;"):
        reconcile(path, settings)


def test_reconcile_notices_a_lost_index(index, settings, tmp_path):
    path = write_embeddings(tmp_path / "e.parquet")
    index.ask("DROP INDEX {}", f"{loaded(path, settings).table}_embedding_idx")
    with pytest.raises(VerificationFailed, match=r"expected 3 valid indexes, got 2"):
        reconcile(path, settings)


def test_reconcile_needs_a_load(index, settings, tmp_path):
    with pytest.raises(InputMissing, match=r"is not loaded; fix: make load, or pgloader load"):
        reconcile(write_embeddings(tmp_path / "e.parquet"), settings)


NAMES = ["select", "_", "a" * 50, "table"]


@pytest.mark.parametrize("relation", NAMES)
def test_a_relation_may_be_called_by_any_plain_name(index, tmp_path, relation):
    settings = LoaderSettings(relation=relation)
    path = write_embeddings(tmp_path / "e.parquet")
    receipt = loaded(path, settings)
    switch(receipt_of(path, settings), "1.0.0", settings)
    assert index.ask("SELECT count(*) FROM {}", relation) == [(60,)]
    assert len(receipt.table) <= 63


def test_the_command_says_what_it_did(index, settings, tmp_path):
    path, params = write_embeddings(tmp_path / "e.parquet"), write_params(tmp_path / "params.yaml", settings)
    done = index.run("load", "--params", params, path, tmp_path / "receipt.json")
    assert done.returncode == 0, done.stderr
    table = Receipt.read(tmp_path / "receipt.json").table
    told = {"receipt": str(tmp_path / "receipt.json"), "table": table, "rows": 60, "loaded": True}
    assert json.loads(done.stdout) == told
    assert done.stderr == "building the indexes of 60 rows\n"
    bad = write_embeddings(Path(tmp_path / "bad.parquet"), **ROWS["NaN"][0])
    done = index.run("load", "--params", params, bad, tmp_path / "receipt.json")
    assert (done.returncode, done.stdout) == (22, "")
    assert done.stderr == f"error: {bad}:8: embedding contains NaN; fix: run chunk-embed again\n"

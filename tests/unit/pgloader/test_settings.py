"""What is refused before a database is asked: settings, queries, receipts, a missing address."""

import json

import pytest
from click.testing import CliRunner
from pgloader import LoaderSettings, Receipt
from pgloader.cli import cli
from pgloader.searching import read_queries
from pgloader.settings import load_table
from stage.errors import InputMissing, UsageError
from unit.pgloader.synthetic import write_embeddings


def test_settings_are_checked(tmp_path):
    path = tmp_path / "params.yaml"
    for section, what in {
        "{relation: a.b}": "invalid relation name 'a.b'",
        "{relation: registry_x}": "relation name registry_x has a reserved prefix",
        "{keep: 0}": "invalid keep 0",
        "{ef-search: 1001}": "invalid ef-search 1001",
        "{host: x}": "unknown key host",
    }.items():
        path.write_text(f"pgloader: {section}\n")
        with pytest.raises(UsageError) as caught:
            LoaderSettings.read(path)
        assert caught.value.what == what


def test_the_environment_names_the_relation(tmp_path, monkeypatch):
    path = tmp_path / "params.yaml"
    path.write_text("pgloader: {relation: a}\n")
    assert LoaderSettings.read(path).relation == "a"
    monkeypatch.setenv("PGVECTOR_TABLE_NAME", "b")
    assert LoaderSettings.read(path).relation == "b"
    monkeypatch.setenv("PGVECTOR_TABLE_NAME", "B c")
    with pytest.raises(UsageError, match=r"PGVECTOR_TABLE_NAME: invalid relation name 'B c'; fix: use a to z"):
        LoaderSettings.read(path)


def test_a_load_is_called_by_its_relation_and_its_id():
    assert load_table("readme_embeddings", "0123456789abcdef" * 4) == "readme_embeddings_0123456789ab"


@pytest.mark.parametrize(
    "text",
    ["", "{", "{}", "[7]", '[{"query": 7, "embedding": []}]', '[{"query": "a\\u0000", "embedding": [1]}]', "[{}]"],
)
def test_invalid_queries_are_refused(text):
    with pytest.raises(UsageError, match="with vectors from chunk-embed query"):
        read_queries(text)


def test_a_receipt_reads_as_it_was_written(tmp_path):
    receipt = Receipt("r", "r_0", "0" * 64, 1, 2, "c", ("hnsw", "gin"), "v1", "modèle", "rev")
    receipt.write(tmp_path / "receipt.json")
    assert Receipt.read(tmp_path / "receipt.json") == receipt
    assert json.loads((tmp_path / "receipt.json").read_text())["embedding_model"] == "modèle"
    with pytest.raises(InputMissing, match=r"file not found; fix: make load"):
        Receipt.read(tmp_path / "other.json")


def test_without_an_address_nothing_is_looked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PGVECTOR_HOST", raising=False)
    (tmp_path / "params.yaml").write_text("pgloader: {}\n")
    path = write_embeddings(tmp_path / "e.parquet")
    done = CliRunner().invoke(cli, ["load", "--params", "params.yaml", str(path), "receipt.json"])
    assert (done.exit_code, done.stdout) == (2, "")
    fix = "set it; with ENV=local, make targets and registry with-services do"
    assert done.stderr == f"error: PGVECTOR_HOST: is not set; fix: {fix}\n"

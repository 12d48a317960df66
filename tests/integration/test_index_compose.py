"""The index of the Compose stack, loaded by the tool's image and read as the RAG backend reads it."""

import json
import os
import subprocess

import pytest
from integration.vector_index import receipt_of, write_params
from launcher.toolbox import read_tool
from launcher.virtualenvs import virtualenv
from pgloader import LoaderSettings, Query, reconcile, search, status, switch
from unit.pgloader.synthetic import columns, write_embeddings

pytestmark = [pytest.mark.extended, pytest.mark.docker]
SETTINGS = LoaderSettings()


@pytest.fixture
def folder(stack, tmp_path, monkeypatch):
    """A folder with a file to load; the library of this process finds the stack."""
    for name in ("PGVECTOR_HOST", "PGVECTOR_PORT", "PGVECTOR_DATABASE", "PGVECTOR_USER", "PGVECTOR_PASSWORD"):
        monkeypatch.setenv(name, stack.environ[name])
    write_params(tmp_path / "params.yaml", SETTINGS)
    write_embeddings(tmp_path / "e.parquet", rows=3000, dimension=128, words=150)
    return tmp_path


def in_container(stack, folder, *arguments, said=""):
    """Run the image under another uid than its own, as tools/run does."""
    user = f"{os.getuid()}:{os.getgid()}"
    command = ["docker", "compose", "--profile", "tools", "run", "--rm", "-T", "-u", user, "-v", f"{folder}:/data"]
    command += ["pgloader", *arguments, "--params", "params.yaml"]
    done = subprocess.run(command, cwd=stack.root, env=stack.environ, text=True, capture_output=True, input=said)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_image_loads_switches_and_searches(stack, folder, root):
    stack.compose("--profile", "tools", "build", "-q", "pgloader")
    assert in_container(stack, folder, "load", "e.parquet", "receipt.json")["rows"] == 3000
    assert in_container(stack, folder, "switch", "receipt.json", "--version", "1.0.0")["version"] == "1.0.0"
    found = columns(3000, 128, words=150)
    vector = found["embedding"][17].as_py()
    asked = json.dumps([{"query": "row17", "embedding": vector}])
    hits = in_container(stack, folder, "search", said=asked)["results"][0]["hits"]
    assert (hits[0]["content"], hits[0]["vector_rank"], hits[0]["text_rank"]) == (found["content"][17], 1, 1)
    check_from_here(stack, folder, root, vector, found["content"][17])


def check_from_here(stack, folder, root, vector, content):
    """What the container did is there over the network of this machine; the reader finds it by both indexes."""
    assert reconcile(folder / "e.parquet", SETTINGS).rows == 3000
    assert switch(folder / "receipt.json", "1.0.0", SETTINGS).before == "1.0.0"
    assert status(SETTINGS).version == "1.0.0"
    assert search([Query("", tuple(vector))], "current", "vector", 1, SETTINGS).results[0].hits[0].content == content
    python = virtualenv(read_tool(root / "tests" / "reader"), root) / "bin" / "python"
    question = {"query": "row17 word7", "embedding": vector}
    done = subprocess.run(
        [str(python), "-P", str(root / "tests/reader/ask.py")],
        input=json.dumps({"relation": SETTINGS.relation, "questions": [question], "explain": 2}),
        text=True,
        capture_output=True,
        env={**os.environ, "READER_PASSWORD": stack.passwords["reader"]},
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["answers"][0][0]["content"] == content
    by_vector, by_words = ("\n".join(plan) for plan in told["plans"])
    assert "embedding_idx" in by_vector and "to_tsvector_idx" in by_words


def test_a_killed_database_comes_back_with_the_version(stack, folder):
    receipt = receipt_of(folder / "e.parquet", SETTINGS)
    in_container(stack, folder, "load", "e.parquet", receipt.name)
    switch(receipt, "1.0.0", SETTINGS)
    stack.kill("pgvector")
    stack.up()
    assert status(SETTINGS).version == "1.0.0"
    assert reconcile(folder / "e.parquet", SETTINGS).rows == 3000

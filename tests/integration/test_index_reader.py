"""The index as the RAG backend reads it: langchain-postgres 0.0.16, in its own environment, and our own search."""

import csv
import json
import os
import subprocess
from pathlib import Path

import pytest
from integration.vector_index import fresh, loaded, receipt_of, write_params
from launcher.pythons import NotAtHand
from launcher.toolbox import find_tools, read_tool
from launcher.virtualenvs import virtualenv
from pgloader import LoaderSettings, Query, search, switch
from stage.errors import InputMissing, SchemaMismatch
from unit.pgloader.synthetic import columns, write_embeddings

pytestmark = pytest.mark.extended

EXPECTED = {
    "How does the wine classifier workload work?": "ai-ml-sklearn",
    "What does the Fashion MNIST workload demonstrate?": "ai-dl-lightning",
    "How does the emotion classifier work?": "ai-dl-bert",
    "What is the Qwen-VL workload?": "ai-radiology-qwen",
    "How does OpenCloudHub handle GitOps deployments?": "gitops",
    "How does prompt versioning work?": "demo-app-genai-backend",
}
PARAMS = """\
chunk-embed:
  model: sentence-transformers/all-MiniLM-L6-v2
  revision: c9745ed1d9f207416be6d2e6f8de32d1f16199bf
"""
READMES = "opencloudhub-readmes-v1.0.0"


@pytest.fixture(scope="module")
def reader(root):
    """Return a function that asks as the backend does."""
    python = virtualenv(read_tool(root / "tests" / "reader"), root) / "bin" / "python"

    def ask(index, relation, questions, explain=0):
        asked = {"relation": relation, "explain": explain, "questions": questions}
        environ = {**os.environ, **index.environ, "READER_PASSWORD": index.passwords["reader"]}
        command = [str(python), "-P", str(root / "tests/reader/ask.py")]
        done = subprocess.run(command, input=json.dumps(asked), text=True, capture_output=True, env=environ)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return ask


@pytest.fixture(scope="module")
def embedder(root):
    """Return a function that runs chunk-embed."""
    tool = find_tools(root)["chunk-embed"]
    try:
        python = virtualenv(tool, root) / "bin" / "python"
    except NotAtHand as error:
        pytest.skip(str(error))
    folders = [str(package) for package in tool.packages]
    start = f"import sys; sys.path[:0] = {folders}; from chunk_embed.cli import cli; cli()"

    def run(folder: Path, *arguments: str, said: str = ""):
        command = [str(python), "-P", "-c", start, *arguments]
        done = subprocess.run(command, cwd=folder, text=True, capture_output=True, input=said)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


@pytest.fixture(scope="module")
def readmes(root, mirror, embedder, index, tmp_path_factory):
    """The real READMEs, embedded, loaded and switched to; and questions on them, embedded."""
    folder = tmp_path_factory.mktemp("readmes")
    (folder / "raw").mkdir()
    with (root / "data/opencloudhub-readmes/sources.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            (folder / "raw" / row["name"]).write_bytes((mirror / row["sha256"]).read_bytes())
    (folder / "params.yaml").write_text(PARAMS)
    release = {"dataset": "opencloudhub-readmes", "version": READMES, "logical_hash": "0" * 64}
    (folder / "release.json").write_text(json.dumps(release))
    options = ["--params", "params.yaml", "--release", "release.json"]
    embedder(folder, "embed", *options, "raw", "embeddings.parquet", "samples.parquet")
    settings = LoaderSettings()
    loaded(folder / "embeddings.parquet", settings)
    switch(receipt_of(folder / "embeddings.parquet", settings), "opencloudhub-readmes-embeddings-v1.0.0", settings)
    answered = embedder(folder, "query", "--params", "params.yaml", said=json.dumps(list(EXPECTED)))
    pairs = zip(EXPECTED, answered["embeddings"], strict=True)
    return [{"query": query, "embedding": embedding} for query, embedding in pairs]


def test_the_backend_finds_the_right_repository(index, reader, readmes):
    answers = reader(index, "readme_embeddings", readmes)["answers"]
    found = {each["query"]: answer for each, answer in zip(readmes, answers, strict=True)}
    assert {query: EXPECTED[query] in sources(answer) for query, answer in found.items()} == dict.fromkeys(
        EXPECTED, True
    )
    metadata = answers[0][0]["metadata"]
    assert metadata["data_version"] == metadata["dvc_data_version"] == READMES
    assert metadata["embedding_model"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert set(metadata) == {
        *("source_repo", "source_file", "chunk_index", "doc_id", "section_h1", "section_h2", "section_h3"),
        *("data_version", "dvc_data_version", "embedding_model", "docker_image", "argo_workflow_uid"),
    }
    assert all(isinstance(value, int if name == "chunk_index" else str) for name, value in metadata.items())


def sources(answer):
    return [each["metadata"]["source_repo"] for each in answer]


def test_our_search_finds_the_right_repository_first_or_second(readmes):
    questions = [Query(each["query"], tuple(each["embedding"])) for each in readmes]
    for mode in ("hybrid", "vector"):
        for answer in search(questions, "current", mode, 2, LoaderSettings()).results:
            assert EXPECTED[answer.query] in [hit.metadata["source_repo"] for hit in answer.hits], (mode, answer.query)


def test_both_indexes_serve_the_backend_where_there_are_many_chunks(index, reader, tmp_path):
    settings = fresh()
    path = write_embeddings(tmp_path / "e.parquet", rows=3000, dimension=128, words=150)
    loaded(path, settings)
    switch(receipt_of(path, settings), "1.0.0", settings)
    found = columns(3000, 128, words=150)
    question = {"query": "row17 word7", "embedding": found["embedding"][17].as_py()}
    told = reader(index, settings.relation, [question], explain=2)
    assert told["answers"][0][0]["content"] == found["content"][17]
    by_vector, by_words = ("\n".join(plan) for plan in told["plans"])
    assert "Index Scan using" in by_vector and "embedding_idx" in by_vector
    assert "Bitmap Index Scan on" in by_words and "to_tsvector_idx" in by_words


@pytest.fixture(scope="module")
def chunks(index, tmp_path_factory):
    """A load of few chunks, switched to."""
    settings, folder = fresh(), tmp_path_factory.mktemp("chunks")
    texts = [
        "Argo Workflows deploys pipelines",
        "Deploying applications with Argo CD",
        "wine quality classifier",
        "it's a C:\\path 'quoted' | & ! word",
    ]
    repositories = ["workflows", "gitops", "wine", "odd"]
    path = write_embeddings(folder / "e.parquet", rows=4, content=texts, source_repo=repositories)
    loaded(path, settings)
    switch(receipt_of(path, settings), "1.0.0", settings)
    return settings, [each.as_py() for each in columns(4)["embedding"]]


def asked(chunks, query, at=0, load="current", mode="hybrid", limit=5):
    settings, vectors = chunks
    return search([Query(query, tuple(vectors[at]))], load, mode, limit, settings).results[0].hits


def repositories(hits):
    return [hit.metadata["source_repo"] for hit in hits]


def test_hybrid_puts_together_what_each_half_finds(chunks):
    hits = asked(chunks, "How do I classify the quality of wine?", at=1)
    by_name = {hit.metadata["source_repo"]: hit for hit in hits}
    assert (by_name["gitops"].vector_rank, by_name["gitops"].text_rank) == (1, None)
    assert by_name["wine"].text_rank == 1
    assert by_name["gitops"].score == round(1 / 61, 6)
    assert by_name["wine"].score == round(1 / (60 + by_name["wine"].vector_rank) + 0.5 / 61, 6)


def test_any_word_of_a_question_will_do(chunks):
    assert set(repositories(asked(chunks, "how do I deploy with Argo on Mars", mode="text"))) == {"workflows", "gitops"}


def test_of_frequent_words_only_as_many_are_looked_for_as_can_be_ranked_soon(index, tmp_path, monkeypatch):
    settings = fresh()
    texts = [f"common {'often ' if row % 2 else ''}{'seldom' if row == 7 else row}" for row in range(400)]
    receipt = loaded(write_embeddings(tmp_path / "e.parquet", rows=400, content=texts), settings)
    vector = tuple(columns(1)["embedding"][0].as_py())

    def hits(query):
        asked = [Query(query, vector)]
        return len(search(asked, receipt.table, "text", 100, settings).results[0].hits)

    assert hits("common often seldom") == 100
    monkeypatch.setattr("pgloader.searching.MAX_RANKED_ROWS", 100)
    assert hits("common often seldom") == 1
    assert hits("common often") == 100  # the rarest stays, however frequent


@pytest.mark.parametrize("query", ["the of and", "", "?!", "nowhere"])
def test_a_question_without_known_words_has_hits_by_vector_alone(chunks, query):
    assert asked(chunks, query, mode="text") == ()
    assert len(asked(chunks, query)) == 4


@pytest.mark.parametrize("query", ["it's quoted'", "C:\\path", "a | & ! <-> b:* word ''", "%s {} $1"])
def test_a_question_is_no_query_language(chunks, query):
    assert len(asked(chunks, query)) == 4


def test_vector_search_is_by_cosine(chunks):
    hits = asked(chunks, "", at=2, mode="vector", limit=2)
    assert (repositories(hits)[0], hits[0].score, len(hits)) == ("wine", 1.0, 2)


def test_a_load_is_searched_by_version_or_table_before_its_switch(chunks, tmp_path):
    settings, _ = chunks
    receipt = loaded(write_embeddings(tmp_path / "other.parquet", rows=30, seed=9), settings)
    assert asked(chunks, "row3", load=receipt.table, mode="text")[0].content.startswith("row3 ")
    assert repositories(asked(chunks, "wine", load="1.0.0", mode="text")) == ["wine"]
    with pytest.raises(InputMissing, match=r"2.0.0: is not loaded; fix: make load, or choose one of: 1.0.0, "):
        asked(chunks, "wine", load="2.0.0")
    with pytest.raises(InputMissing, match=r"view not found; fix: make load, then make switch"):
        search([], "current", "hybrid", 5, fresh())


MODEL = "sentence-transformers/all-MiniLM-L6-v2"


def test_a_question_of_another_model_is_refused(chunks):
    with pytest.raises(SchemaMismatch, match=r"expected a query vector of dimension 8, got 3"):
        search([Query("wine", (1.0, 2.0, 3.0))], "current", "hybrid", 5, chunks[0])
    vector = (1.0,) * 8
    with pytest.raises(SchemaMismatch, match=rf"expected a query vector of model {MODEL}, got a/other"):
        search([Query("wine", vector, "a/other")], "current", "hybrid", 5, chunks[0])
    assert search([Query("wine", vector, MODEL)], "current", "hybrid", 5, chunks[0]).results
    assert search([Query("wine", vector, "a/other")], "current", "text", 5, chunks[0]).results


def test_a_search_changes_nothing_and_says_so_in_json(index, chunks, tmp_path):
    settings, vectors = chunks
    params = write_params(tmp_path / "params.yaml", settings)
    with index.start("search", "--params", params, "--mode", "text", "--limit", "1") as process:
        out, err = process.communicate(json.dumps([{"query": "wine", "embedding": vectors[0]}]))
    assert process.returncode == 0, err
    told = json.loads(out)
    assert (told["version"], told["mode"], err) == ("1.0.0", "text", "")
    hit = told["results"][0]["hits"][0]
    assert set(hit) == {"id", "score", "vector_rank", "text_rank", "content", "metadata"}
    assert (hit["content"], hit["text_rank"], hit["vector_rank"]) == ("wine quality classifier", 1, None)

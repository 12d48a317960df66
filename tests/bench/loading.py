"""Loading a vector index and searching it, over the usual ways; ``run.py`` runs it.

Loads are whole processes, which leave the same rows; the others read them from files that cost less to read, and are
run once, for they take minutes. Their ways: row by row as pgvector's own examples insert, and LangChain's, in the
readers' environment.
"""

import contextlib
import functools
import json
import os
import statistics
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
from bench.measuring import ROOT, Run, measure, tool_command
from launcher.toolbox import read_tool
from launcher.virtualenvs import virtualenv
from numpy.typing import NDArray
from pgloader import LoaderSettings, Query, Receipt, search, switch
from pgvector.psycopg import register_vector
from psycopg import sql
from registry.services.embedded import embedded

ROWS = int(os.environ.get("BENCH_LOAD_ROWS", "100000"))
DIMENSION, QUERIES, TOP = 384, 200, 10
WORDS = [f"word{number}" for number in range(5000)]
FACTS = {"source_data_version": "v1.0.0", "embedding_model": "drawn", "revision": "0", "dimension": DIMENSION}
# Our tool as it is, but for the indexes, which the others do not build either.
WITHOUT_INDEXES = "import pgloader.loading as l; l.build_indexes = l.check_indexes = lambda *_: None; "
# Our tool as it is, with the same checks, but with rows written by the adapters of psycopg and pgvector.
WITH_ADAPTERS = """
import hashlib, json, os, struct, uuid
import pgloader.tables as tables
from pgloader.row_checks import matrix
from pgloader.rows import LOADED_BY, checksum
from pgvector import Vector
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb
KEYS = ("doc_id", "section_h1", "section_h2", "section_h3", "chunk_index", "source_file", "source_repo")
def copy_rows(connection, embeddings, table):
    register_vector(connection)
    loaded_by, facts = {key: os.environ.get(name, "") for key, name in LOADED_BY.items()}, embeddings.facts
    version = facts["source_data_version"]
    made_by = {"data_version": version, "embedding_model": facts["embedding_model"], "dvc_data_version": version}
    digests = {}
    with connection.cursor() as cursor, cursor.copy(tables.COPY.format(tables.qualified(table))) as copy:
        copy.set_types(["uuid", "text", "vector", "jsonb"])
        for batch in embeddings.batches():
            vectors = matrix(batch["embedding"], embeddings.dimension)
            for row, vector in zip(batch.drop_columns(["embedding"]).to_pylist(), vectors):
                row_id, value = uuid.UUID(row["id"]), Vector(vector)
                metadata = {key: "" if row[key] is None else row[key] for key in KEYS} | made_by
                copy.write_row((row_id, row["content"], value, Jsonb(loaded_by | metadata)))
                fields = (row_id.bytes, row["content"].encode(), value.to_binary())
                hashed = b"".join(struct.pack(">i", len(field)) + field for field in fields)
                hashed += json.dumps(metadata, ensure_ascii=False).encode()
                digests[row_id.bytes] = hashlib.sha256(hashed).digest()
        return checksum(digests)
tables._copy = copy_rows
"""
# As in pgvector-python's examples: a connection that commits by itself, and an INSERT for each row; or committing once.
INSERT = """
import json, os, sys, numpy, psycopg
from pgvector.psycopg import register_vector
from psycopg.types.json import Jsonb
address = {name: os.environ[f"PGVECTOR_{name.upper()}"] for name in ("host", "port", "user", "password")}
by_itself = "once" not in sys.argv
with psycopg.connect(**address, dbname=os.environ["PGVECTOR_DATABASE"], autocommit=by_itself) as connection:
    register_vector(connection)
    connection.execute("DROP TABLE IF EXISTS rowwise")
    connection.execute(
        "CREATE TABLE rowwise (id uuid PRIMARY KEY, content text, embedding vector(384), metadata jsonb)"
    )
    if "indexed" in sys.argv:
        connection.execute("CREATE INDEX ON rowwise USING hnsw (embedding vector_cosine_ops)")
        connection.execute("CREATE INDEX ON rowwise USING gin (to_tsvector('pg_catalog.english', content))")
    for line, vector in zip(open("rows.jsonl"), numpy.load("vectors.npy", mmap_mode="r")):
        row = json.loads(line)
        connection.execute(
            "INSERT INTO rowwise (id, content, embedding, metadata) VALUES (%s, %s, %s, %s)",
            (row["id"], row["content"], vector, Jsonb(row["metadata"])),
        )
"""
LANGCHAIN = """
import itertools, json, numpy, os
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_postgres import PGEngine, PGVectorStore
from sqlalchemy import URL
given = {name: os.environ[f"PGVECTOR_{name.upper()}"] for name in ("host", "port", "user", "password", "database")}
address = URL.create(
    "postgresql+psycopg",
    username=given["user"],
    password=given["password"],
    database=given["database"],
    query={"host": given["host"], "port": given["port"]},
)
engine = PGEngine.from_connection_string(address)
engine.init_vectorstore_table("langchain", 384, overwrite_existing=True)
store = PGVectorStore.create_sync(engine, DeterministicFakeEmbedding(size=384), "langchain")
lines = zip(open("rows.jsonl"), numpy.load("vectors.npy", mmap_mode="r"))
while batch := list(itertools.islice(lines, 1000)):
    rows, vectors = [json.loads(line) for line, _ in batch], [vector.tolist() for _, vector in batch]
    store.add_embeddings(
        [row["content"] for row in rows],
        vectors,
        [row["metadata"] for row in rows],
        ids=[row["id"] for row in rows],
    )
"""


def bench_load(folder: Path) -> None:
    """Measure loads with their checks, without and with indexes."""
    with _index(folder) as variables:
        run = functools.partial(measure, folder=folder, **variables)
        tool, loads = tool_command("pgloader"), ["load", "-q", "--params", "params.yaml", "embeddings.parquet"]
        bare, adapters = (
            [*tool[:-1], tool[-1].replace("from pgloader.cli", f"{patch}from pgloader.cli")]
            for patch in (WITHOUT_INDEXES, f"{WITHOUT_INDEXES}\n{WITH_ADAPTERS}\n")
        )
        reader = str(virtualenv(read_tool(ROOT / "tests" / "reader"), ROOT) / "bin" / "python")
        ours = _forgotten(variables, lambda: run(*bare, *loads, "receipt.json"))
        inserted = run(reader, "-c", INSERT)
        _show(f"load {ROWS:,} x {DIMENSION}, text, jsonb, over INSERTs", "<= 0.04", ours, inserted)
        adapted = _forgotten(variables, lambda: run(*adapters, *loads, "receipt.json"))
        _show("the same, over COPY with pgvector's adapters", "<= 0.67", ours, adapted)
        once = run(reader, "-c", INSERT, "once")
        _show("the same, over INSERTs in one transaction", "", ours, once)
        _show("the same, over LangChain's add_embeddings", "<= 0.1", ours, run(reader, "-c", LANGCHAIN))
        ours = _forgotten(variables, lambda: run(*tool, *loads, "receipt.json"))
        _show("the same with both indexes, over INSERTs", "<= 0.1", ours, run(reader, "-c", INSERT, "indexed"))


def bench_search(folder: Path) -> None:
    """Measure searches of the index: what they find of the nearest, and how long one takes, connection included."""
    with _index(folder) as variables:
        loads = ["load", "-q", "--params", "params.yaml", "embeddings.parquet", "receipt.json"]
        measure(*tool_command("pgloader"), *loads, folder=folder, **variables)
        settings, random = LoaderSettings(), np.random.default_rng(1)
        with _environ(variables):
            table = Receipt.read(folder / "receipt.json").table
            switch(folder / "receipt.json", "v1.0.0", settings)
            vectors = _vectors(QUERIES, seed=1)
            exact, seconds = _exact(variables, table, vectors)
            for mode in ("vector", "hybrid"):
                found, taken = [], []
                for vector in vectors:
                    question = Query(" ".join(random.choice(WORDS, 6)), tuple(map(float, vector)))
                    started = time.perf_counter()
                    answer = search([question], "current", mode, TOP, settings).results[0]
                    taken.append(time.perf_counter() - started)
                    found.append({hit.id for hit in answer.hits})
                p95 = statistics.quantiles(taken, n=20)[-1]
                name = f"search {ROWS:,} chunks, {mode}, p95, over an exact scan"
                print(f"{name:<52}{p95:8.3f} s{seconds:8.3f} s{p95 / seconds:8.2f}x")
                if mode == "vector":
                    recall = np.mean([len(a & b) / TOP for a, b in zip(found, exact, strict=True)])
                    print(
                        f"    recall@{TOP} {recall:.4f} with ef-search {settings.ef_search}; bound >= 0.95", flush=True
                    )


def _exact(variables: dict[str, str], table: str, vectors: NDArray[np.float32]) -> tuple[list[set[str]], float]:
    """Return the nearest rows to each vector, and the median of the seconds that a scan for them takes."""
    found, taken = [], []
    nearest = sql.SQL("SELECT id::text FROM {} ORDER BY embedding <=> %s LIMIT {}")
    with _connected(variables) as connection:
        register_vector(connection)
        connection.execute("SET enable_indexscan = off")
        for vector in vectors:
            started = time.perf_counter()
            rows = connection.execute(nearest.format(sql.Identifier(table), TOP), [vector])
            found.append({each for (each,) in rows})
            taken.append(time.perf_counter() - started)
    return found, statistics.median(taken)


def _show(name: str, bound: str, ours: Run, theirs: Run) -> None:
    ratio = ours.seconds / theirs.seconds
    times = f"{ours.seconds:8.2f} s{theirs.seconds:8.2f} s{ratio:8.3f}x"
    print(f"{name:<52}{times}  {bound:<8}{ours.peak:6d} MB{theirs.peak:6d} MB", flush=True)


def _forgotten(variables: dict[str, str], load: Callable[[], Run]) -> Run:
    """Load thrice, the database having dropped it each time, and return the median; the first time warms up."""
    runs = []
    for _ in range(4):
        with _connected(variables) as connection:
            for (table,) in connection.execute("DELETE FROM registry_loads RETURNING table_name").fetchall():
                connection.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(table)))
            connection.execute("SELECT 1")
        runs.append(load())
    return sorted(runs[1:], key=lambda run: run.seconds)[1]


def _connected(variables: dict[str, str]) -> psycopg.Connection:
    return psycopg.connect(
        host=variables["PGVECTOR_HOST"],
        port=variables["PGVECTOR_PORT"],
        dbname=variables["PGVECTOR_DATABASE"],
        user=variables["PGVECTOR_USER"],
        password=variables["PGVECTOR_PASSWORD"],
        autocommit=True,
        prepare_threshold=None,  # a prepared plan would outlive what is set for it
    )


@contextlib.contextmanager
def _environ(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _index(folder: Path) -> Iterator[dict[str, str]]:
    """Run a server, with a file to load beside it."""
    (folder / "params.yaml").write_text("pgloader: {}\n")
    _write_embeddings(folder / "embeddings.parquet")
    with embedded(folder / "clone") as found:
        yield {name: value for name, value in found.items() if name.startswith("PGVECTOR")}


def _vectors(count: int, seed: int) -> NDArray[np.float32]:
    """Draw unit vectors as of texts: of 1000 subjects, spread in as many directions as sentence embeddings are."""
    shape, random = np.random.default_rng(0), np.random.default_rng([seed, 7])
    directions = shape.standard_normal((64, DIMENSION), dtype=np.float32)
    subjects = shape.standard_normal((1000, 64), dtype=np.float32)
    latent = subjects[random.integers(0, 1000, count)] + random.standard_normal((count, 64), dtype=np.float32)
    vectors = latent @ directions + random.standard_normal((count, DIMENSION), dtype=np.float32)
    unit: NDArray[np.float32] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


def _write_embeddings(path: Path) -> None:
    """Write rows about as long as those of chunks of READMEs."""
    random = np.random.default_rng(0)
    files = [f"repo{row // 50}_README.md" for row in range(ROWS)]
    vectors = _vectors(ROWS, seed=0)
    table = pa.table(
        {
            "id": [str(uuid.uuid5(uuid.NAMESPACE_OID, str(row))) for row in range(ROWS)],
            "content": [" ".join(random.choice(WORDS, random.integers(40, 160))) for _ in range(ROWS)],
            "embedding": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION),
            "source_repo": [file.removesuffix("_README.md") for file in files],
            "source_file": files,
            "chunk_index": pa.array([row % 50 for row in range(ROWS)], pa.int32()),
            "doc_id": [f"{row // 50:032x}" for row in range(ROWS)],
            **{f"section_h{level}": [f"Section {row % 50}" for row in range(ROWS)] for level in (1, 2, 3)},
        }
    )
    np.save(path.with_name("vectors.npy"), vectors)
    with path.with_name("rows.jsonl").open("w") as file:
        for row in table.drop_columns(["embedding"]).to_pylist():
            metadata = {name: value for name, value in row.items() if name not in {"id", "content"}}
            file.write(json.dumps({"id": row["id"], "content": row["content"], "metadata": metadata}) + "\n")
    footer = {"data-registry": json.dumps(FACTS)}
    options = {"compression": "zstd", "row_group_size": 8192, "write_page_checksum": True}
    pq.write_table(table.replace_schema_metadata(footer), path, **options)


BENCHES = (bench_load, bench_search)

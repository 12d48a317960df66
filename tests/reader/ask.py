"""Ask the vector index as the RAG backend does, chain.py:103-118, in the environment beside this file.

Reads {"relation", "questions": [{"query", "embedding"}]} from stdin. Writes, for each question, the documents that came
back, and how PostgreSQL looked for them.
"""

import json
import os
import sys
from typing import Any

from langchain_core.embeddings import Embeddings  # type: ignore[import-not-found]  # of the other environment
from langchain_postgres import PGEngine, PGVectorStore
from langchain_postgres.v2.hybrid_search_config import HybridSearchConfig, reciprocal_rank_fusion
from sqlalchemy import URL, create_engine, event

TOP_K = 4


class Known(Embeddings):  # type: ignore[misc]
    """Vectors that were made beforehand."""

    def __init__(self, vectors: dict[str, list[float]]) -> None:
        self._vectors = vectors

    def embed_query(self, text: str) -> list[float]:
        return self._vectors[text]

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        return [self._vectors[text] for text in texts]


def address() -> URL:
    """Return where the index is; a host that is a folder holds a socket."""
    host, port = os.environ["PGVECTOR_HOST"], os.environ["PGVECTOR_PORT"]
    socket = {"query": {"host": host, "port": port}} if host.startswith("/") else {"host": host, "port": int(port)}
    return URL.create(
        "postgresql+psycopg",
        username="reader",
        password=os.environ["READER_PASSWORD"],
        database=os.environ["PGVECTOR_DATABASE"],
        **socket,
    )


def store(engine: PGEngine, relation: str, vectors: dict[str, list[float]]) -> PGVectorStore:
    return PGVectorStore.create_sync(
        engine=engine,
        embedding_service=Known(vectors),
        table_name=relation,
        id_column="id",
        content_column="content",
        embedding_column="embedding",
        metadata_json_column="metadata",
        # Made anew for each question: 0.0.16 keeps the words of the first one (langchain-postgres#288).
        hybrid_search_config=HybridSearchConfig(
            tsv_lang="pg_catalog.english",
            fusion_function=reciprocal_rank_fusion,
            fusion_function_parameters={"rrf_k": 60, "fetch_top_k": TOP_K},
        ),
    )


def main() -> None:
    asked = json.load(sys.stdin)
    vectors = {each["query"]: each["embedding"] for each in asked["questions"]}
    engine = PGEngine.from_connection_string(address())
    statements: list[tuple[str, Any]] = []
    event.listen(engine._pool.sync_engine, "before_cursor_execute", lambda *a: statements.append((a[2], a[3])))
    answers = []
    for query in vectors:
        found = store(engine, asked["relation"], vectors).similarity_search(query, k=TOP_K)
        answers.append([{"content": each.page_content, "metadata": each.metadata} for each in found])
    with create_engine(address()).connect() as connection:
        searches = [each for each in statements if "ORDER BY" in each[0] or "tsquery" in each[0]]
        plans = [
            [line for (line,) in connection.exec_driver_sql(f"EXPLAIN (ANALYZE) {statement}", parameters)]
            for statement, parameters in searches[: asked.get("explain", 0)]
        ]
    print(json.dumps({"answers": answers, "plans": plans}))


if __name__ == "__main__":
    main()

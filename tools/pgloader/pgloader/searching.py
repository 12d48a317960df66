"""Search a load by vector, by full text, or by both: reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009).

The text ranking and its weight were chosen on the questions of opencloudhub-readmes-rag-evaluation.
"""

import dataclasses
import math
from typing import Any

import psycopg
from pgvector import Vector
from pgvector.psycopg import register_vector
from psycopg import sql
from psycopg.rows import dict_row
from stage.errors import InputMissing, SchemaMismatch, UsageError
from stage.foreign import read_json

from pgloader.connection import database_address, transaction, version_numbers
from pgloader.loads import Load, active_switches, count_rows, qualified, read_loads, relation_kind
from pgloader.settings import LoaderSettings

MODES = ("hybrid", "vector", "text")
RRF_K = 60  # as in langchain_postgres
TEXT_WEIGHT = 0.5  # text search alone finds less than vector search alone
CANDIDATES_PER_HIT = 4  # of each half of a hybrid search
ITERATIVE_SCAN = (0, 8, 0)  # the first pgvector that continues a scan which found too few rows
MAX_RANKED_ROWS = 2000  # ranking parses the text of each row
# The expressions of langchain_postgres, so that the same indexes are used.
VECTOR_SEARCH = sql.SQL(
    "SELECT id::text, content, metadata, 1 - (embedding <=> %(query)s) AS similarity FROM {}"
    " ORDER BY embedding <=> %(query)s LIMIT %(limit)s"
)
# ts_rank counts occurrences. ts_rank_cd, which readers use, says little about a query in which any word may match.
TEXT_SEARCH = sql.SQL(
    "SELECT id::text, content, metadata,"
    " ts_rank(to_tsvector('pg_catalog.english', content), %(query)s::tsquery) AS similarity"
    " FROM {} WHERE to_tsvector('pg_catalog.english', content) @@ %(query)s::tsquery"
    " ORDER BY similarity DESC, id LIMIT %(limit)s"
)
LEXEMES = "SELECT DISTINCT unnest(tsvector_to_array(to_tsvector('pg_catalog.english', %s))) ORDER BY 1"
# From the statistics of ANALYZE on the full-text index: the most common lexemes, and the share of rows with each.
SHARES = """
SELECT word, share FROM pg_stats JOIN pg_indexes USING (schemaname)
CROSS JOIN unnest(most_common_elems::text::text[], most_common_elem_freqs) AS common (word, share)
WHERE schemaname = 'public' AND pg_indexes.tablename = %s AND pg_stats.tablename = indexname AND word = ANY(%s)
"""


@dataclasses.dataclass(frozen=True)
class Query:
    """A query as text and as a vector, and the model of the vector if known."""

    query: str
    embedding: tuple[float, ...]
    embedding_model: str = ""


@dataclasses.dataclass(frozen=True)
class Hit:
    """A chunk that matches a query; ranks count from 1, and are None if that half of the search did not find it."""

    id: str
    score: float
    vector_rank: int | None
    text_rank: int | None
    content: str
    metadata: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class QueryHits:
    """The hits of one query, best first."""

    query: str
    hits: tuple[Hit, ...]


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """The load that was searched, and the hits of each query."""

    relation: str
    table: str
    version: str
    mode: str
    results: tuple[QueryHits, ...]


def read_queries(text: str) -> list[Query]:
    """Read a JSON array of ``{"query", "embedding", "embedding_model"}``; the model is optional. Raises UsageError."""
    where, fix = (
        "stdin",
        'give a JSON array of {"query": "…", "embedding": [0.1, …]}, with vectors from chunk-embed query',
    )
    items = read_json(text, where, [{"query": str, "embedding": [float], "embedding_model?": str}], UsageError, fix)
    try:
        queries = [
            Query(item["query"], tuple(map(float, item["embedding"])), item.get("embedding_model", ""))
            for item in items
        ]
    except OverflowError as error:
        raise UsageError(where, f"invalid embedding: {error}", fix) from error
    if any("\0" in query.query for query in queries):
        raise UsageError(where, "invalid query: contains a NUL character", fix)
    return queries


def search(queries: list[Query], load_name: str, mode: str, limit: int, settings: LoaderSettings) -> SearchResult:
    """Search the load named ``current``, or by its table or the version that was switched to it.

    Raises InputMissing if there is no such load, SchemaMismatch for a vector of another dimension or model, or what
    ``transaction`` raises.
    """
    with transaction("search", read_only=True) as connection:
        register_vector(connection)
        load, version = _find_load(connection, load_name, settings)
        relation = settings.relation if load_name == "current" else load.table_name
        candidates = limit if mode != "hybrid" else CANDIDATES_PER_HIT * limit
        _tune(connection, max(settings.ef_search, 2 * candidates))
        results = []
        for query in queries:
            by_vector, by_text = [], []
            if mode != "text":
                _check_vector(query, load)
                by_vector = _fetch(connection, VECTOR_SEARCH, relation, Vector(list(query.embedding)), candidates)
            if mode != "vector" and (tsquery := _tsquery(connection, query.query, load.table_name)):
                by_text = _fetch(connection, TEXT_SEARCH, relation, tsquery, candidates)
            results.append(QueryHits(query.query, _fuse(by_vector, by_text, mode)[:limit]))
    return SearchResult(settings.relation, load.table_name, version, mode, tuple(results))


def _check_vector(query: Query, load: Load) -> None:
    """Raise SchemaMismatch for a vector that cannot be compared with those of the load."""
    where, fix = f"{database_address()} {load.table_name}", "embed queries with the model of the index"
    if len(query.embedding) != load.dimension:
        what = f"expected a query vector of dimension {load.dimension}, got {len(query.embedding)}"
        raise SchemaMismatch(where, what, fix)
    if query.embedding_model not in {"", load.embedding_model}:
        what = f"expected a query vector of model {load.embedding_model}, got {query.embedding_model}"
        raise SchemaMismatch(where, what, fix)


def _find_load(connection: psycopg.Connection, name: str, settings: LoaderSettings) -> tuple[Load, str]:
    switches = active_switches(connection, settings.relation)
    loads = {load.table_name: load for load in read_loads(connection, settings.relation) if load.bytes}
    switch = next((each for each in switches if name in ("current", each.version, each.table_name)), None)
    table = switch.table_name if switch else name
    if name == "current" and not relation_kind(connection, settings.relation):
        raise InputMissing(f"{database_address()} {settings.relation}", "view not found", "make load, then make switch")
    if table not in loads:
        names = ", ".join([*(each.version for each in switches), *loads]) or "none"
        raise InputMissing(f"{database_address()} {name}", "is not loaded", f"make load, or choose one of: {names}")
    return loads[table], switch.version if switch else ""


def _tune(connection: psycopg.Connection, ef_search: int) -> None:
    connection.execute("SELECT set_config('hnsw.ef_search', %s, true)", [str(min(ef_search, 1000))])
    version = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if version and version_numbers(version[0]) >= ITERATIVE_SCAN:
        connection.execute("SELECT set_config('hnsw.iterative_scan', 'strict_order', true)")


def _tsquery(connection: psycopg.Connection, text: str, table: str) -> str:
    """Return a tsquery for any word of a text, without the most common ones if too many rows had to be ranked.

    Any word may match, because a question has words that its answer has not. The rarest word is always included.
    Empty if there are no words.
    """
    lexemes = [lexeme for (lexeme,) in connection.execute(LEXEMES, [text])]
    shares = {lexeme: float(share) for lexeme, share in connection.execute(SHARES, [table, lexemes])}
    selected: list[str] = []
    rows, expected_rows = count_rows(connection, table), 0.0
    for lexeme in sorted(lexemes, key=lambda lexeme: (shares.get(lexeme, 0.0), lexeme)):
        expected_rows += rows * shares.get(lexeme, 0.0)
        if selected and expected_rows > MAX_RANKED_ROWS:
            break
        selected.append(lexeme)
    return " | ".join("'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'" for lexeme in selected)


def _fetch(
    connection: psycopg.Connection, statement: sql.SQL, relation: str, query: Any, limit: int
) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement.format(qualified(relation)), {"query": query, "limit": limit}).fetchall()


def _fuse(by_vector: list[dict[str, Any]], by_text: list[dict[str, Any]], mode: str) -> tuple[Hit, ...]:
    vector_ranks, text_ranks = ({row["id"]: rank for rank, row in enumerate(rows, 1)} for rows in (by_vector, by_text))
    hits = []
    for row in {row["id"]: row for row in (*by_text, *by_vector)}.values():
        vector_rank, text_rank = vector_ranks.get(row["id"]), text_ranks.get(row["id"])
        weighted = ((1.0, vector_rank), (TEXT_WEIGHT, text_rank))
        fused = sum(weight / (RRF_K + rank) for weight, rank in weighted if rank)
        score = fused if mode == "hybrid" else float(row["similarity"])
        hits.append(Hit(row["id"], round(score, 6), vector_rank, text_rank, row["content"], row["metadata"]))
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.vector_rank or math.inf, hit.text_rank or math.inf)))

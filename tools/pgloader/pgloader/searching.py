"""Search a load by vector, by words, or by both: reciprocal rank fusion (Cormack, Clarke and Büttcher, 2009).

Which rank and weight the words have was measured on the questions of opencloudhub-readmes-rag-evaluation.
"""

import dataclasses
import json
import math
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row
from stage.errors import InputMissing, SchemaMismatch, UsageError
from stage.foreign import read_json

from pgloader.catalogue import Load, kind_of, loads, meanings, qualified
from pgloader.connection import place, transaction
from pgloader.settings import LoaderSettings
from pgloader.words import words_query

MODES = ("hybrid", "vector", "text")
RRF_K = 60  # as the readers' backend has it
TEXT_WEIGHT = 0.5  # words alone find less than vectors alone
DEPTH = 4  # candidates of each half for a hit
ITERATIVE = (0, 8, 0)  # of pgvector: the first that searches on where too few are found
# The expressions of langchain_postgres, so that the same indexes serve.
VECTOR = sql.SQL(
    "SELECT id::text, content, metadata, 1 - (embedding <=> {query}) AS similarity FROM {relation}"
    " ORDER BY embedding <=> {query} LIMIT {limit}"
)
# By how often the words occur: ts_rank_cd, which readers rank by, tells little where any word will do.
TEXT = sql.SQL(
    "SELECT id::text, content, metadata, ts_rank(to_tsvector('pg_catalog.english', content), {query}) AS similarity"
    " FROM {relation} WHERE to_tsvector('pg_catalog.english', content) @@ {query}"
    " ORDER BY similarity DESC, id LIMIT {limit}"
)


@dataclasses.dataclass(frozen=True)
class Question:
    """What is asked, in words and as a vector; and the model that this is of, if that is known."""

    query: str
    embedding: tuple[float, ...]
    embedding_model: str = ""


@dataclasses.dataclass(frozen=True)
class Hit:
    """A chunk that was found; a rank counts from 1, and is None where that half has not found it."""

    id: str
    score: float
    vector_rank: int | None
    text_rank: int | None
    content: str
    metadata: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Answer:
    """The hits for one question, best first."""

    query: str
    hits: tuple[Hit, ...]


@dataclasses.dataclass(frozen=True)
class SearchResult:
    """What was searched, and what was found."""

    relation: str
    table: str
    version: str
    mode: str
    results: tuple[Answer, ...]


def read_questions(text: str) -> list[Question]:
    """Read a JSON array of ``{"query", "embedding", "embedding_model"}``; the model may be left out.

    Raises UsageError where it is none.
    """
    where, fix = "stdin", 'give a JSON array of {"query": "…", "embedding": [0.1, …]}, as chunk-embed query makes them'
    given = read_json(text, where, [{"query": str, "embedding": [float], "embedding_model?": str}], UsageError, fix)
    try:
        questions = [
            Question(each["query"], tuple(map(float, each["embedding"])), each.get("embedding_model", ""))
            for each in given
        ]
    except OverflowError as error:
        raise UsageError(where, f"no questions: {error}", fix) from error
    if any("\0" in each.query for each in questions):
        raise UsageError(where, "a question has a NUL character", fix)
    return questions


def search(questions: list[Question], load: str, mode: str, limit: int, settings: LoaderSettings) -> SearchResult:
    """Search the load that is current, has the table ``load``, or was switched to as version ``load``.

    Raises InputMissing where there is none, SchemaMismatch for vectors of another dimension or model, or what
    ``transaction`` does.
    """
    with transaction("search", read_only=True) as connection:
        found, version = _find(connection, load, settings)
        table = found.table_name
        searched = settings.relation if load == "current" else table
        depth = limit if mode != "hybrid" else DEPTH * limit
        _tune(connection, max(settings.ef_search, 2 * depth))
        answers = []
        for question in questions:
            if mode != "text":
                _check_model(question, found)
            by_vector, by_text = [], []
            if mode != "text":
                vector = _cast(json.dumps(question.embedding), "vector")
                by_vector = _rows(connection, VECTOR, searched, vector, depth)
            if mode != "vector" and (words := words_query(connection, question.query, table)):
                by_text = _rows(connection, TEXT, searched, _cast(words, "tsquery"), depth)
            answers.append(Answer(question.query, _hits(by_vector, by_text, mode)[:limit]))
    return SearchResult(settings.relation, table, version, mode, tuple(answers))


def _check_model(question: Question, load: Load) -> None:
    """Raise SchemaMismatch for a vector that means nothing among those of the load."""
    where, fix = f"{place()} {load.table_name}", "embed questions with the model of the index"
    if len(question.embedding) != load.dimension:
        what = f"has {load.dimension} dimensions, the question {len(question.embedding)}"
        raise SchemaMismatch(where, what, fix)
    if question.embedding_model not in {"", load.embedding_model}:
        raise SchemaMismatch(where, f"is of {load.embedding_model}, the question of {question.embedding_model}", fix)


def _find(connection: psycopg.Connection, load: str, settings: LoaderSettings) -> tuple[Load, str]:
    meant = meanings(connection, settings.relation)
    tables = {each.table_name: each for each in loads(connection, settings.relation) if each.bytes}
    wanted = next((each for each in meant if load in ("current", each.version, each.table_name)), None)
    table = wanted.table_name if wanted else load
    if load == "current" and not kind_of(connection, settings.relation):
        raise InputMissing(f"{place()} {settings.relation}", "there is no such relation", "make load, then make switch")
    if table not in tables:
        listed = ", ".join([*(each.version for each in meant), *tables]) or "none"
        raise InputMissing(f"{place()} {load}", "is not loaded", f"make load, or choose one of: {listed}")
    return tables[table], wanted.version if wanted else ""


def _tune(connection: psycopg.Connection, ef_search: int) -> None:
    connection.execute("SELECT set_config('hnsw.ef_search', %s, true)", [str(min(ef_search, 1000))])
    version = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if version and tuple(int(part) for part in version[0].split(".")) >= ITERATIVE:
        connection.execute("SELECT set_config('hnsw.iterative_scan', 'strict_order', true)")


def _cast(text: str, kind: str) -> sql.Composable:
    return sql.SQL("{}::{}").format(sql.Literal(text), sql.SQL(kind))


def _rows(
    connection: psycopg.Connection, statement: sql.SQL, relation: str, query: sql.Composable, limit: int
) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        composed = statement.format(relation=qualified(relation), query=query, limit=sql.Literal(limit))
        return cursor.execute(composed).fetchall()


def _hits(by_vector: list[dict[str, Any]], by_text: list[dict[str, Any]], mode: str) -> tuple[Hit, ...]:
    ranks = [{row["id"]: rank for rank, row in enumerate(rows, 1)} for rows in (by_vector, by_text)]
    hits = []
    for row in {row["id"]: row for row in (*by_text, *by_vector)}.values():
        vector_rank, text_rank = (found.get(row["id"]) for found in ranks)
        weighted = ((1.0, vector_rank), (TEXT_WEIGHT, text_rank))
        fused = sum(weight / (RRF_K + rank) for weight, rank in weighted if rank)
        score = fused if mode == "hybrid" else float(row["similarity"])
        hits.append(Hit(row["id"], round(score, 6), vector_rank, text_rank, row["content"], row["metadata"]))
    return tuple(sorted(hits, key=lambda hit: (-hit.score, hit.vector_rank or math.inf, hit.text_rank or math.inf)))

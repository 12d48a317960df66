"""Create the table of a load, fill it by binary COPY, and verify it against the file."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import psycopg
from psycopg import sql
from stage.errors import DatabaseRefused
from stage.progress import progress

from pgloader.connection import database_address
from pgloader.embeddings import Embeddings
from pgloader.loads import qualified
from pgloader.rows import DIGEST, HEADER, TRAILER, binary_rows, checksum

T = TypeVar("T")
# Rows of up to half a page are not compressed or moved out of line, which would cost time on write and read.
TABLE: Final = sql.SQL(
    "CREATE TABLE {} (id uuid NOT NULL, content text NOT NULL, embedding vector({}) NOT NULL, metadata jsonb NOT NULL)"
    " WITH (toast_tuple_target = 4080)"
)
# FREEZE is allowed because no other transaction sees the table yet; it saves vacuum a later pass.
COPY: Final = sql.SQL("COPY {} (id, content, embedding, metadata) FROM STDIN (FORMAT binary, FREEZE)")
# The planner takes a hash for nearly free, so these settings are needed for it to use several processes.
PARALLEL: Final = "SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL work_mem = '64MB'"
CHECKSUM: Final = sql.SQL(
    "SELECT count(*), encode(sha256(string_agg(digest, '' ORDER BY id)), 'hex')"
    " FROM (SELECT id, {} AS digest FROM {} ORDER BY id) AS digests"
)


def fill_table(connection: psycopg.Connection, embeddings: Embeddings, table: str) -> str:
    """Create the table with all rows and a primary key, without other indexes, and return the checksum of its rows.

    Raises what reading the file does, or DatabaseRefused if the table differs from the file.
    """
    connection.execute(TABLE.format(qualified(table), sql.Literal(embeddings.dimension)))
    expected = _copy(connection, embeddings, table)
    connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (id)").format(qualified(table)))
    connection.execute(PARALLEL)
    rows, actual = connection.execute(CHECKSUM.format(DIGEST, qualified(table))).fetchone() or (0, "")
    if (rows, actual) != (embeddings.rows, expected):
        what = f"expected {embeddings.rows} rows with checksum {expected}, got {rows} with {actual}"
        raise DatabaseRefused(f"{database_address()} {table}", what, "look for triggers, then load again")
    return expected


def _copy(connection: psycopg.Connection, embeddings: Embeddings, table: str) -> str:
    """Copy all rows into the table, and return the checksum of what was sent."""
    digests: dict[bytes, bytes] = {}
    with (
        progress("load", embeddings.rows, "rows") as advance,
        connection.cursor() as cursor,
        cursor.copy(COPY.format(qualified(table))) as copy,
    ):
        copy.write(HEADER)
        for data, row_digests in _prefetched(binary_rows(embeddings)):
            copy.write(data)
            digests |= row_digests
            advance(len(row_digests))
        sent = checksum(digests)  # before COPY ends: afterwards the session would count as idle
        copy.write(TRAILER)
    return sent


def _prefetched(items: Iterator[T]) -> Iterator[T]:
    """Yield the items, computing the next one while the caller handles the last."""
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(next, items, None)
        while (item := future.result()) is not None:
            future = pool.submit(next, items, None)
            yield item

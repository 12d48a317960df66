"""Make the table of a load, fill it by binary COPY, and make sure that it holds what the file does."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

import psycopg
from psycopg import sql
from stage.errors import DatabaseRefused
from stage.progress import progress

from pgloader.catalogue import qualified
from pgloader.connection import place
from pgloader.embeddings import Embeddings
from pgloader.rows import DIGEST, HEADER, TRAILER, binary_rows, checksum

T = TypeVar("T")
# Rows up to half a page stay whole: nothing is compressed on the way in, or put together again on the way out.
TABLE: Final = sql.SQL(
    "CREATE TABLE {} (id uuid NOT NULL, content text NOT NULL, embedding vector({}) NOT NULL, metadata jsonb NOT NULL)"
    " WITH (toast_tuple_target = 4080)"
)
# Nobody sees the table before the transaction ends, so its rows may be frozen at once: vacuum need not do it later.
COPY: Final = sql.SQL("COPY {} (id, content, embedding, metadata) FROM STDIN (FORMAT binary, FREEZE)")
# The digests in a query of their own, which several processes share in: to the planner, a hash costs next to nothing.
SHARED: Final = "SET LOCAL parallel_setup_cost = 0; SET LOCAL parallel_tuple_cost = 0; SET LOCAL work_mem = '64MB'"
CHECKSUM: Final = sql.SQL(
    "SELECT count(*), encode(sha256(string_agg(digest, '' ORDER BY id)), 'hex')"
    " FROM (SELECT id, {} AS digest FROM {} ORDER BY id) AS digests"
)


def fill_table(connection: psycopg.Connection, embeddings: Embeddings, table: str) -> str:
    """Make the table with all rows and their key, without other indexes, and return the checksum of the rows.

    Raises what reading the file does, or DatabaseRefused where the table holds something else.
    """
    connection.execute(TABLE.format(qualified(table), sql.Literal(embeddings.dimension)))
    sent = _copy(connection, embeddings, table)
    connection.execute(sql.SQL("ALTER TABLE {} ADD PRIMARY KEY (id)").format(qualified(table)))
    _check(connection, embeddings, table, sent)
    return sent


def _copy(connection: psycopg.Connection, embeddings: Embeddings, table: str) -> str:
    """Copy all rows, and return the checksum of what was sent."""
    digests: dict[bytes, bytes] = {}
    with (
        progress("load", embeddings.rows, "rows") as advance,
        connection.cursor() as cursor,
        cursor.copy(COPY.format(qualified(table))) as copy,
    ):
        copy.write(HEADER)
        for piece, of_rows in _ahead(binary_rows(embeddings)):
            copy.write(piece)
            digests |= of_rows
            advance(len(of_rows))
        found = checksum(digests)  # here, for a session that is idle too long is ended
        copy.write(TRAILER)
    return found


def _ahead(pieces: Iterator[T]) -> Iterator[T]:
    """Yield the pieces, making the next while the server takes the last."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, pieces, None)
        while (piece := coming.result()) is not None:
            coming = pool.submit(next, pieces, None)
            yield piece


def _check(connection: psycopg.Connection, embeddings: Embeddings, table: str, expected: str) -> None:
    connection.execute(SHARED)
    rows, found = connection.execute(CHECKSUM.format(DIGEST, qualified(table))).fetchone() or (0, "")
    if (rows, found) != (embeddings.rows, expected):
        what = f"holds {rows} rows with checksum {found}, of {embeddings.rows} with {expected}"
        raise DatabaseRefused(f"{place()} {table}", what, "nothing was loaded; look for triggers, then load again")

"""The two indexes of a load, for searches by vector and by words."""

import logging

import psycopg
from psycopg import sql
from stage.errors import VerificationFailed

from pgloader.catalogue import qualified
from pgloader.connection import place

# Of 100 000 chunks it finds as many as pgvector's own m = 16, ef_construction = 64, and it is built in three quarters
# of the time (tests/bench/README.md).
GRAPH = "hnsw (embedding vector_cosine_ops) WITH (m = 12, ef_construction = 48)"
INDEXES = (GRAPH, "gin (to_tsvector('pg_catalog.english', content))")
HNSW = sql.SQL("CREATE INDEX ON {} USING " + GRAPH)
# The very expression of langchain_postgres, which has no column of its own for it.
GIN = sql.SQL("CREATE INDEX ON {} USING gin (to_tsvector('pg_catalog.english', content))")
# Which words are frequent serves, what vectors and texts are does not, and sorting them takes seconds.
ANALYZE = sql.SQL(
    "ALTER TABLE {} ALTER content SET STATISTICS 0, ALTER embedding SET STATISTICS 0, ALTER metadata SET STATISTICS 0;"
    " ANALYZE {}"
)
MEMORY = range(64, 1024 + 1)  # MB that an index may take while it is built
VALID = """
SELECT count(*) FROM pg_index WHERE indisvalid AND indisready AND indrelid = to_regclass(format('public.%%I', %s::text))
"""
log = logging.getLogger(__name__)


def build_indexes(connection: psycopg.Connection, table: str, rows: int, dimension: int) -> None:
    """Build the indexes of a full table, which takes a tenth of the time that growing them with it would.

    The graph is built in memory by two processes, where it has room there: an element takes its vector and about 600
    bytes of neighbours. Where shared memory is too small for that (Docker has 64 MB), by one.
    """
    megabytes = rows * (4 * dimension + 600) * 11 // 10 // 1_000_000
    memory = min(max(megabytes, MEMORY.start), MEMORY.stop - 1)
    connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", [f"{memory}MB"])
    connection.execute("SET LOCAL max_parallel_maintenance_workers = 1")
    try:
        with connection.transaction():  # a savepoint: the rows stay
            connection.execute(HNSW.format(qualified(table)))
    except (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory) as error:
        log.warning("building the index in one process: %s", error.diag.message_primary)
        connection.execute("SET LOCAL max_parallel_maintenance_workers = 0")
        connection.execute(HNSW.format(qualified(table)))
    connection.execute(GIN.format(qualified(table)))
    connection.execute(ANALYZE.format(qualified(table), qualified(table)))


def check_indexes(connection: psycopg.Connection, table: str) -> None:
    """Raise VerificationFailed unless primary key and both indexes are there and valid."""
    wanted = len(INDEXES) + 1
    row = connection.execute(VALID, [table]).fetchone()
    if not row or row[0] < wanted:
        what = f"{row[0] if row else 0} of {wanted} indexes are there and valid"
        raise VerificationFailed(f"{place()} {table}", what, "drop the table, and load it again")

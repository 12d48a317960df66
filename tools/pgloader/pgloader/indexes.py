"""The indexes of a load: HNSW for vector search, GIN for full-text search."""

import logging

import psycopg
from psycopg import sql
from stage.errors import VerificationFailed

from pgloader.connection import database_address
from pgloader.loads import qualified

# At 100 000 chunks the recall is that of pgvector's defaults, m = 16 and ef_construction = 64, and the build takes
# three quarters of the time (tests/bench/README.md).
HNSW_INDEX = "hnsw (embedding vector_cosine_ops) WITH (m = 12, ef_construction = 48)"
# langchain_postgres queries this expression, and has no column for it.
GIN_INDEX = "gin (to_tsvector('pg_catalog.english', content))"
INDEXES = (HNSW_INDEX, GIN_INDEX)
CREATE_HNSW, CREATE_GIN = (sql.SQL("CREATE INDEX ON {} USING " + index) for index in INDEXES)
# Search needs the most common lexemes, which are statistics of the GIN index; those of the columns would take seconds.
ANALYZE = sql.SQL(
    "ALTER TABLE {} ALTER content SET STATISTICS 0, ALTER embedding SET STATISTICS 0, ALTER metadata SET STATISTICS 0;"
    " ANALYZE {}"
)
MIN_BUILD_MEMORY, MAX_BUILD_MEMORY = 64, 1024  # MB
COUNT_VALID = """
SELECT count(*) FROM pg_index WHERE indisvalid AND indisready AND indrelid = to_regclass(format('public.%%I', %s::text))
"""
log = logging.getLogger(__name__)


def build_indexes(connection: psycopg.Connection, table: str, rows: int, dimension: int) -> None:
    """Build the indexes of a full table, in a tenth of the time that inserting into indexed tables takes.

    If there is memory for it, two processes build the graph in memory, where an element takes its vector and about 600
    bytes of neighbours. If shared memory is too small for that (Docker's default is 64 MB), one process builds it.
    """
    megabytes = rows * (4 * dimension + 600) * 11 // 10 // 1_000_000
    memory = min(max(megabytes, MIN_BUILD_MEMORY), MAX_BUILD_MEMORY)
    connection.execute("SELECT set_config('maintenance_work_mem', %s, true)", [f"{memory}MB"])
    connection.execute("SET LOCAL max_parallel_maintenance_workers = 1")
    try:
        with connection.transaction():  # a savepoint, so that the rows survive a failure
            connection.execute(CREATE_HNSW.format(qualified(table)))
    except (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory) as error:
        log.warning("building the index in one process: %s", error.diag.message_primary)
        connection.execute("SET LOCAL max_parallel_maintenance_workers = 0")
        connection.execute(CREATE_HNSW.format(qualified(table)))
    connection.execute(CREATE_GIN.format(qualified(table)))
    connection.execute(ANALYZE.format(qualified(table), qualified(table)))


def check_indexes(connection: psycopg.Connection, table: str) -> None:
    """Raise VerificationFailed unless the primary key and both indexes exist and are valid."""
    expected = len(INDEXES) + 1
    row = connection.execute(COUNT_VALID, [table]).fetchone()
    if not row or row[0] < expected:
        what = f"expected {expected} valid indexes, got {row[0] if row else 0}"
        raise VerificationFailed(f"{database_address()} {table}", what, "drop the table, and load it again")

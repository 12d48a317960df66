"""Find the files that killed PostgreSQL servers have left: tables and indexes of transactions that never ended.

A crash rolls back what was not committed, and forgets the files that it had begun: no catalogue names them, and nothing
removes them (https://www.postgresql.org/docs/current/storage-file-layout.html says how files are called).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from data_registry.stage.errors import DatabaseRefused, DatabaseUnreachable

from registry.services.embedded import administrator, embedded

WAIT = 5  # seconds
# An open transaction's files are in no catalogue that we see, so nothing is said while somebody writes.
BUSY = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
ORPHANS = r"""
    WITH folder AS (SELECT 'base/' || oid AS path FROM pg_database WHERE datname = current_database()),
         file AS (SELECT path || '/' || name AS path, substring(name FROM '^\d+')::oid AS node
                  FROM folder, pg_ls_dir(folder.path) AS name WHERE name ~ '^\d+(_(fsm|vm|init))?(\.\d+)?$')
    SELECT count(DISTINCT node), coalesce(sum((pg_stat_file(path, true)).size), 0)::bigint
    FROM file WHERE pg_filenode_relation(0, node) IS NULL
"""


def orphans(root: Path, env: str) -> str:
    """Return what was found in the database of an environment, in words.

    Raises DatabaseRefused where files are left, or an administrator is not let in, and DatabaseUnreachable.
    """
    with _administrator(root, env) as connection:
        if connection is None:
            return "not looked for: that takes PGVECTOR_ADMIN_USER and its password"
        if connection.execute(BUSY).fetchone()[0]:  # type: ignore[index]  # a count has a row
            return "not looked for: somebody is writing"
        count, size = connection.execute(ORPHANS).fetchone() or (0, 0)
    if not count:
        return "none"
    emptied = "rm -rf .local/postgres" if env == "local" else "docker compose down pgvector, and remove its volume"
    fix = f"where the space is missed: {emptied}, then make load and make switch"
    raise DatabaseRefused("database files", f"{count} of killed loads, {size / 1e6:.1f} MB, that no table has", fix)


@contextmanager
def _administrator(root: Path, env: str) -> Iterator[psycopg.Connection | None]:
    """Yield a connection of the administrator, or None where the environment names none."""
    if env == "local" and "PGVECTOR_HOST" not in os.environ:
        with embedded(root), administrator(root) as connection:
            yield connection
        return
    if not os.environ.get("PGVECTOR_ADMIN_USER"):
        yield None
        return
    try:
        connection = psycopg.connect(
            host=os.environ.get("PGVECTOR_HOST"),
            port=os.environ.get("PGVECTOR_PORT"),
            dbname=os.environ.get("PGVECTOR_DATABASE"),
            user=os.environ["PGVECTOR_ADMIN_USER"],
            password=os.environ.get("PGVECTOR_ADMIN_PASSWORD"),
            connect_timeout=WAIT,
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        what = str(error).strip().splitlines()[0].rpartition("failed: ")[2]
        raise DatabaseUnreachable("database files", what, "correct PGVECTOR_ADMIN_*") from error
    with connection:
        yield connection

"""Check the vector index: that the database answers, and that killed loads have left no files in it.

A crash rolls back what was not committed, but does not remove the files that the transaction had created: no catalog
names them (https://www.postgresql.org/docs/current/storage-file-layout.html explains their names).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from data_registry.stage.errors import DatabaseRefused, DatabaseUnreachable

from registry.services.embedded import administrator, embedded

TIMEOUT = 5  # seconds
# The files of an open transaction are in no catalog that we see, so nothing is reported while another session writes.
WRITERS = "SELECT count(*) FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> pg_backend_pid()"
ORPHANS = r"""
    WITH folder AS (SELECT 'base/' || oid AS path FROM pg_database WHERE datname = current_database()),
         file AS (SELECT path || '/' || name AS path, substring(name FROM '^\d+')::oid AS node
                  FROM folder, pg_ls_dir(folder.path) AS name WHERE name ~ '^\d+(_(fsm|vm|init))?(\.\d+)?$')
    SELECT count(DISTINCT node), coalesce(sum((pg_stat_file(path, true)).size), 0)::bigint
    FROM file WHERE pg_filenode_relation(0, node) IS NULL
"""


def check_database(env: str) -> str:
    """Return the address of the database and its version of pgvector.

    Raises DatabaseUnreachable, or DatabaseRefused where pgvector is not installed.
    """
    host = os.environ.get("PGVECTOR_HOST", "")
    if not host:
        return "embedded, started on demand" if env == "local" else "none: PGVECTOR_HOST is not set"
    port, name = os.environ.get("PGVECTOR_PORT", "5432"), os.environ.get("PGVECTOR_DATABASE", "vectors")
    user, password = os.environ.get("PGVECTOR_USER", "loader"), os.environ.get("PGVECTOR_PASSWORD")
    where, fix = f"{host}:{port}", "docker compose up infra, or correct PGVECTOR_*"
    with _connected("database", f"{where}: ", fix, port=port, dbname=name, user=user, password=password) as connection:
        row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    if not row:
        fix = f"as administrator: CREATE EXTENSION vector in {name}"
        raise DatabaseRefused("database", f"pgvector is not installed in {where}/{name}", fix)
    return f"{where}/{name} as {user}, pgvector {row[0]}"


def check_orphans(root: Path, env: str) -> str:
    """Look for files that no table uses, and return the outcome.

    Raises DatabaseRefused where there are some or the administrator cannot log in, and DatabaseUnreachable.
    """
    with _administrator(root, env) as connection:
        if connection is None:
            return "not checked: PGVECTOR_ADMIN_USER is not set"
        if connection.execute(WRITERS).fetchone()[0]:  # type: ignore[index]  # a count has a row
            return "not checked: another session is writing"
        count, size = connection.execute(ORPHANS).fetchone() or (0, 0)
    if not count:
        return "none"
    emptied = "rm -rf .local/postgres" if env == "local" else "docker compose down pgvector, and remove its volume"
    fix = f"to free the space: {emptied}, then make load and make switch"
    raise DatabaseRefused("database files", f"{count} left by killed loads, {size / 1e6:.1f} MB", fix)


@contextmanager
def _administrator(root: Path, env: str) -> Iterator[psycopg.Connection | None]:
    """Yield a connection of the administrator, or None where the environment names none."""
    if env == "local" and "PGVECTOR_HOST" not in os.environ:
        with embedded(root), administrator(root) as connection:
            yield connection
    elif not os.environ.get("PGVECTOR_ADMIN_USER"):
        yield None
    else:
        names = {"port": "PORT", "dbname": "DATABASE", "user": "ADMIN_USER", "password": "ADMIN_PASSWORD"}
        settings = {key: os.environ.get(f"PGVECTOR_{name}") for key, name in names.items()}
        with _connected("database files", "", "correct PGVECTOR_ADMIN_*", **settings) as connection:
            yield connection


@contextmanager
def _connected(where: str, prefix: str, fix: str, **settings: str | None) -> Iterator[psycopg.Connection]:
    """Connect to PGVECTOR_HOST. Raises DatabaseUnreachable with the first line of the server's message."""
    host = os.environ.get("PGVECTOR_HOST")
    try:
        connection = psycopg.connect(host=host, connect_timeout=TIMEOUT, autocommit=True, **settings)  # type: ignore[arg-type]
    except psycopg.OperationalError as error:
        message = str(error).strip().splitlines()[0].rpartition("failed: ")[2]
        raise DatabaseUnreachable(where, prefix + message, fix) from error
    with connection:
        yield connection

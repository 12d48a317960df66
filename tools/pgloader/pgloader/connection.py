"""Connections to the database of the index, and transactions that are done whole or not at all.

Nothing outlives a transaction, neither settings nor locks nor prepared statements: a pooler may stand between.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo
from stage.errors import DatabaseRefused, DatabaseUnreachable, UsageError

from pgloader.refusals import SETUP, OutcomeUnknown, refused_connection, refused_statement

OLDEST = (0, 5, 0)  # of pgvector: the first with HNSW
VARIABLES = ("PGVECTOR_HOST", "PGVECTOR_DATABASE", "PGVECTOR_USER", "PGVECTOR_PASSWORD")
PATIENCE = 10  # seconds until a server must answer
# Else a server would not notice while it builds an index, or behind a line that was cut, that we are gone, and hold our
# locks for minutes.
NOTICING = """
SELECT set_config('client_connection_check_interval', '1s', true),
       set_config('idle_in_transaction_session_timeout', '30s', true)
"""


@contextmanager
def transaction(purpose: str, read_only: bool = False) -> Iterator[psycopg.Connection]:
    """Connect, commit what the body does, and close; whatever ends the body early, SIGTERM too, leaves all as it was.

    ``purpose`` is what other sessions see of this one. Raises DatabaseUnreachable (OutcomeUnknown where it may have
    been committed), DatabaseRefused or LockHeld.
    """
    connection = _connect(purpose)
    where, user = place(), connection.info.user
    try:
        try:
            connection.read_only = read_only or None
            connection.execute(NOTICING)
            _check(connection)
            yield connection
            _commit(connection, where, user)
        finally:
            connection.close()  # uncommitted, if the body ended early: the server rolls it back
    except psycopg.Error as error:
        raise refused_statement(error, where, user) from error


def place() -> str:
    """Return where the database is, for messages."""
    port = os.environ.get("PGVECTOR_PORT", "5432")
    return f"{os.environ.get('PGVECTOR_HOST')}:{port}/{os.environ.get('PGVECTOR_DATABASE')}"


def act_as_owner(connection: psycopg.Connection) -> None:
    """Be the role that tables belong to until the transaction ends."""
    connection.execute("SET LOCAL ROLE owner")


def _connect(purpose: str) -> psycopg.Connection:
    if missing := [name for name in VARIABLES if not os.environ.get(name)]:
        fix = "set it; with ENV=local, make targets and registry with-services do"
        raise UsageError(missing[0], "is not set", fix)
    database, user = os.environ["PGVECTOR_DATABASE"], os.environ["PGVECTOR_USER"]
    address = make_conninfo(
        host=os.environ["PGVECTOR_HOST"],
        port=os.environ.get("PGVECTOR_PORT", "5432"),
        dbname=database,
        user=user,
        password=os.environ["PGVECTOR_PASSWORD"],
        connect_timeout=PATIENCE,
        client_encoding="utf8",
        application_name=f"pgloader {purpose}, {socket.gethostname():.30} pid {os.getpid()}",
    )
    try:
        return psycopg.connect(address, prepare_threshold=None)
    except psycopg.OperationalError as error:
        raise refused_connection(error, place(), user, database) from error


def _check(connection: psycopg.Connection) -> None:
    row = connection.execute(
        "SELECT pg_is_in_recovery(), current_setting('server_encoding'),"
        " vector.extversion, quote_ident(vector.schema), vector.may_use,"
        " (SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = 'owner'),"
        " to_regclass('public.registry_loads') IS NOT NULL"
        " FROM (SELECT 1) AS database LEFT JOIN ("
        "SELECT extversion, nspname AS schema, has_schema_privilege(pg_namespace.oid, 'USAGE') AS may_use"
        " FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace WHERE extname = 'vector'"
        ") AS vector ON true"
    ).fetchone()
    standby, encoding, vector, schema, may_use, owner, tables = row or ()
    if standby:
        raise DatabaseUnreachable(place(), "is a standby, which can only be read", "set PGVECTOR_HOST to the primary")
    if encoding != "UTF8":
        raise DatabaseRefused(place(), f"its encoding is {encoding}", "createdb -T template0 -E UTF8")
    if vector is None:
        raise DatabaseRefused(place(), "has no pgvector", "CREATE EXTENSION vector; as an administrator, and " + SETUP)
    if tuple(int(part) for part in vector.split(".")) < OLDEST:
        fix = "install pgvector 0.8 on the server, then ALTER EXTENSION vector UPDATE; as an administrator"
        raise DatabaseRefused(place(), f"pgvector {vector} has no HNSW index", fix)
    if owner is None:
        raise DatabaseRefused(place(), "has no role owner", SETUP)
    if not owner:
        user = connection.info.user
        raise DatabaseRefused(place(), f"{user} may not act as owner", f"GRANT owner TO {user};")
    if not tables:
        raise DatabaseRefused(place(), "has no table registry_loads", SETUP)
    if not may_use:
        user = connection.info.user
        fix = f"GRANT USAGE ON SCHEMA {schema} TO {user}, owner, reader; as an administrator"
        raise DatabaseRefused(place(), f"{user} may not use the schema {schema}, which has pgvector", fix)
    # Its type and operators are looked up by name, and roles need not have its schema in their search_path.
    connection.execute(
        "SELECT set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), %s::text), true)",
        [schema],
    )


def _commit(connection: psycopg.Connection, where: str, user: str) -> None:
    try:
        connection.commit()
    except psycopg.Error as error:
        refused = refused_statement(error, where, user)
        if isinstance(refused, DatabaseUnreachable):
            raise OutcomeUnknown(where, refused.what, refused.fix) from error
        raise refused from error

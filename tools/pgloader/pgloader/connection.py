"""Connections to the vector database, transactions, and advisory locks.

Settings, locks and prepared statements end with the transaction, so that a pooler in transaction mode can be used.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import make_conninfo
from stage.errors import DatabaseRefused, DatabaseUnreachable, LockHeld, UsageError

from pgloader.database_errors import SETUP, OutcomeUnknown, connection_error, statement_error

MIN_PGVECTOR = (0, 5, 0)  # the first with HNSW
VARIABLES = ("PGVECTOR_HOST", "PGVECTOR_DATABASE", "PGVECTOR_USER", "PGVECTOR_PASSWORD")
CONNECT_TIMEOUT = 10  # seconds
# Without these, a server that builds an index, or whose connection was cut, would hold our locks for minutes.
DETECT_DISCONNECT = """
SELECT set_config('client_connection_check_interval', '1s', true),
       set_config('idle_in_transaction_session_timeout', '30s', true)
"""
# There is nothing to do after another process's load or switch, so a lock is tried and never waited for.
TRY_LOCK = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 0))"
LOCK_HOLDER = """
SELECT activity.pid, activity.application_name, date_trunc('second', activity.xact_start)::text
FROM pg_locks AS locks LEFT JOIN pg_stat_activity AS activity ON activity.pid = locks.pid
WHERE locks.locktype = 'advisory' AND locks.objsubid = 1 AND locks.granted
  AND locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (locks.classid::bigint << 32 | locks.objid::bigint) = hashtextextended(%s, 0)
"""


@contextmanager
def transaction(purpose: str, read_only: bool = False) -> Iterator[psycopg.Connection]:
    """Connect, commit after the body, and close; if the body raises (SIGTERM included), the server rolls back.

    ``purpose`` becomes part of the application name. Raises DatabaseUnreachable (OutcomeUnknown if the commit may have
    been done), DatabaseRefused or LockHeld.
    """
    connection = _connect(purpose)
    address, user = database_address(), connection.info.user
    try:
        try:
            connection.read_only = read_only or None
            connection.execute(DETECT_DISCONNECT)
            _check_database(connection)
            yield connection
            _commit(connection, address, user)
        finally:
            connection.close()  # if uncommitted, the server rolls back
    except psycopg.Error as error:
        raise statement_error(error, address, user) from error


def database_address() -> str:
    """Return host:port/database, for messages."""
    port = os.environ.get("PGVECTOR_PORT", "5432")
    return f"{os.environ.get('PGVECTOR_HOST')}:{port}/{os.environ.get('PGVECTOR_DATABASE')}"


def act_as_owner(connection: psycopg.Connection) -> None:
    """Set the role that owns the tables, until the transaction ends."""
    connection.execute("SET LOCAL ROLE owner")


def take_lock(connection: psycopg.Connection, action: str, relation: str) -> None:
    """Take the advisory lock of an action on a relation until the transaction ends, or raise LockHeld."""
    name = f"pgloader {action} public.{relation}"
    row = connection.execute(TRY_LOCK, [name]).fetchone()
    if row and row[0]:
        return
    holder = connection.execute(LOCK_HOLDER, [name]).fetchone()
    session = f"server process {holder[0]} ({holder[1]}) since {holder[2]}" if holder else "a session that just ended"
    what = f"another {action} is running: {session}"
    raise LockHeld(f"{database_address()} {relation}", what, "run it again when that one has ended")


def _connect(purpose: str) -> psycopg.Connection:
    if missing := [name for name in VARIABLES if not os.environ.get(name)]:
        fix = "set it; with ENV=local, make targets and registry with-services do"
        raise UsageError(missing[0], "is not set", fix)
    database, user = os.environ["PGVECTOR_DATABASE"], os.environ["PGVECTOR_USER"]
    conninfo = make_conninfo(
        host=os.environ["PGVECTOR_HOST"],
        port=os.environ.get("PGVECTOR_PORT", "5432"),
        dbname=database,
        user=user,
        password=os.environ["PGVECTOR_PASSWORD"],
        connect_timeout=CONNECT_TIMEOUT,
        client_encoding="utf8",
        application_name=f"pgloader {purpose}, {socket.gethostname():.30} pid {os.getpid()}",
    )
    try:
        return psycopg.connect(conninfo, prepare_threshold=None)
    except psycopg.OperationalError as error:
        raise connection_error(error, database_address(), user, database) from error


def _check_database(connection: psycopg.Connection) -> None:
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
    is_standby, encoding, pgvector, schema, may_use, is_owner, has_tables = row or ()
    address, user = database_address(), connection.info.user
    if is_standby:
        raise DatabaseUnreachable(address, "is a read-only standby", "set PGVECTOR_HOST to the primary")
    if encoding != "UTF8":
        raise DatabaseRefused(address, f"unsupported encoding {encoding}", "createdb -T template0 -E UTF8")
    if pgvector is None:
        fix = "CREATE EXTENSION vector; as an administrator, and " + SETUP
        raise DatabaseRefused(address, "extension pgvector is not installed", fix)
    if version_numbers(pgvector) < MIN_PGVECTOR:
        fix = "install pgvector 0.8 on the server, then ALTER EXTENSION vector UPDATE; as an administrator"
        raise DatabaseRefused(address, f"pgvector {pgvector} does not support HNSW indexes", fix)
    if is_owner is None:
        raise DatabaseRefused(address, "role owner not found", SETUP)
    if not is_owner:
        raise DatabaseRefused(address, f"{user} is not a member of role owner", f"GRANT owner TO {user};")
    if not has_tables:
        raise DatabaseRefused(address, "table registry_loads not found", SETUP)
    if not may_use:
        fix = f"GRANT USAGE ON SCHEMA {schema} TO {user}, owner, reader; as an administrator"
        raise DatabaseRefused(address, f"{user} has no USAGE on schema {schema}, which contains pgvector", fix)
    # pgvector's type and operators are looked up by name, and its schema need not be in the role's search_path.
    connection.execute(
        "SELECT set_config('search_path', concat_ws(', ', nullif(current_setting('search_path'), ''), %s::text), true)",
        [schema],
    )


def version_numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a dotted version."""
    return tuple(int(part) for part in version.split("."))


def _commit(connection: psycopg.Connection, address: str, user: str) -> None:
    try:
        connection.commit()
    except psycopg.Error as error:
        stage_error = statement_error(error, address, user)
        if isinstance(stage_error, DatabaseUnreachable):
            raise OutcomeUnknown(address, stage_error.what, stage_error.fix) from error
        raise stage_error from error

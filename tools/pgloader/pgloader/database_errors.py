"""Translate errors of PostgreSQL into stage errors: what to run, or whether to try again."""

import re
from typing import Final

import psycopg
from stage.errors import DatabaseRefused, DatabaseUnreachable, LockHeld, OutOfMemory, StageError

SETUP: Final = "run compose/init/vectors.sql as an administrator of the database"
CHECK_ADDRESS: Final = "check PGVECTOR_HOST and PGVECTOR_PORT, and that the server is running, then run again"
RETRY: Final = "run it again when the server is available"


class OutcomeUnknown(DatabaseUnreachable):
    """COMMIT was sent and no reply came, so it may or may not have been done."""


# Messages while a connection is made; libpq does not pass on their SQLSTATE.
CONNECTION_ERRORS: Final = [
    (r"password authentication failed|no password supplied", "set PGVECTOR_PASSWORD to the password of {user}"),
    (r'database ".*" does not exist', "createdb {database}, then " + SETUP),
    (r'role ".*" does not exist', "create the role {user}, or correct PGVECTOR_USER; then " + SETUP),
    (r"no pg_hba.conf entry", "add an entry for {user} to pg_hba.conf on the server, or set PGSSLMODE=require"),
    (r"permission denied for database", "GRANT CONNECT ON DATABASE {database} TO {user};"),
    (r"is not permitted to log in", "ALTER ROLE {user} LOGIN;"),
    (r"invalid sslmode|certificate|SSL", "check PGSSLMODE and PGSSLROOTCERT"),
]
# The first prefix of the SQLSTATE that matches. https://www.postgresql.org/docs/current/errcodes-appendix.html
STATEMENT_ERRORS: Final[dict[str, tuple[type[StageError], str]]] = {
    "55P03": (LockHeld, "run it again when the transaction that holds the lock has ended"),
    "40": (LockHeld, "run it again"),
    "53100": (DatabaseRefused, "free some disk space on the server, then run again"),
    "53200": (OutOfMemory, "give the server more memory, then run again"),
    "53300": (DatabaseUnreachable, "run it again, or raise max_connections"),
    "57014": (DatabaseUnreachable, "run it again, or raise statement_timeout for this role"),
    "57P": (DatabaseUnreachable, RETRY),
    "08": (DatabaseUnreachable, RETRY),
    "25P03": (DatabaseUnreachable, "run it again, or raise idle_in_transaction_session_timeout for this role"),
    "25006": (DatabaseRefused, "ALTER ROLE {user} RESET default_transaction_read_only;"),
    "42501": (DatabaseRefused, SETUP),
    "42P01": (DatabaseRefused, SETUP),
    "2BP01": (DatabaseRefused, "drop or change the dependent objects first; pgloader never drops them"),
}
NOT_OWNED: Final = re.compile(r"^(?:must be owner of|permission denied for) (?:table|view) (?!registry_)(\S+)")


def connection_error(error: psycopg.OperationalError, address: str, user: str, database: str) -> StageError:
    """Return the stage error for a connection that failed."""
    message = " ".join(str(error).removeprefix("connection failed: ").split())
    for pattern, fix in CONNECTION_ERRORS:
        if re.search(pattern, message):
            return DatabaseRefused(address, message, fix.format(user=user, database=database))
    return DatabaseUnreachable(address, message, RETRY if "starting up" in message else CHECK_ADDRESS)


def statement_error(error: psycopg.Error, address: str, user: str) -> StageError:
    """Return the stage error for a statement that failed."""
    message = (error.diag.message_primary or str(error)).strip().partition("\n")[0] or "the connection was lost"
    if error.diag.message_detail:
        message = f"{message} ({error.diag.message_detail})"
    if not error.sqlstate and isinstance(error, psycopg.OperationalError):
        return DatabaseUnreachable(address, message, RETRY)
    if match := NOT_OWNED.search(message):
        fix = f"ALTER TABLE public.{match[1]} OWNER TO owner; as its owner, or rename it"
        return DatabaseRefused(address, message, fix)
    for state, (kind, fix) in STATEMENT_ERRORS.items():
        if (error.sqlstate or "").startswith(state):
            return kind(address, message, fix.format(user=user))
    return DatabaseRefused(address, f"{message} (SQLSTATE {error.sqlstate})", "see the server's log, and pgloader -v")

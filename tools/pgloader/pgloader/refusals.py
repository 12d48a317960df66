"""What PostgreSQL refuses, as stage errors: what to run, or whether to try again."""

import re
from typing import Final

import psycopg
from stage.errors import DatabaseRefused, DatabaseUnreachable, LockHeld, OutOfMemory, StageError

SETUP: Final = "run compose/init/vectors.sql as an administrator of the database"
CHECK: Final = "check PGVECTOR_HOST and PGVECTOR_PORT, and that the server runs, then run again"
AGAIN: Final = "run it again once the server answers"


class OutcomeUnknown(DatabaseUnreachable):
    """COMMIT was sent, and no answer came: it was done, or it was not."""


# What the server says while a connection is made; libpq passes on no code for it.
CONNECTING: Final = [
    (r"password authentication failed|no password supplied", "set PGVECTOR_PASSWORD to the password of {user}"),
    (r'database ".*" does not exist', "createdb {database}, then " + SETUP),
    (r'role ".*" does not exist', "create the role {user}, or correct PGVECTOR_USER; then " + SETUP),
    (r"no pg_hba.conf entry", "let {user} in by pg_hba.conf on the server, or set PGSSLMODE=require"),
    (r"permission denied for database", "GRANT CONNECT ON DATABASE {database} TO {user};"),
    (r"is not permitted to log in", "ALTER ROLE {user} LOGIN;"),
    (r"invalid sslmode|certificate|SSL", "check PGSSLMODE and PGSSLROOTCERT"),
]
# By SQLSTATE, longest first: its class and how to mend it. https://www.postgresql.org/docs/current/errcodes-appendix.html
STATES: Final[dict[str, tuple[type[StageError], str]]] = {
    "55P03": (LockHeld, "run it again once the transaction that holds it has ended"),
    "40": (LockHeld, "run it again"),
    "53100": (DatabaseRefused, "free some disk space on the server, then run again"),
    "53200": (OutOfMemory, "give the server more memory, then run again"),
    "53300": (DatabaseUnreachable, "run it again, or raise max_connections"),
    "57014": (DatabaseUnreachable, "run it again, or raise statement_timeout for this role"),
    "57P": (DatabaseUnreachable, AGAIN),
    "08": (DatabaseUnreachable, AGAIN),
    "25P03": (DatabaseUnreachable, "run it again, or raise idle_in_transaction_session_timeout for this role"),
    "25006": (DatabaseRefused, "ALTER ROLE {user} RESET default_transaction_read_only;"),
    "42501": (DatabaseRefused, SETUP),
    "42P01": (DatabaseRefused, SETUP),
    "2BP01": (DatabaseRefused, "drop or change what depends on it first: nothing is dropped with it unasked"),
}
FOREIGN: Final = re.compile(r"^(?:must be owner of|permission denied for) (?:table|view) (?!registry_)(\S+)")


def refused_connection(error: psycopg.OperationalError, where: str, user: str, database: str) -> StageError:
    """Return what it means that no connection could be made."""
    said = " ".join(str(error).removeprefix("connection failed: ").split())
    for pattern, cure in CONNECTING:
        if re.search(pattern, said):
            return DatabaseRefused(where, said, cure.format(user=user, database=database))
    return DatabaseUnreachable(where, said, AGAIN if "starting up" in said else CHECK)


def refused_statement(error: psycopg.Error, where: str, user: str) -> StageError:
    """Return what it means that a statement failed."""
    said = (error.diag.message_primary or str(error)).strip().partition("\n")[0] or "the connection is gone"
    if error.diag.message_detail:
        said = f"{said} ({error.diag.message_detail})"
    if not error.sqlstate and isinstance(error, psycopg.OperationalError):
        return DatabaseUnreachable(where, said, AGAIN)
    if named := FOREIGN.search(said):
        return DatabaseRefused(where, said, f"ALTER TABLE public.{named[1]} OWNER TO owner; as its owner, or rename it")
    for state, (kind, cure) in STATES.items():
        if (error.sqlstate or "").startswith(state):
            return kind(where, said, cure.format(user=user))
    return DatabaseRefused(where, f"{said} (SQLSTATE {error.sqlstate})", "see the server's log, and pgloader -v")

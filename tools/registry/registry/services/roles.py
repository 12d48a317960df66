"""Database, extension and roles of the vector index, as compose/init creates them for the Compose stack."""

from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
from psycopg import sql

SCRIPT = Path(__file__).resolve().parents[4] / "compose" / "init" / "vectors.sql"


def set_up(connected: Callable[[str], psycopg.Connection], database: str, passwords: Mapping[str, str]) -> None:
    """Create the database and its roles with the privileges that they need, where they are missing.

    ``connected`` opens a database as administrator.
    """
    with connected("postgres") as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    with connected(database) as connection:
        for role in ("owner", "loader", "reader"):
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                rights = "CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS"
                connection.execute(sql.SQL(rights).format(sql.Identifier(role)))
            if role in passwords:  # hashed here, so that it cannot be in a log of the server
                verifier = connection.pgconn.encrypt_password(passwords[role].encode(), role.encode()).decode()
                login = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")
                connection.execute(login.format(sql.Identifier(role), sql.Literal(verifier)))
        for name in ("postgres", "template1", database):
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name)))
        grant = sql.SQL("GRANT CONNECT ON DATABASE {} TO owner, loader, reader")
        connection.execute(grant.format(sql.Identifier(database)))
        connection.execute(SCRIPT.read_bytes())

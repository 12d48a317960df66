"""Look whether MLflow and the vector index answer, where the environment names them."""

import os
import urllib.error
import urllib.request

from data_registry.stage.errors import DatabaseRefused, DatabaseUnreachable, NetworkFailed
from data_registry.stage.redaction import safe_url

WAIT = 5  # seconds
UP = "docker compose up infra, or correct {variable}"


def mlflow(env: str) -> str:
    """Return the address of MLflow, once it has answered. Raises NetworkFailed."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri.startswith(("http://", "https://")):
        return "a SQLite file in .local/, made at first use" if env == "local" and not uri else safe_url(uri)
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=WAIT):  # noqa: S310 (checked above)
            return safe_url(uri)
    except (urllib.error.URLError, OSError) as error:
        what = f"{safe_url(uri)} does not answer ({getattr(error, 'reason', error)})"
        raise NetworkFailed("mlflow", what, UP.format(variable="MLFLOW_TRACKING_URI")) from error


def database(env: str) -> str:
    """Return where the vector index is, once it has answered. Raises DatabaseUnreachable or DatabaseRefused."""
    host = os.environ.get("PGVECTOR_HOST", "")
    if not host:
        return "embedded, started where a command needs it" if env == "local" else "none: PGVECTOR_HOST is not set"
    import psycopg  # lazy: not every run of doctor needs it

    port, name = os.environ.get("PGVECTOR_PORT", "5432"), os.environ.get("PGVECTOR_DATABASE", "vectors")
    user = os.environ.get("PGVECTOR_USER", "loader")
    try:
        with psycopg.connect(
            host=host,
            port=port,
            dbname=name,
            user=user,
            password=os.environ.get("PGVECTOR_PASSWORD"),
            connect_timeout=WAIT,
        ) as connection:
            found = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
    except psycopg.OperationalError as error:
        what = f"{host}:{port}: {str(error).strip().splitlines()[0].rpartition('failed: ')[2]}"
        raise DatabaseUnreachable("database", what, UP.format(variable="PGVECTOR_*")) from error
    if not found:
        fix = f"as administrator: CREATE EXTENSION vector in {name}"
        raise DatabaseRefused("database", f"{host}:{port}/{name} has no pgvector", fix)
    return f"{host}:{port}/{name} as {user}, pgvector {found[0]}"

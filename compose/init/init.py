"""Set up the Compose stack: buckets, databases, roles, prompts. Run again, it changes nothing that is right."""

import logging
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

import minio
import psycopg
import tenacity
import urllib3
from minio.commonconfig import ENABLED
from minio.versioningconfig import VersioningConfig
from psycopg import sql

BUCKETS = ("dvcstore", "mlflow")
VECTORS = Path(__file__).with_name("vectors.sql")
PATIENCE = 50  # seconds until a service must answer

ADDRESSES = """\
Everything is up, on this machine alone (credentials: .env.docker).

  object storage   http://localhost:{MINIO_PORT}   console http://localhost:{MINIO_CONSOLE_PORT}
  vector index     localhost:{PGVECTOR_PORT}          databases vectors and mlflow
  MLflow           http://localhost:{MLFLOW_PORT}

Next:
  ENV=docker make dataset DS=wine-quality    build a dataset
  ENV=docker make push DS=wine-quality       store its data
  docker compose down                        stop; the data stays (down -v deletes it)"""

log = logging.getLogger("init")
# Of urllib3, too: what minio cannot connect to is no MinioException.
EXPECTED = (psycopg.Error, OSError, minio.error.MinioException, urllib3.exceptions.HTTPError)
PASSING = (psycopg.OperationalError, *EXPECTED[1:])
patiently = tenacity.retry(
    stop=tenacity.stop_after_delay(PATIENCE),
    wait=tenacity.wait_fixed(0.5),
    retry=tenacity.retry_if_exception_type(PASSING),
    reraise=True,
)


@patiently
def make_buckets() -> None:
    """Make the buckets, versioned, so that what a release points to cannot be overwritten."""
    endpoint = urlsplit(os.environ["AWS_ENDPOINT_URL"])
    client = minio.Minio(
        endpoint=endpoint.netloc,
        access_key=os.environ["AWS_ACCESS_KEY_ID"],
        secret_key=os.environ["AWS_SECRET_ACCESS_KEY"],
        secure=endpoint.scheme == "https",
    )
    for name in BUCKETS:
        if not client.bucket_exists(bucket_name=name):
            client.make_bucket(bucket_name=name)
            log.info("bucket %s made", name)
        if client.get_bucket_versioning(bucket_name=name).status != ENABLED:
            client.set_bucket_versioning(bucket_name=name, config=VersioningConfig(ENABLED))


@patiently
def make_roles() -> None:
    """Make databases and roles, each role with no more than its work needs."""
    vectors = os.environ["PGVECTOR_DATABASE"]
    roles = {
        "loader": os.environ["PGVECTOR_PASSWORD"],
        "reader": os.environ["PGVECTOR_READER_PASSWORD"],
        "mlflow": os.environ["MLFLOW_DB_PASSWORD"],
    }
    with _connected(vectors) as connection:
        for role, password in roles.items():
            _make_role(connection, role, password)
        _make_role(connection, "owner", None)
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'mlflow'").fetchone():
            connection.execute("CREATE DATABASE mlflow OWNER mlflow")
        for (name,) in connection.execute("SELECT datname FROM pg_database WHERE datallowconn").fetchall():
            _run(connection, "REVOKE ALL ON DATABASE {} FROM PUBLIC", name)
        _run(connection, "GRANT CONNECT ON DATABASE {} TO owner, loader, reader", vectors)
        _run(connection, "GRANT ALL ON DATABASE {} TO mlflow", "mlflow")
        connection.execute(VECTORS.read_bytes())


def _make_role(connection: psycopg.Connection, role: str, password: str | None) -> None:
    if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
        _run(connection, "CREATE ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS", role)
        log.info("role %s made", role)
    if password:
        statement = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
        connection.execute(statement)


def _run(connection: psycopg.Connection, statement: str, name: str) -> None:
    connection.execute(sql.SQL(statement).format(sql.Identifier(name)))


def _connected(database: str) -> psycopg.Connection:
    return psycopg.connect(
        host=os.environ["PGVECTOR_HOST"],
        port=os.environ["PGVECTOR_PORT"],
        dbname=database,
        user=os.environ["PGVECTOR_ADMIN_USER"],
        password=os.environ["PGVECTOR_ADMIN_PASSWORD"],
        connect_timeout=3,
        autocommit=True,
    )


def register_prompts() -> None:
    """Register the prompts of the datasets in ``/data``, and end as make prompts does."""
    from data_registry.stage.errors import StageError, translated
    from registry.services.prompts import register

    uri = os.environ["MLFLOW_TRACKING_URI"]
    try:
        for prompt in register(Path("/"), uri):
            count = prompt.versions
            log.info("%s: %d of %d versions in %s, %d registered", prompt.name, count, count, uri, prompt.new)
    except (StageError, OSError) as error:
        failure = error if isinstance(error, StageError) else translated(error)
        if not failure:
            raise
        log.error("error: %s", failure)
        sys.exit(failure.code)


def main() -> None:
    """Set the services up (``setup``), register the prompts (``prompts``), or say where all is (``addresses``)."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.INFO)
    logging.getLogger("urllib3").setLevel(logging.ERROR)  # its retries are ours to tell of
    if sys.argv[1:] == ["addresses"]:
        sys.stdout.write(ADDRESSES.format_map(os.environ) + "\n")
        return
    if sys.argv[1:] == ["prompts"]:
        register_prompts()
        return
    for step in (make_buckets, make_roles):
        try:
            step()
        except EXPECTED as error:
            sys.exit(f"error: {step.__name__}: {error}; fix: docker compose logs minio pgvector".replace("\n", " "))


if __name__ == "__main__":
    main()

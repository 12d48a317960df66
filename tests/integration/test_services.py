"""What MinIO, PostgreSQL and MLflow give to whom, once docker compose up infra is done."""

import io
import json
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

import pytest
from integration.stack import Stack
from minio import Minio
from minio.error import S3Error

pytestmark = [pytest.mark.extended, pytest.mark.docker]


def request(url: str, data: object = None, method: str | None = None, **headers: str) -> tuple[int, bytes]:
    """Send a request as curl would, and return status and body."""
    body = data if isinstance(data, bytes) or data is None else json.dumps(data).encode()
    given = {"Content-Type": "application/json"} if body and not isinstance(data, bytes) else {}
    asked = urllib.request.Request(url, data=body, method=method, headers={**given, **headers})
    try:
        with urllib.request.urlopen(asked, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def mlflow(stack: Stack, call: str, data: object = None, **headers: str) -> dict[str, Any]:
    status, body = request(f"{stack.mlflow}/api/2.0/mlflow/{call}", data, **headers)
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


# Object storage


@pytest.mark.parametrize("bucket", ["dvcstore", "mlflow"])
def test_bucket_is_versioned(stack: Stack, bucket: str) -> None:
    assert stack.store.get_bucket_versioning(bucket_name=bucket).status == "Enabled"


@pytest.mark.parametrize("path", ["dvcstore", "dvcstore/any", "mlflow", ""])
def test_anonymous_requests_are_refused(stack: Stack, path: str) -> None:
    assert request(f"{stack.environ['AWS_ENDPOINT_URL']}/{path}")[0] == 403


@pytest.mark.parametrize("user", ["minioadmin", "data-registry"])
def test_passwords_that_everybody_knows_are_refused(stack: Stack, user: str) -> None:
    endpoint = f"localhost:{stack.environ['MINIO_PORT']}"
    client = Minio(endpoint=endpoint, access_key=user, secret_key="minioadmin", secure=False)
    with pytest.raises(S3Error) as refused:
        list(client.list_buckets())
    assert refused.value.code in {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied"}


def test_what_was_overwritten_can_be_had_back(stack: Stack) -> None:
    name = f"test/{uuid.uuid4()}"
    first = stack.store.put_object(bucket_name="dvcstore", object_name=name, data=io.BytesIO(b"first"), length=5)
    stack.store.put_object(bucket_name="dvcstore", object_name=name, data=io.BytesIO(b"other"), length=5)
    stack.store.remove_object(bucket_name="dvcstore", object_name=name)
    kept = stack.store.get_object(bucket_name="dvcstore", object_name=name, version_id=first.version_id)
    assert kept.read() == b"first"


# PostgreSQL

ROLES = ("owner", "loader", "reader", "mlflow")


def test_no_role_has_more_than_its_work_needs(stack: Stack) -> None:
    flags = "rolname, rolsuper, rolcreaterole, rolcreatedb, rolbypassrls, rolreplication, rolcanlogin"
    names = ", ".join(f"'{role}'" for role in ROLES)
    found = stack.sql(f"SELECT {flags} FROM pg_roles WHERE rolname IN ({names}) ORDER BY rolname", "admin").stdout
    assert found.splitlines() == [
        "loader|f|f|f|f|f|t",
        "mlflow|f|f|f|f|f|t",
        "owner|f|f|f|f|f|f",
        "reader|f|f|f|f|f|t",
    ]


@pytest.mark.parametrize("role", ["loader", "reader", "mlflow", "admin"])
def test_password_is_needed_and_checked(stack: Stack, role: str) -> None:
    database = "mlflow" if role == "mlflow" else ""
    assert stack.sql("SELECT current_user", role, database).stdout == f"{role}\n"
    assert "password authentication failed" in stack.sql("SELECT 1", role, database, password="wrong").stderr
    assert "no password supplied" in stack.sql("SELECT 1", role, database, password="").stderr
    stored = stack.sql(f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role}'", "admin").stdout
    assert stored.startswith("SCRAM-SHA-256$")


@pytest.mark.parametrize("role", ["loader", "reader"])
@pytest.mark.parametrize("database", ["mlflow", "postgres", "template1"])
def test_other_databases_are_closed(stack: Stack, role: str, database: str) -> None:
    refused = stack.sql("SELECT 1", role, database)
    assert refused.returncode and f'permission denied for database "{database}"' in refused.stderr


def test_mlflow_does_not_see_the_vectors(stack: Stack) -> None:
    assert 'permission denied for database "vectors"' in stack.sql("SELECT 1", "mlflow", "vectors").stderr


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        ("CREATE ROLE more", "permission denied to create role"),
        ("CREATE DATABASE more", "permission denied to create database"),
        ("CREATE EXTENSION hstore", "permission denied to create extension"),
        ("CREATE SCHEMA more", "permission denied for database"),
        ("COPY (SELECT 1) TO PROGRAM 'cat'", "permission denied to COPY to or from an external program"),
        ("SELECT pg_read_file('/etc/passwd')", "permission denied for function pg_read_file"),
        ("ALTER ROLE loader SUPERUSER", "permission denied to alter role"),
    ],
)
def test_loader_is_no_administrator(stack: Stack, statement: str, refusal: str) -> None:
    refused = stack.sql(statement, "loader")
    assert refused.returncode and refusal in refused.stderr


@pytest.mark.parametrize("actor", ["SET ROLE owner", "SET ROLE NONE"])
def test_loader_makes_tables_and_reader_only_reads_them(stack: Stack, actor: str) -> None:
    table = f"t_{uuid.uuid4().hex}"
    made = stack.sql(f"{actor}; CREATE TABLE {table} (i int); INSERT INTO {table} VALUES (42)", "loader")
    assert made.returncode == 0, made.stderr
    assert stack.sql(f"SELECT i FROM {table}", "reader").stdout == "42\n"
    writable = "SET default_transaction_read_only = off"
    for statement in (
        f"INSERT INTO {table} VALUES (1)",
        f"UPDATE {table} SET i = 1",
        f"DELETE FROM {table}",
        f"TRUNCATE {table}",
        f"DROP TABLE {table}",
        f"CREATE TABLE {table}x (i int)",
        "SET ROLE owner",
        "CREATE TEMP TABLE x (i int)",
    ):
        assert stack.sql(statement, "reader").returncode, statement
        refused = stack.sql(f"{writable}; {statement}", "reader")
        assert refused.returncode and ("permission denied" in refused.stderr or "must be owner" in refused.stderr)
    assert stack.sql(f"SELECT i FROM {table}", "reader").stdout == "42\n"
    assert stack.sql(f"DROP TABLE {table}", "loader").returncode == 0


def test_vectors_are_found_through_an_index(stack: Stack) -> None:
    found = stack.sql(
        "SET ROLE owner; CREATE TABLE near (id int, at vector(3));"
        "INSERT INTO near SELECT n, ARRAY[n, 1, 0]::vector FROM generate_series(1, 2000) n;"
        "CREATE INDEX ON near USING hnsw (at vector_l2_ops); SET enable_seqscan = off;"
        "EXPLAIN SELECT id FROM near ORDER BY at <-> '[1000,1,0]' LIMIT 1;"
        "SELECT id FROM near ORDER BY at <-> '[1000,1,0]' LIMIT 1; DROP TABLE near",
        "loader",
    )
    assert "Index Scan using near_at_idx" in found.stdout and found.stdout.splitlines()[-1] == "1000", found.stderr


def test_killed_database_has_every_row_that_was_committed(stack: Stack) -> None:
    """SIGKILL amid inserts, each a transaction of its own: what psql was told is committed is there afterwards."""
    assert stack.sql("SET ROLE owner; CREATE TABLE rows (i int)", "loader").returncode == 0
    command = ["docker", "compose", "exec", "-T", "-e", f"PGPASSWORD={stack.passwords['loader']}", "pgvector"]
    command += ["psql", "-X", "-q", "-t", "-A", "-h", "pgvector", "-U", "loader", "-d", "vectors"]
    psql = subprocess.Popen(
        command, cwd=stack.root, env=stack.environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert psql.stdin and psql.stdout
    psql.stdin.writelines(f"INSERT INTO rows VALUES ({number}) RETURNING i;\n" for number in range(1000))
    psql.stdin.flush()
    acknowledged = [int(psql.stdout.readline()) for _ in range(200)]
    psql.stdin.writelines(f"INSERT INTO rows VALUES ({number}) RETURNING i;\n" for number in range(1000, 3000))
    psql.stdin.flush()
    stack.kill("pgvector")
    acknowledged += [int(line) for line in psql.stdout.read().splitlines() if line.strip().isdigit()]
    psql.wait()
    seconds = stack.up()
    there = {int(line) for line in stack.sql("SELECT i FROM rows", "reader").stdout.split()}
    print(f"{len(acknowledged)} rows acknowledged, {len(there)} there, back after {seconds:.1f} s")
    assert len(acknowledged) < 3000 and set(acknowledged) <= there <= set(range(3000))
    assert stack.sql("DROP TABLE rows", "loader").returncode == 0


# MLflow


def test_mlflow_answers(stack: Stack) -> None:
    assert request(f"{stack.mlflow}/health") == (200, b"OK")


def test_mlflow_refuses_names_and_origins_of_others(stack: Stack) -> None:
    """DNS rebinding and cross-site requests: a page in the browser of whoever runs the stack."""
    search = f"{stack.mlflow}/api/2.0/mlflow/experiments/search?max_results=1"
    assert request(search)[0] == 200
    assert request(search, Host="evil")[0] == 403
    create = f"{stack.mlflow}/api/2.0/mlflow/experiments/create"
    name = f"evil-{uuid.uuid4()}"
    assert request(create, {"name": name}, Origin="http://evil.example")[0] == 403
    assert request(create, {"name": name}, Host="evil")[0] == 403
    experiments = mlflow(stack, "experiments/search?max_results=1000").get("experiments", [])
    assert name not in {each["name"] for each in experiments}


def test_runs_and_artifacts_survive_a_restart(stack: Stack) -> None:
    """A run as a client without S3 credentials logs it: the artifact goes through MLflow into the bucket."""
    experiment = mlflow(stack, "experiments/create", {"name": f"test-{uuid.uuid4()}"})["experiment_id"]
    run = mlflow(stack, "runs/create", {"experiment_id": experiment})["run"]["info"]
    mlflow(stack, "runs/log-parameter", {"run_id": run["run_id"], "key": "data", "value": "wine-quality-v1.0.0"})
    assert run["artifact_uri"].startswith("mlflow-artifacts:/")
    path = f"{run['artifact_uri'].removeprefix('mlflow-artifacts:/')}/model.bin"
    artifact = f"{stack.mlflow}/api/2.0/mlflow-artifacts/artifacts/{path}"
    body = bytes(range(256)) * 4000
    assert request(artifact, body, "PUT")[0] == 200
    assert stack.store.get_object(bucket_name="mlflow", object_name=path).read() == body
    stack.compose("restart", "-t", "5", "mlflow")
    wait_for(f"{stack.mlflow}/health")
    assert request(artifact) == (200, body)
    found = mlflow(stack, f"runs/get?run_id={run['run_id']}")["run"]["data"]
    assert found["params"] == [{"key": "data", "value": "wine-quality-v1.0.0"}]


def wait_for(url: str, seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            if request(url)[0] == 200:
                return
        except OSError:
            if time.monotonic() > until:
                raise
        time.sleep(0.3)

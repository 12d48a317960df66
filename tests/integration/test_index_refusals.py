"""What databases refuse: the code says what the caller should do, the line what to run."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings, strategies
from integration.vector_index import fresh, loaded, receipt_of, running_index, write_params
from pgloader import LoaderSettings, Query, load, reconcile, search, status, switch
from pgvector import Vector
from pgvector.psycopg import register_vector
from stage.errors import StageError, UsageError
from unit.pgloader.synthetic import columns, write_embeddings

pytestmark = pytest.mark.extended

SETUP = "run compose/init/vectors.sql as an administrator of the database"


@pytest.fixture
def embeddings(tmp_path):
    return write_embeddings(tmp_path / "e.parquet")


def refusal(embeddings, chosen=None):
    """Load, and return how that was refused; nothing may have come of it."""
    with pytest.raises(StageError) as caught:
        load(embeddings, embeddings.parent / "receipt.json", chosen or fresh())
    assert not (embeddings.parent / "receipt.json").exists()
    error = caught.value
    return error.code, error.what, error.fix


@contextlib.contextmanager
def changed(index, change, back, database="vectors"):
    """Run statements as the administrator, and others afterwards."""
    with index.connect("admin", dbname=database) as admin:
        admin.execute(change)
    try:
        yield
    finally:
        with index.connect("admin", dbname=database) as admin:
            admin.execute(back)


def test_a_wrong_password(embeddings, index, monkeypatch):
    monkeypatch.setenv("PGVECTOR_PASSWORD", "canary-4711")
    code, what, fix = refusal(embeddings)
    assert (code, fix) == (32, "set PGVECTOR_PASSWORD to the password of loader")
    assert what.endswith('FATAL: password authentication failed for user "loader"')


def test_a_database_that_is_not_there(embeddings, index, monkeypatch):
    monkeypatch.setenv("PGVECTOR_DATABASE", "nowhere")
    code, what, fix = refusal(embeddings)
    assert (code, fix) == (32, f"createdb nowhere, then {SETUP}")
    assert what.endswith('FATAL: database "nowhere" does not exist')


def test_a_database_that_lets_nobody_in(embeddings, index):
    with changed(
        index,
        "REVOKE CONNECT ON DATABASE vectors FROM loader, owner",
        "GRANT CONNECT ON DATABASE vectors TO loader, owner",
    ):
        code, what, fix = refusal(embeddings)
    assert (code, fix) == (32, "GRANT CONNECT ON DATABASE vectors TO loader;")
    assert 'permission denied for database "vectors"' in what


def test_nobody_at_that_address(embeddings, monkeypatch, index):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    monkeypatch.setenv("PGVECTOR_HOST", "127.0.0.1")
    monkeypatch.setenv("PGVECTOR_PORT", port)
    code, what, fix = refusal(embeddings)
    assert (code, "onnection refused" in what) == (30, True)
    assert fix == "check PGVECTOR_HOST and PGVECTOR_PORT, and that the server is running, then run again"


def test_an_address_that_says_nothing_like_postgresql(embeddings, monkeypatch, index):
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("PGVECTOR_HOST", "127.0.0.1")
        monkeypatch.setenv("PGVECTOR_PORT", str(server.getsockname()[1]))
        monkeypatch.setattr("pgloader.connection.CONNECT_TIMEOUT", 2)
        code, what, _ = refusal(embeddings)
    assert (code, "timeout" in what) == (30, True)


@pytest.mark.parametrize("name", ["PGVECTOR_HOST", "PGVECTOR_DATABASE", "PGVECTOR_USER", "PGVECTOR_PASSWORD"])
def test_an_address_that_is_not_given(embeddings, index, monkeypatch, name):
    monkeypatch.delenv(name)
    fix = "set it; with ENV=local, make targets and registry with-services do"
    assert refusal(embeddings) == (2, "is not set", fix)


@contextlib.contextmanager
def bare_database(index, monkeypatch, *statements):
    """A database beside the other, made by these statements."""
    with index.connect("admin") as admin:
        admin.execute("CREATE DATABASE bare TEMPLATE template0")
    try:
        with index.connect("admin", dbname="bare") as admin:
            admin.execute("GRANT CONNECT ON DATABASE bare TO loader")
            for each in statements:
                admin.execute(each)
        monkeypatch.setenv("PGVECTOR_DATABASE", "bare")
        yield
    finally:
        with index.connect("admin") as admin:
            admin.execute("DROP DATABASE bare WITH (FORCE)")


def test_no_extension(embeddings, index, monkeypatch):
    with bare_database(index, monkeypatch):
        found = refusal(embeddings)
    assert found == (
        32,
        "extension pgvector is not installed",
        f"CREATE EXTENSION vector; as an administrator, and {SETUP}",
    )


def test_an_extension_that_is_too_old(embeddings, index, monkeypatch):
    old = "UPDATE pg_extension SET extversion = '0.4.4' WHERE extname = 'vector'"
    with bare_database(index, monkeypatch, "CREATE EXTENSION vector", old):
        found = refusal(embeddings)
    fix = "install pgvector 0.8 on the server, then ALTER EXTENSION vector UPDATE; as an administrator"
    assert found == (32, "pgvector 0.4.4 does not support HNSW indexes", fix)


def test_a_database_that_was_not_set_up(embeddings, index, monkeypatch):
    with bare_database(index, monkeypatch, "CREATE EXTENSION vector"):
        assert refusal(embeddings) == (32, "table registry_loads not found", SETUP)


@pytest.mark.parametrize("search_path", ["", "pg_catalog", "public", '"$user", public', "nowhere"])
def test_pgvector_in_a_schema_of_its_own(embeddings, index, monkeypatch, search_path, root):
    set_up = (root / "compose/init/vectors.sql").read_text()
    schema = 'CREATE SCHEMA "Ext 1"; CREATE EXTENSION vector SCHEMA "Ext 1"'
    grant = 'GRANT USAGE ON SCHEMA "Ext 1" TO loader, owner, reader; as an administrator'
    path = f"ALTER ROLE loader IN DATABASE bare SET search_path = {search_path or chr(39) * 2}"
    with bare_database(index, monkeypatch, schema, set_up, path):
        what = 'loader has no USAGE on schema "Ext 1", which contains pgvector'
        assert refusal(embeddings) == (32, what, grant)
        index.connect("admin", dbname="bare").execute(grant.partition(";")[0]).connection.close()
        chosen = fresh()
        loaded(embeddings, chosen)
        switch(receipt_of(embeddings, chosen), "1.0.0", chosen)
        query = Query("row1", tuple(columns(60)["embedding"].to_pylist()[1]))
        assert search([query], "current", "hybrid", 3, chosen).results[0].hits[0].vector_rank == 1
        assert reconcile(embeddings, chosen).rows == 60 and status(chosen).version == "1.0.0"
        with index.connect("admin", dbname="bare") as admin:  # as README.md tells those who read
            admin.execute("SET ROLE reader")
            admin.execute('SET search_path = public, "Ext 1"')
            nearest = f"SELECT content FROM {chosen.relation} ORDER BY embedding <=> %s LIMIT 1"
            register_vector(admin)
            assert admin.execute(nearest, [Vector(list(query.embedding))]).fetchone()[0].startswith("row1 ")


def test_an_encoding_that_cannot_hold_the_texts(embeddings, index, monkeypatch):
    with index.connect("admin") as admin:
        admin.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C' LOCALE_PROVIDER libc")
    try:
        monkeypatch.setenv("PGVECTOR_DATABASE", "latin")
        assert refusal(embeddings) == (32, "unsupported encoding LATIN1", "createdb -T template0 -E UTF8")
    finally:
        index.ask("DROP DATABASE latin")


def test_a_loader_that_may_not_act_as_owner(embeddings, index):
    with changed(index, "REVOKE owner FROM loader", "GRANT owner TO loader"):
        assert refusal(embeddings) == (32, "loader is not a member of role owner", "GRANT owner TO loader;")


def test_an_owner_that_may_not_make_tables(embeddings, index):
    with changed(index, "REVOKE CREATE ON SCHEMA public FROM owner", "GRANT CREATE ON SCHEMA public TO owner"):
        assert refusal(embeddings) == (32, "permission denied for schema public", SETUP)


def test_a_role_that_only_reads(embeddings, index):
    read_only = "ALTER ROLE loader SET default_transaction_read_only = on"
    with changed(index, read_only, "ALTER ROLE loader RESET default_transaction_read_only"):
        code, what, fix = refusal(embeddings)
    assert (code, fix) == (32, "ALTER ROLE loader RESET default_transaction_read_only;")
    assert what.endswith("in a read-only transaction")


def test_too_many_connections(embeddings, index):
    with changed(index, "ALTER ROLE loader CONNECTION LIMIT 0", "ALTER ROLE loader CONNECTION LIMIT -1"):
        code, what, _ = refusal(embeddings)
    assert (code, "too many connections" in what) == (30, True)


def test_a_session_that_the_administrator_ends_is_tried_again(embeddings, index):
    waiting = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pgloader load%'"
    chosen = fresh()
    params = write_params(embeddings.parent / "params.yaml", chosen)
    write_embeddings(embeddings, rows=20_000, words=5)
    with index.start("load", "--params", params, embeddings, embeddings.parent / "receipt.json") as process:
        while not (found := index.ask(waiting)):
            assert process.poll() is None
        index.ask(f"SELECT pg_terminate_backend({found[0][0]})")
        out, err = process.communicate()
    assert process.returncode == 30, err
    assert out == ""
    assert err.splitlines()[-1].endswith("fix: run it again when the server is available")
    assert index.tables(chosen.relation) == []


@pytest.mark.slow
def test_a_full_disk_of_the_server(tmp_path, tmp_path_factory):
    """A server whose disk has room for itself, and not for the load."""
    if os.geteuid():
        pytest.skip("only root can mount")
    root = tmp_path_factory.mktemp("small")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=110m", "tmpfs", str(root)], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    path = write_embeddings(tmp_path / "e.parquet", rows=20_000, dimension=384)
    try:
        with running_index(root) as small:
            code, what, fix = refusal(path)
            assert (code, fix) == (32, "free some disk space on the server, then run again"), what
            assert "No space left on device" in what
            few = write_embeddings(tmp_path / "few.parquet")
            assert loaded(few, fresh()).rows == 60
            assert len(small.tables("relation_")) == 1
    finally:
        subprocess.run(["umount", str(root)], check=True)


def test_a_standby_is_not_written_to(embeddings, index, tmp_path_factory):
    root = tmp_path_factory.mktemp("standby")
    with running_index(root):
        pass
    with other_server(root, index):  # once, for our own writes a log that no standby could follow
        pass
    (root / ".local/postgres/data/standby.signal").touch()
    (root / ".local/postgres/data/standby.signal").chmod(0o644)
    with other_server(root, index) as host, pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGVECTOR_HOST", host)
        patch.setenv("PGVECTOR_PASSWORD", passwords_in(root)["loader"])
        found = refusal(embeddings)
    assert found == (30, "is a read-only standby", "set PGVECTOR_HOST to the primary")


def passwords_in(root):
    found: dict[str, str] = json.loads((root / ".local/postgres/passwords.json").read_text())
    return found


@contextlib.contextmanager
def other_server(root, index):
    """Run the server of a clone with PostgreSQL's own settings; its tools would set it up, which a standby refuses."""
    programs, data = Path(f"/proc/{index.postmaster()}/exe").resolve().parent, root / ".local/postgres/data"
    account, host = data.stat(), tempfile.mkdtemp(prefix="standby-")
    os.chown(host, account.st_uid, account.st_gid)
    who = {} if os.geteuid() else {"user": account.st_uid, "group": account.st_gid, "extra_groups": []}
    where = str(data) if os.geteuid() else "/proc/self/cwd"  # root's folder is not open to the server's account
    command = [str(programs / "postgres"), "-D", where, "-k", host, "-c", "listen_addresses="]
    environ = {"PATH": os.defpath, "LC_ALL": "C"}
    process = subprocess.Popen(command, cwd=data, env=environ, stderr=subprocess.DEVNULL, **who)
    try:
        address = {"host": host, "dbname": "vectors", "user": "admin", "password": passwords_in(root)["admin"]}
        for _ in range(100):
            try:
                psycopg.connect(**address).close()
                break
            except psycopg.OperationalError:
                assert process.poll() is None
                time.sleep(0.1)
        yield host
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()
        shutil.rmtree(host, ignore_errors=True)


def test_secrets_are_in_no_output(embeddings, index):
    params = write_params(embeddings.parent / "params.yaml", fresh())
    for variables in ({}, {"PGVECTOR_PASSWORD": "canary-4711"}, {"PGVECTOR_PORT": "1"}, {"PGVECTOR_HOST": "127.0.0.1"}):
        done = index.run("load", "-v", "--params", params, embeddings, embeddings.parent / "receipt.json", **variables)
        said = done.stdout + done.stderr
        assert "canary-4711" not in said
        assert not [each for each in index.passwords.values() if each in said]


ANY_NAME = strategies.one_of(
    strategies.text(max_size=70),
    strategies.from_regex(r"[a-z_][a-z0-9_]{0,60}", fullmatch=True),
    strategies.sampled_from(
        ['x"; drop table y;--', "public.x", "pg_class", "é", "X", "a" * 51, "registry_loads", "x\0"]
    ),
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(name=ANY_NAME)
def test_a_relation_of_any_name_is_refused_or_the_only_thing_that_changes(index, embeddings, name):
    (embeddings.parent / "params.yaml").write_bytes(b"")
    with pytest.MonkeyPatch.context() as patch:
        if "\0" in name or not name or any(0xD800 <= ord(each) < 0xE000 for each in name):
            return  # no variable can be that
        patch.setenv("PGVECTOR_TABLE_NAME", name)
        before = everything(index)
        try:
            chosen = LoaderSettings.read(embeddings.parent / "params.yaml")
        except UsageError:
            assert everything(index) == before
            return
        receipt = loaded(embeddings, chosen)
        switch(receipt_of(embeddings, chosen), "1.0.0", chosen)
        after = everything(index)
        assert after - before == {(receipt.table, "r"), (name, "v")}
        assert before <= after
        assert index.ask("SELECT count(*) FROM {}", name) == [(60,)]
        index.ask("DROP VIEW {}", name)
        index.ask("DROP TABLE {}", receipt.table)
        index.ask("DELETE FROM registry_loads")
        index.ask("DELETE FROM registry_switches")


def everything(index):
    kinds = "relkind IN ('r', 'v') AND relnamespace = 'public'::regnamespace"
    return set(index.ask(f"SELECT relname, relkind::text FROM pg_class WHERE {kinds}"))


def test_a_pooler_in_transaction_mode_may_stand_between(index, embeddings, tmp_path):
    """Nothing is left in a session: neither settings, locks, temporary tables nor prepared statements."""
    chosen = fresh()
    leftovers = []

    def record(connection):
        rows = connection.execute(
            "SELECT (SELECT count(*) FROM pg_prepared_statements),"
            " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()),"
            " current_setting('maintenance_work_mem'), current_setting('client_connection_check_interval'),"
            " current_user"
        ).fetchone()
        leftovers.append(rows)

    class Watched(psycopg.Connection):
        def close(self):
            if not self.closed and self.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
                record(self)
            super().close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg, "connect", Watched.connect)
        loaded(embeddings, chosen)
        switch(receipt_of(embeddings, chosen), "1.0.0", chosen)
        status(chosen)
    assert len(leftovers) == 4
    assert set(leftovers) == {(0, 0, "64MB", "0", "loader")}

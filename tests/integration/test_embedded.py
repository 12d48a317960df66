"""The embedded database of ENV=local: real servers, real kills, real users.

As root, pytest's own folder is private to it, so most tests here run a server whose account may not enter the folders
above its data.
"""

import json
import logging
import os
import pwd
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
from data_registry.stage.errors import DiskFull, StageError, UsageError
from registry.services.embedded import embedded

REPOSITORY = Path(__file__).parents[2]
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")

# A tool in a process of its own: it says where its server is, and leaves when its stdin closes. As another user it
# changes over once everything is imported, for that user may not be able to read this Python.
TOOL = """
import os, sys
from pathlib import Path
import data_registry.stage.errors as errors, psycopg
from registry.services.embedded import embedded
root, uid = Path(sys.argv[1]), int(sys.argv[2])
if uid != os.geteuid():
    os.setgroups([]); os.setgid(uid); os.setuid(uid)
try:
    with embedded(root) as found:
        print(found["PGVECTOR_HOST"], flush=True)
        sys.stdin.read()
        with psycopg.connect(host=found["PGVECTOR_HOST"], port=found["PGVECTOR_PORT"], dbname="vectors",
                             user="loader", password=found["PGVECTOR_PASSWORD"]) as connection:
            print(connection.execute("SELECT 42").fetchone()[0])
except errors.StageError as error:
    sys.exit(f"{error.code} {error}")
"""


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    return tmp_path_factory.mktemp("clone")


@pytest.fixture
def strangers_folder(tmp_path_factory):
    """Return a function that makes a folder of another user, outside pytest's private one."""
    made = []

    def make(uid):
        path = Path(subprocess.check_output(["mktemp", "-d", "/tmp/embedded-XXXXXX"], text=True).strip())
        made.append(path)
        os.chown(path, uid, uid)
        return path

    yield make
    for path in made:
        subprocess.run(["rm", "-rf", str(path)], check=True)


def connect(found, user="loader", **extra):
    passwords = json.loads((Path(extra.pop("root")) / ".local/postgres/passwords.json").read_text())
    return psycopg.connect(
        host=found["PGVECTOR_HOST"],
        port=found["PGVECTOR_PORT"],
        dbname=found["PGVECTOR_DATABASE"],
        user=user,
        password=passwords[user],
        autocommit=True,
        **extra,
    )


@contextmanager
def tool(root, uid=None):
    command = [sys.executable, "-c", TOOL, str(root), str(os.geteuid() if uid is None else uid)]
    folders = [str(REPOSITORY / "tools" / name) for name in ("stage", "registry")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([*folders, os.environ.get("PYTHONPATH", "")])}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environ)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def postmaster(root):
    return int((root / ".local/postgres/data/postmaster.pid").read_text().split("\n")[0])


def is_stopped(root):
    return not (root / ".local/postgres/data/postmaster.pid").exists()


def server_processes(root):
    """Return the processes whose working folder is the cluster's, all of PostgreSQL's are."""
    data, found = str(root.resolve() / ".local/postgres/data"), []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.readlink(folder / "cwd") == data:
                found.append(folder)
        except OSError:
            continue
    return found


def content(path):
    """Return what a file of /proc says; of a process that is ending, nothing."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_it_has_pgvector_with_an_hnsw_index(clone):
    with embedded(clone) as found, connect(found, root=clone) as connection:
        (version,) = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'").fetchone()
        print(f"pgvector {version}, PostgreSQL {connection.info.server_version}")
        assert tuple(map(int, version.split("."))) >= (0, 8, 0)
        connection.execute("CREATE TABLE points (id int, place vector(3))")
        connection.execute("INSERT INTO points SELECT i, ARRAY[i, 1, 1]::real[]::vector FROM generate_series(1, 500) i")
        connection.execute("CREATE INDEX ON points USING hnsw (place vector_l2_ops)")
        connection.execute("SET enable_seqscan = off")
        nearest = "SELECT id FROM points ORDER BY place <-> '[77, 1, 1]' LIMIT 1"
        assert "hnsw" in connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'points'").fetchone()[0]
        assert "Index Scan" in str(connection.execute(f"EXPLAIN {nearest}").fetchall())
        assert connection.execute(nearest).fetchone() == (77,)


@pytest.mark.extended
def test_it_yields_what_tools_read_and_stops(clone):
    with embedded(clone) as found:
        socket = Path(found["PGVECTOR_HOST"])
        assert socket.stat().st_mode & 0o777 == 0o700
        assert found == {
            "PGVECTOR_HOST": str(socket),
            "PGVECTOR_PORT": "5432",
            "PGVECTOR_DATABASE": "vectors",
            "PGVECTOR_USER": "loader",
            "PGVECTOR_PASSWORD": found["PGVECTOR_PASSWORD"],
            "MLFLOW_TRACKING_URI": f"sqlite:///{clone}/.local/mlflow/mlflow.db",
        }
    assert is_stopped(clone)
    assert not socket.exists()
    assert server_processes(clone) == []


@pytest.mark.extended
def test_a_second_start_keeps_the_data(clone):
    with embedded(clone) as found, connect(found, root=clone) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with embedded(clone) as found, connect(found, root=clone) as connection:
        assert connection.execute("SELECT number FROM kept").fetchone() == (7,)


@pytest.mark.extended
@pytest.mark.parametrize(
    "statement",
    ["CREATE ROLE evil", "CREATE DATABASE evil", "SELECT * FROM pg_authid", "SET ROLE admin", "COPY kept TO '/tmp/x'"],
)
def test_the_loader_may_not(clone, statement):
    with embedded(clone) as found, connect(found, root=clone) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS number")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


@pytest.mark.extended
def test_the_reader_reads_and_no_more(clone):
    with embedded(clone) as found:
        with connect(found, root=clone) as loader:
            loader.execute("CREATE TABLE offered AS SELECT 1 AS number")
            loader.execute("SET ROLE owner")
            loader.execute("CREATE TABLE offered_by_owner AS SELECT 2 AS number")
        with connect(found, user="reader", root=clone) as reader:
            assert reader.execute("SELECT * FROM offered, offered_by_owner").fetchone() == (1, 2)
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                reader.execute("INSERT INTO offered VALUES (2)")
            reader.execute("SET default_transaction_read_only = off")
            for statement in ("INSERT INTO offered VALUES (2)", "CREATE TABLE mine ()", "CREATE SCHEMA mine"):
                with pytest.raises(psycopg.errors.InsufficientPrivilege):
                    reader.execute(statement)


@pytest.mark.extended
def test_no_role_has_more_than_its_work_needs(clone):
    query = "SELECT rolname FROM pg_roles WHERE rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls"
    with embedded(clone) as found, connect(found, root=clone) as connection:
        assert connection.execute(query).fetchall() == [("admin",)]


@pytest.mark.extended
@pytest.mark.parametrize("user", ["admin", "loader", "reader"])
def test_nobody_comes_in_without_the_password(clone, user):
    with embedded(clone) as found, pytest.raises(psycopg.OperationalError, match=r"password authentication failed"):
        psycopg.connect(host=found["PGVECTOR_HOST"], port=5432, dbname="vectors", user=user, password="wrong")


@pytest.mark.extended
def test_it_stops_when_the_last_process_leaves(clone):
    with tool(clone) as other:
        with embedded(clone) as found:
            assert other.stdout.readline().strip() == found["PGVECTOR_HOST"]
            pid = postmaster(clone)
        assert postmaster(clone) == pid
        answer, talk = other.communicate()
        assert (answer, talk, other.returncode) == ("42\n", "", 0)
    assert is_stopped(clone)


@pytest.mark.extended
def test_processes_that_start_at_once_share_one_server(tmp_path):
    with tool(tmp_path) as first, tool(tmp_path) as second, tool(tmp_path) as third:
        tools = [first, second, third]
        assert len({each.stdout.readline() for each in tools}) == 1
        assert [each.communicate() for each in tools] == [("42\n", "")] * 3
    assert is_stopped(tmp_path)


def test_a_killed_server_comes_back_with_what_was_committed(clone):
    with embedded(clone) as found:
        with connect(found, root=clone) as connection:
            connection.execute("CREATE TABLE committed AS SELECT 8 AS number")
            os.kill(postmaster(clone), signal.SIGKILL)
        with embedded(clone) as again, connect(again, root=clone) as connection:  # the first user is still there
            assert connection.execute("SELECT number FROM committed").fetchone() == (8,)
            assert again["PGVECTOR_HOST"] != found["PGVECTOR_HOST"]
            assert not Path(found["PGVECTOR_HOST"]).exists()
    assert is_stopped(clone)


@pytest.mark.extended
def test_a_killed_tool_leaves_a_server_that_the_next_one_joins_and_stops(clone):
    with tool(clone) as killed:
        killed.stdout.readline()
        killed.kill()
        killed.wait()
    pid = postmaster(clone)
    with embedded(clone):
        assert postmaster(clone) == pid
    assert is_stopped(clone)


@pytest.mark.extended
def test_a_copy_of_a_clone_in_use_gets_a_server_of_its_own(tmp_path):
    with embedded(tmp_path / "first") as found, connect(found, root=tmp_path / "first"):
        subprocess.run(["cp", "-a", str(tmp_path / "first"), str(tmp_path / "second")], check=True)
        with embedded(tmp_path / "second") as other:
            assert other["PGVECTOR_HOST"] != found["PGVECTOR_HOST"]
        with connect(found, root=tmp_path / "first") as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.extended
def test_a_tool_killed_while_it_makes_the_cluster_harms_nothing(tmp_path):
    with tool(tmp_path) as killed:
        deadline = time.monotonic() + 10
        while not (tmp_path / ".local/postgres/data.new/base").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        killed.kill()
    scratch = Path(os.readlink(tmp_path / ".local/postgres/socket"))
    assert scratch.exists()
    with embedded(tmp_path) as found, connect(found, root=tmp_path) as connection:
        assert not scratch.exists()
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.extended
def test_secrets_are_in_one_private_file_alone(tmp_path, caplog, monkeypatch, capfd):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-4711")
    with embedded(tmp_path):
        home = tmp_path / ".local/postgres"
        secrets = [*json.loads((home / "passwords.json").read_text()).values(), "canary-4711"]
        processes = server_processes(tmp_path)
        assert len(processes) >= 2
        environs = [content(each / "environ") for each in processes]
        assert any(b"LC_ALL=C" in environ for environ in environs)
        places = [*environs, *(content(path) for path in Path("/proc").glob("[0-9]*/cmdline"))]
        places += [(home / "data/log").read_bytes(), caplog.text.encode(), "".join(capfd.readouterr()).encode()]
        assert len(set(secrets)) == 4
        assert not [secret for secret in secrets for place in places if secret.encode() in place]
        assert (home / "passwords.json").stat().st_mode & 0o777 == 0o600
        assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.extended
def test_it_listens_on_its_socket_alone(clone):
    with embedded(clone) as found:
        with connect(found, user="admin", root=clone) as connection:
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            assert connection.execute("SHOW unix_socket_directories").fetchone() == (found["PGVECTOR_HOST"],)
        held = set()
        for each in server_processes(clone):
            with suppress(FileNotFoundError, PermissionError):  # a backend or a file that is closed by now
                held |= {os.readlink(link) for link in (each / "fd").iterdir()}
        assert any(link.startswith("socket:") for link in held)
        tables = [Path("/proc/net/tcp"), Path("/proc/net/tcp6")]
        lines = [line.split() for table in tables if table.exists() for line in table.read_text().splitlines()[1:]]
        assert not [line for line in lines if f"socket:[{line[9]}]" in held]


@pytest.mark.extended
@pytest.mark.parametrize("variable", ["", "TMPDIR"])
def test_paths_may_be_longer_than_a_socket_allows(tmp_path, monkeypatch, variable):
    root = tmp_path / ("long name " * 20)
    root.mkdir()
    if variable:
        monkeypatch.setenv(variable, str(root))
        monkeypatch.setattr("tempfile.tempdir", None)
    with embedded(root) as found, connect(found, root=root) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.extended
@needs_root
def test_two_users_run_servers_at_once(clone, strangers_folder):
    stranger = pwd.getpwnam("nobody").pw_uid
    root = strangers_folder(stranger)
    with embedded(clone) as ours, tool(root, stranger) as other:
        theirs = other.stdout.readline().strip()
        assert theirs and theirs != ours["PGVECTOR_HOST"], other.communicate()[1]
        assert Path(theirs).stat().st_uid == stranger
        assert os.stat(f"/proc/{postmaster(root)}").st_uid == stranger
        assert other.communicate() == ("42\n", "")
    assert is_stopped(root)


@pytest.mark.extended
@needs_root
def test_a_uid_that_nobody_has_is_told_so(strangers_folder):
    with tool(strangers_folder(54321), 54321) as refused:
        assert refused.communicate()[1] == (
            "2 uid 54321: no entry in /etc/passwd, which PostgreSQL needs; "
            "fix: run as a user with an entry in /etc/passwd, or use ENV=docker\n"
        )


@pytest.mark.extended
@needs_root
def test_root_opens_no_folder_to_others(tmp_path):
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    with embedded(private):
        assert os.stat(f"/proc/{postmaster(private)}").st_uid == pwd.getpwnam("pgserver").pw_uid
    assert private.stat().st_mode & 0o777 == 0o700


@pytest.mark.extended
@needs_root
def test_a_folder_of_somebody_else_is_a_stage_error(clone, strangers_folder):
    root = strangers_folder(0)
    root.chmod(0o755)
    with tool(root, pwd.getpwnam("nobody").pw_uid) as refused:
        assert refused.communicate()[1] == (
            f"2 {root}/.local: permission denied; fix: run as the owner of {root}, or change its mode\n"
        )


@contextmanager
def mounted(folder, options):
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.extended
@needs_root
@pytest.mark.parametrize("size", ["64k", "4m", "30m", "38m"])
def test_a_full_disk_is_a_stage_error_and_leaves_no_server(tmp_path, size):
    with mounted(tmp_path / "full", f"size={size}") as root:
        (root / "filler").write_bytes(bytes(60_000) if size == "64k" else b"")
        with pytest.raises(DiskFull) as caught, embedded(root):
            pytest.fail("there is no room")
        assert "free some disk space" in caught.value.fix
        assert server_processes(root) == []


@pytest.mark.extended
@needs_root
def test_a_read_only_disk_is_a_stage_error(tmp_path):
    with mounted(tmp_path / "frozen", "size=1m,ro") as root, pytest.raises(UsageError) as caught, embedded(root):
        pytest.fail("nothing can be written")
    assert str(caught.value).startswith(f"{root}/.local: permission denied")


@pytest.mark.extended
def test_lost_passwords_are_a_stage_error(tmp_path):
    with embedded(tmp_path):
        pass
    (tmp_path / ".local/postgres/passwords.json").unlink()
    with pytest.raises(StageError, match=r"password authentication failed.*remove .*/postgres"), embedded(tmp_path):
        pytest.fail("nobody knows the password")
    assert is_stopped(tmp_path)


@pytest.mark.extended
def test_what_fails_inside_is_left_as_it_is(clone):
    with pytest.raises(FileNotFoundError), embedded(clone):
        Path("/no/such/file").read_bytes()
    assert is_stopped(clone)

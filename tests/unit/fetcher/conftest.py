"""What the fetcher's tests share: scripted servers, a folder with sources.csv, and the fetch they try."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fetcher import Fetched, Resolved, fetch, resolve
from fetcher.upstream import Upstream
from unit.fetcher.scripted import Scripted

VARIABLES = ("FETCH_MIRROR", "FETCH_TRUST", "AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
SERVICES = ("HF_ENDPOINT", "HF_TOKEN", "GITHUB_API_URL", "GITHUB_TOKEN")


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*VARIABLES, *SERVICES, "AWS_SESSION_TOKEN", "AWS_REGION", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted().running() as script:
        yield script


@pytest.fixture
def other() -> Iterator[Scripted]:
    with Scripted().running() as script:
        yield script


@dataclass
class Desk:
    """A folder with a sources.csv, and ``raw`` beside it."""

    folder: Path
    trust: tuple[str, ...] = ()

    @property
    def sources(self) -> Path:
        return self.folder / "sources.csv"

    @property
    def out(self) -> Path:
        return self.folder / "raw"

    def ask(self, *rows: tuple[str, str, bytes | None]) -> None:
        """Write rows of name, URL and the bytes that are wanted (None: unpinned)."""
        lines = ["name,url,sha256,bytes"]
        for name, url, wanted in rows:
            pin = "," if wanted is None else f"{hashlib.sha256(wanted).hexdigest()},{len(wanted)}"
            lines.append(f"{name},{url},{pin}")
        self.sources.write_text("\n".join(lines) + "\n")

    def fetch(self, **settings: object) -> Fetched:
        """Fetch with pauses that a test can wait for."""
        settings = {"trust": self.trust, "backoff": 0.01, **settings}
        return fetch(self.sources, self.out, **settings)  # type: ignore[arg-type]

    def resolve(self, upstream: Upstream, **settings: object) -> Resolved:
        """Resolve with pauses that a test can wait for."""
        settings = {"trust": self.trust, "backoff": 0.01, **settings}
        return resolve(self.sources, upstream, **settings)  # type: ignore[arg-type]

    def rows(self) -> list[list[str]]:
        """Return the rows of sources.csv below its header."""
        return [line.split(",") for line in self.sources.read_text().splitlines()[1:]]

    def run(self, *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command as a process."""
        with self.start(*options, **environment) as process:
            stdout, stderr = process.communicate(timeout=60)
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def start(self, *options: str, **environment: str) -> subprocess.Popen[str]:
        """Start the command."""
        command = [sys.executable, "-c", "from fetcher.cli import cli; cli()", "fetch", *options, "sources.csv", "raw"]
        environment = {**os.environ, "FETCH_TRUST": ",".join(self.trust), **environment}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            command,
            cwd=self.folder,
            env=environment,
            # a test run in the background of a shell would hand down an ignored SIGINT
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
            **pipes,
        )

    def tree(self) -> dict[str, bytes] | None:
        """Return the published files; None where there is no output."""
        return files(self.out) if self.out.exists() else None

    def leftovers(self) -> list[str]:
        return sorted(path.name for path in self.folder.iterdir() if path.name.startswith("."))

    def parts(self) -> dict[str, bytes]:
        return {path.suffix: path.read_bytes() for path in (self.folder / ".raw.partial" / "parts").iterdir()}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def desk(tmp_path: Path, server: Scripted, other: Scripted) -> Desk:
    return Desk(tmp_path, (server.origin, other.origin))


@pytest.fixture
def published(desk: Desk) -> Callable[[], None]:
    """Publish an older set, and return a check that it is still there."""
    desk.out.mkdir()
    (desk.out / "old.txt").write_bytes(b"older")

    def check() -> None:
        assert desk.tree() == {"old.txt": b"older"}

    return check


def result(process: subprocess.CompletedProcess[str]) -> dict[str, int]:
    return dict(json.loads(process.stdout))

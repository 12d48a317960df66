"""What doctor finds, and says to do about it."""

import fcntl
import os
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from conftest import git
from registry.doctor import doctor
from registry.doctor.doctor import Check, as_table
from unit.registry.releases_fixture import Registry, make_registry

NO_SERVICES = {"MLFLOW_TRACKING_URI": "", "PGVECTOR_HOST": "", "ENV": "local", "RUNTIME": "host"}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A clone that could release: it has an identity, and a branch that is upstream too."""
    made = make_registry(tmp_path / "clone")
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    for command in (
        *(["config", "user.name", "t"], ["config", "user.email", "t@t"], ["remote", "add", "origin", "../origin.git"]),
        ["push", "-q", "-u", "origin", "main"],
    ):
        git(made.root, *command)
    return made


def table(registry: Registry, code: int = 0, **variables: str) -> dict[str, str]:
    """Return what doctor says of each thing, lines joined."""
    done = registry.run("doctor", **{**NO_SERVICES, **variables})
    assert done.returncode == code, done.stdout + done.stderr
    found: dict[str, str] = {}
    for line in done.stdout.splitlines():
        assert len(line) <= 80 or "/" in line  # a path stays in one piece
        if not line.startswith(" "):
            name = "remote" if line.startswith("remote") else line.split()[0]
            found[name] = " ".join(line.split()).removeprefix(name).strip()
        else:  # of it, or what mends it
            found[name] += f" {line.strip()}"
    if code:
        assert done.stderr.splitlines()[-1].startswith("error: ENV=")
    return found


def test_healthy_clone_is_all_ok(registry: Registry) -> None:
    found = table(registry)
    assert found["ENV"] == "ok local"
    assert found["clone"] == "ok branch main"
    assert found["remote"] == f"local ok {registry.remote}"
    assert found["mlflow"] == "ok a SQLite file in .local/, created on first use"
    assert found["database"] == "ok embedded, started on demand"
    assert found["leftovers"] == "ok none"
    assert all(" ok " in f" {said} " for name, said in found.items() if name != "docker")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["checkout", "-q", "--detach"], "warning HEAD is detached fix: git switch main"),
        (["branch", "-q", "--unset-upstream"], "warning branch main has no upstream fix: git push -u origin main"),
        (["config", "user.name", " "], "warning user.name is not set fix: git config user.name '...'"),
    ],
)
def test_clone_that_cannot_release_is_a_warning(registry: Registry, command: list[str], said: str) -> None:
    git(registry.root, *command)
    assert table(registry)["clone"] == said


def test_shallow_clone_is_a_warning(registry: Registry, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", registry.root.as_uri(), "shallow")
    found = table(Registry(tmp_path / "shallow"))
    assert found["clone"] == "warning is shallow, so it cannot release fix: git fetch --unshallow --tags"


def test_leftovers_of_killed_runs_are_named_and_others_are_not(registry: Registry) -> None:
    folder = registry.root / "data/letters"
    (folder / ".raw.partial").mkdir()
    (folder / ".raw.partial" / "half").write_bytes(bytes(2_000_000))
    (folder / ".metadata.json.tmp-0123456789abcdef").write_text("half")
    (folder / ".mine").write_text("not a leftover")
    held = registry.root / ".local/scratch/letters-v1.0.0-live"
    held.mkdir(parents=True)
    descriptor = os.open(held, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert table(registry)["leftovers"] == (
        "warning 2 of killed runs, 2.0 MB fix: "
        "rm -rf data/letters/.raw.partial data/letters/.metadata.json.tmp-0123456789abcdef"
    )
    os.close(descriptor)
    (registry.root / ".dvc/cache/files/md5/ab").mkdir(exist_ok=True)
    (registry.root / ".dvc/cache/files/md5/ab/.x.tmp").write_text("of DVC")
    assert "4 of killed runs" in table(registry)["leftovers"]


def test_unknown_remote_is_a_problem(registry: Registry) -> None:
    found = table(registry, 40, DVC_REMOTE="nowhere")
    assert found["remote"] == "nowhere problem DVC_REMOTE: unknown remote 'nowhere' fix: use one of: local"


@pytest.fixture
def closed() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def test_services_that_are_down_are_problems(registry: Registry, closed: str) -> None:
    address = {"MLFLOW_TRACKING_URI": f"http://user:canary@127.0.0.1:{closed}"}
    database = {"PGVECTOR_HOST": "127.0.0.1", "PGVECTOR_PORT": closed, "PGVECTOR_PASSWORD": "canary"}
    found = table(registry, 40, **address, **database)
    assert found["mlflow"].startswith(f"problem no answer from http://127.0.0.1:{closed} (")
    assert found["mlflow"].endswith("fix: docker compose up infra, or correct MLFLOW_TRACKING_URI")
    assert found["database"].startswith(f"problem 127.0.0.1:{closed}: ") and "refused" in found["database"]
    assert "canary" not in str(found)


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Healthy) as made:
        Thread(target=made.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()


def test_mlflow_that_answers_is_ok(registry: Registry, server: str) -> None:
    assert table(registry, MLFLOW_TRACKING_URI=server)["mlflow"] == f"ok {server}"


def test_docker_is_a_problem_only_where_it_is_needed(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "docker").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "docker").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    said = "no Docker engine is running fix: start Docker, or use RUNTIME=host (same outputs)"
    assert table(registry, PATH=path)["docker"] == f"warning {said}"
    assert table(registry, 40, PATH=path, RUNTIME="container")["docker"] == f"problem {said}"


def test_full_disk_is_a_problem(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "NEEDED_SPACE", 10**9)
    check = next(check for check in doctor.examine(registry.root, "local") if check.name == "disk")
    assert check.needed and not check.is_ok and check.fix == "free some space (df -h)"


def test_table_is_aligned_and_no_wider_than_a_terminal() -> None:
    shown = as_table([Check("a", "word " * 40, "mend " * 30), Check("remote local", "fine")])
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert shown.splitlines()[-1] == "remote local  ok       fine"
    assert shown.startswith("a             problem  word word")

"""An answer from a clone that lacks releases says so: what is missing, why, and what helps."""

import http.server
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from catalog.cli import cli as catalog
from click.testing import CliRunner, Result
from conftest import git
from registry.cli import cli
from unit.registry.lineage_world import TRAIN, World, greetings, make_world, wines

pytestmark = pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy")  # MLflow's, with SQLAlchemy 2.1

MISSING = "3 releases (greetings-v1.0.0, greetings-v1.1.0, wines-v1.0.0) of origin"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty: bytes) -> World:
    """A registry with releases, beside the bare repository that clones are made of."""
    world = make_world(tmp_path)
    world.release("greetings", "1.0.0", greetings())
    world.release("greetings", "1.1.0", greetings([TRAIN[1], TRAIN[2]]))
    world.release("wines", "1.0.0", wines())
    git(tmp_path, "clone", "-q", "--bare", str(world.root), "origin.git")
    (tmp_path / "mlflow.db").write_bytes(empty)
    for name in ("DVC_REPO", "DVC_REPO_URL", "DVC_REMOTE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    monkeypatch.setenv("REGISTRY_ROOT", str(tmp_path / "shallow"))
    return world


@pytest.fixture
def shallow(world: World, tmp_path: Path) -> Path:
    git(tmp_path, "clone", "-q", "--depth", "1", "--no-tags", f"file://{tmp_path}/origin.git", "shallow")
    for name in ("greetings", "wines"):
        (tmp_path / "shallow" / "data" / name / "samples.parquet").write_bytes(
            (world.root / "data" / name / "samples.parquet").read_bytes()
        )
    return tmp_path / "shallow"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, [*arguments])


def test_whohas_in_a_clone_without_tags_is_incomplete(shallow: Path) -> None:
    done = run("whohas", "hello")
    assert done.exit_code == 45
    assert "not found in those that could be read" in done.stdout
    assert MISSING in " ".join(done.stdout.split()) and "git fetch origin --tags" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: whohas: the list is incomplete: not in this clone: 3 ")
    git(shallow, "fetch", "-q", "origin", "--tags")
    done = run("whohas", "hello", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["incomplete"], found["unread"]) == (0, [], [])
    assert {each["tag"] for each in found["releases"]} == {"greetings-v1.0.0"}


def test_show_diff_and_explain_say_what_is_missing(shallow: Path) -> None:
    done = run("show", "greetings")
    assert (done.exit_code, "none in this clone" in done.stdout) == (0, True)
    assert "2 releases (greetings-v1.0.0, greetings-v1.1.0) of origin" in " ".join(done.stdout.split())
    assert "not in this clone: 2 releases" in done.stderr
    done = run("show", "greetings", "1.0.0")
    assert (done.exit_code, "not in this clone: 2 releases" in done.stderr) == (2, True)
    assert "not in this clone: 2 releases" in run("diff", "greetings", "latest").stderr
    assert "not in this clone: 3 releases" in run("explain", "nothing/1").stderr
    assert "not in this clone: 2 releases" in run("get", "greetings", "latest", "out").stderr
    git(shallow, "fetch", "-q", "origin", "tag", "greetings-v1.0.0", "--no-tags")
    done = run("diff", "greetings", "latest")
    assert (done.exit_code, "1 release (greetings-v1.1.0) of origin" in done.stderr) == (0, True)


def test_the_index_of_the_catalogue_says_what_is_missing(shallow: Path) -> None:
    assert CliRunner().invoke(catalog, ["build"]).exit_code == 0
    assert (
        f"Incomplete: not in this clone: {MISSING}; git fetch origin --tags."
        in (shallow / "site" / "index.html").read_text()
    )
    git(shallow, "fetch", "-q", "origin", "--tags")
    assert "3 releases" in CliRunner().invoke(catalog, ["build"]).stdout
    assert "Incomplete" not in (shallow / "site" / "index.html").read_text()


def test_a_clone_without_a_remote_is_complete(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_ROOT", str(world.root))
    assert run("whohas", "nobody has this").exit_code == 0
    assert json.loads(run("show", "wines", "--json").stdout)["incomplete"] == []


def test_a_remote_of_another_name_is_asked(shallow: Path) -> None:
    git(shallow, "remote", "rename", "origin", "company")
    done = run("whohas", "hello")
    assert (done.exit_code, "git fetch company --tags" in done.stderr) == (45, True)


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed() -> Iterator[int]:
    """The port of a server that wants a password."""

    class Asking(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Asking) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def test_a_remote_that_cannot_be_asked_leaves_it_open(
    shallow: Path, silent: int, closed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(shallow, "fetch", "-q", "origin", "--tags")
    asked = tmp_path / "asked"
    (tmp_path / "ask").write_text(f"#!/bin/sh\ntouch {asked}\necho secret\n")
    (tmp_path / "ask").chmod(0o755)
    for name in ("GIT_ASKPASS", "SSH_ASKPASS"):
        monkeypatch.setenv(name, str(tmp_path / "ask"))
    monkeypatch.setattr("data_registry.releases.completeness.TIMEOUT", 1)
    reasons = {
        f"http://someone@127.0.0.1:{closed}/x.git": "could not read Password",
        f"git://127.0.0.1:{silent}/x.git": "no answer in 1 s",
        str(tmp_path / "nowhere.git"): "does not appear to be a git repository",
    }
    for url, reason in reasons.items():
        git(shallow, "remote", "set-url", "origin", url)
        done = run("whohas", "hello", "--json")
        assert done.exit_code == 45 and reason in done.stderr, done.stderr
        assert json.loads(done.stdout)["releases"], "what is here is searched"
        done = run("show", "greetings", "--json")
        assert done.exit_code == 0 and reason in json.loads(done.stdout)["incomplete"][0]
        assert "Traceback" not in done.stderr
    assert not asked.exists(), "nobody is asked for a password"


def test_verify_says_which_releases_it_cannot_see(shallow: Path) -> None:
    assert "releases: none in this clone; fix: git fetch --tags" in run("verify", "--all").stderr
    git(shallow, "fetch", "-q", "origin", "tag", "greetings-v1.0.0")
    done = run("verify", "--all")
    assert done.exit_code == 0 and "greetings-v1.0.0: " in done.stdout
    assert "not in this clone: 2 releases (greetings-v1.1.0, wines-v1.0.0) of origin" in done.stderr


def test_a_tag_that_was_moved_on_the_remote_is_said(shallow: Path, world: World, tmp_path: Path) -> None:
    git(shallow, "fetch", "-q", "origin", "--tags")
    assert run("verify", "wines").exit_code == 0
    git(tmp_path / "origin.git", "tag", "-f", "-a", "-m", "moved", "wines-v1.0.0", "greetings-v1.0.0^{}")
    done = run("verify", "--all")
    assert done.exit_code == 42
    assert done.stderr.splitlines()[-1].startswith("error: wines-v1.0.0: the tag is ")
    assert "greetings-v1.0.0: " in done.stdout and "greetings-v1.1.0: " in done.stdout, "the others are verified"
    done = run("whohas", "hello")
    assert (done.exit_code, "differs from origin: 1 release (wines-v1.0.0)" in done.stderr) == (45, True)


@pytest.mark.parametrize("content", ["garbage\n", "1234567890" * 4 + "\n"])
def test_a_tag_that_cannot_be_read_is_named(world: World, monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setenv("REGISTRY_ROOT", str(world.root))
    (world.root / ".git" / "refs" / "tags" / "wines-v1.0.0").write_text(content)
    done = run("whohas", "hello")
    assert (done.exit_code, "wines-v1.0.0" in done.stdout, "greetings-v1.0.0" in done.stdout) == (45, True, True)
    assert "wines-v1.0.0" in run("show", "wines").output


def test_one_release_that_cannot_be_fetched_hides_no_other(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REGISTRY_ROOT", str(world.root))
    git(world.root, "tag", "aaa-v1.0.0", "HEAD")
    git(world.root, "tag", "bbb-v1.0.0", "HEAD:.gitignore")
    outputs = git(world.root, "show", "greetings-v1.0.0:data/greetings/dvc.lock")
    md5 = outputs.partition("path: samples.parquet")[0].rpartition("md5: ")[2].split()[0]
    world.object(md5).unlink(missing_ok=True)
    done = run("whohas", "go away", "--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 45
    assert [each.split()[0].rstrip(":") for each in found["unread"]] == ["aaa-v1.0.0", "bbb-v1.0.0", "greetings-v1.0.0"]
    assert [each["tag"] for each in found["releases"]] == ["greetings-v1.1.0"]
    assert "(3 in all)" in done.stderr.splitlines()[-1]

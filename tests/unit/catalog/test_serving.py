"""make catalog-serve: the site, on a port of this machine alone."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from catalog.cli import cli
from catalog.serving import ADDRESS, find_site, serving
from click.testing import CliRunner
from conftest import environ
from data_registry.stage.errors import InputMissing, UsageError


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REGISTRY_ROOT", str(tmp_path))
    return tmp_path


def write(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "index.html").write_text(text)
    return folder


@contextmanager
def running(folder: Path) -> Iterator[int]:
    with serving(folder, 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def ask(port: int, path: str) -> tuple[int, bytes, str]:
    connection = http.client.HTTPConnection(ADDRESS, port)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read(), answer.headers["Cache-Control"]


def test_the_site_is_served_and_nothing_beside_it(clone: Path) -> None:
    (clone / "secret.txt").write_text("secret")
    with running(write(clone / "site", "<p>index")) as port:
        assert ask(port, "/") == (200, b"<p>index", "no-cache")
        assert [ask(port, path)[0] for path in ("/../secret.txt", "/%2e%2e/secret.txt", "/none.html")] == [404] * 3


def test_no_other_machine_reaches_it(clone: Path) -> None:
    with serving(write(clone / "site", ""), 0) as server:
        assert server.socket.getsockname()[0] == "127.0.0.1"


def test_of_the_catalogue_and_that_of_the_demo_the_later_one_is_shown(clone: Path) -> None:
    with pytest.raises(InputMissing) as none:
        find_site(clone)
    assert str(none.value) == f"{clone / 'site'}: catalogue not found; fix: run make catalog, or make demo"
    demo = write(clone / ".demo" / "repo" / "site", "")
    assert find_site(clone) == demo
    (clone / "site").mkdir()  # without an index it is none
    assert find_site(clone) == demo
    (clone / "site" / "index.html").touch()
    os.utime(demo / "index.html", (1, 1))
    assert find_site(clone) == clone / "site"
    os.utime(clone / "site" / "index.html", (0, 0))
    assert find_site(clone) == demo


def test_without_a_catalogue_the_command_says_how_to_make_one(clone: Path) -> None:
    done = CliRunner().invoke(cli, ["serve"])
    assert done.exit_code == InputMissing.code
    assert done.stderr.endswith("catalogue not found; fix: run make catalog, or make demo\n")


def test_a_port_that_is_taken_is_named(clone: Path) -> None:
    write(clone / "site", "")
    with socket.create_server((ADDRESS, 0)) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(cli, ["serve"], env={"PORT": str(port)})
    assert done.exit_code == UsageError.code
    assert (
        f"error: PORT: cannot listen on port {port}: Address already in use; fix: use another, as PORT=8081"
        in done.stderr
    )


def test_ctrl_c_ends_it_well(clone: Path, root: Path) -> None:
    write(clone / "site", "<p>index")
    program = "import sys; sys.argv[0] = 'catalog'; from catalog.cli import cli; cli()"
    known = environ(root, REGISTRY_ROOT=str(clone), PYTHONUNBUFFERED="1")
    command = [sys.executable, "-P", "-c", program, "serve", "--port", "0"]
    with subprocess.Popen(command, env=known, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout and server.stderr
        said = server.stdout.readline()
        assert said.endswith(f"/ serves {clone / 'site'}; stop it with Ctrl-C\n")
        assert ask(int(said.split("/")[2].partition(":")[2]), "/")[1] == b"<p>index"
        os.kill(server.pid, signal.SIGINT)
        assert server.wait(timeout=20) == 0
        assert server.stderr.read() == ""

"""nginx and lighttpd, as their packages are: what they send arrives whole."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.fetcher.conftest import Desk

FILE = bytes(range(256)) * 3000
IMAGE = "data-registry/test-web-servers"
DOCKERFILE = """
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends nginx-light lighttpd
"""
NGINX = """
daemon off; events {}
http { server { listen 80; keepalive_timeout 60; root /served; gzip on; gzip_types *; gzip_min_length 1;
  location /chunked/ { alias /served/; ssi on; ssi_types *; } } }
"""
LIGHTTPD = """
server.document-root = "/served"
server.port = 80
server.max-keep-alive-idle = 60
"""
COMMANDS = {
    "nginx": ["nginx", "-c", "/served/nginx.conf"],
    "lighttpd": ["lighttpd", "-D", "-f", "/served/lighttpd.conf"],
}

pytestmark = [pytest.mark.extended, pytest.mark.docker, pytest.mark.slow]


def docker(*command: str, given: str = "") -> str:
    done = subprocess.run(["docker", *command], input=given, text=True, capture_output=True, timeout=300)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def image() -> str:
    try:
        docker("build", "-q", "-t", IMAGE, "-", given=DOCKERFILE)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        pytest.skip(f"the servers' packages cannot be installed: {error!s:.200}")
    return IMAGE


@pytest.fixture
def origin(server_name: str, image: str, tmp_path: Path) -> Iterator[str]:
    served = tmp_path / "served"
    served.mkdir()
    (served / "a").write_bytes(FILE)
    (served / "nginx.conf").write_text(NGINX)
    (served / "lighttpd.conf").write_text(LIGHTTPD)
    subprocess.run(["chmod", "-R", "a+rX", tmp_path], check=True)
    files = ["-v", f"{served}:/served:ro", "-p", "127.0.0.1::80"]
    container = docker("run", "-d", "--rm", *files, image, *COMMANDS[server_name])
    try:
        yield docker("port", container, "80").splitlines()[0]
    finally:
        docker("kill", container)


@pytest.mark.parametrize("server_name", COMMANDS)
def test_a_server_sends_whole_files(server_name: str, origin: str, tmp_path: Path):
    desk = Desk(tmp_path, (origin,))
    paths = ["a", "chunked/a"] if server_name == "nginx" else ["a"]
    desk.ask(*((path, f"http://{origin}/{path}", FILE) for path in paths))
    desk.fetch(tries=5, backoff=0.2)
    assert desk.tree() == dict.fromkeys(paths, FILE)

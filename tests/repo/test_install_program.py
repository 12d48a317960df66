""".github/install-program: a program is on the PATH once its bytes are right, and not before."""

import gzip
import hashlib
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_registry.clone import repository
from unit.fetcher.scripted import Reply, Scripted
from unit.fetcher.test_tls import certificate

PROGRAM = b"#!/bin/sh\necho it runs\n"


def archive() -> bytes:
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as tar:
        for name in ("LICENSE", "tool"):
            entry = tarfile.TarInfo(name)
            entry.size = len(PROGRAM)
            tar.addfile(entry, io.BytesIO(PROGRAM))
    return held.getvalue()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Scripted]:
    with Scripted(certificate(tmp_path)).running() as script:
        yield script


def install(folder: Path, url: str, sha256: str) -> tuple[subprocess.CompletedProcess[str], str]:
    """Run the script; return what it did, and the folders that it has put on the PATH."""
    path = folder / "path"
    path.touch()
    given = {"NAME": "tool", "URL": url, "SHA256": sha256, "RUNNER_TEMP": str(folder), "GITHUB_PATH": str(path)}
    environ = {**os.environ, **given, "CURL_CA_BUNDLE": str(folder / "cert.pem")}
    script = repository() / ".github" / "install-program"
    return subprocess.run([script], env=environ, text=True, capture_output=True), path.read_text()


@pytest.mark.parametrize(
    ("name", "body"),
    [("tool", PROGRAM), ("tool.gz", gzip.compress(PROGRAM)), ("tool.tar.gz", archive())],
    ids=["plain", "gz", "tar.gz"],  # of the bytes themselves, a time is part
)
def test_it_is_unpacked_and_runs(server: Scripted, tmp_path: Path, name: str, body: bytes) -> None:
    url = server.on(f"/{name}", Reply(body))
    done, path = install(tmp_path, url, hashlib.sha256(body).hexdigest())
    assert done.returncode == 0, done.stderr
    ran = subprocess.run(["tool"], env={"PATH": f"{path.strip()}:/bin:/usr/bin"}, text=True, capture_output=True)
    assert ran.stdout == "it runs\n"
    assert [entry.name for entry in Path(path.strip()).iterdir()] == ["tool"]


def test_other_bytes_are_refused(server: Scripted, tmp_path: Path) -> None:
    done, path = install(tmp_path, server.on("/tool", Reply(PROGRAM)), "0" * 64)
    assert done.returncode != 0 and path == "" and "did NOT match" in done.stdout + done.stderr


def test_what_is_not_there_and_what_is_not_encrypted_is_refused(server: Scripted, tmp_path: Path) -> None:
    server.replies["/tool"] = [Reply(PROGRAM)]
    digest = hashlib.sha256(PROGRAM).hexdigest()
    for url in (f"{server.url}/other", f"{server.url}/tool".replace("https", "http")):
        done, path = install(tmp_path, url, digest)
        assert done.returncode != 0 and path == ""

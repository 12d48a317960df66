"""The command: its streams, codes, settings, signals and README (F2, F14)."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from unit.fetcher.conftest import result
from unit.fetcher.scripted import Reply

GOOD = b"what upstream sent " * 5000
README = Path(__file__).parents[3] / "tools" / "fetcher" / "README.md"


def test_success_is_one_json_object(desk, server):
    desk.ask(("a", server.on("/a", Reply(GOOD)), GOOD))
    done = desk.run()
    assert done.returncode == 0
    assert result(done) == {"files": 1, "bytes": 95000, "downloaded": 1, "reused": 0, "from_mirror": 0}
    assert done.stderr == ""


def test_failure_is_one_line_and_a_code(desk, server):
    for code, url, wanted in (
        (13, server.url + "/none", GOOD),
        (11, server.on("/a", Reply(b"other")), GOOD),
        (14, "ftp://example.org/", GOOD),
        (12, server.on("/down", Reply(status=503)), GOOD),
        (21, server.url, b""),
    ):
        desk.ask(("a", url, wanted))
        done = desk.run("--tries", "1", AWS_SECRET_ACCESS_KEY="canary")
        assert done.returncode == code
        assert done.stdout == ""
        last = done.stderr.splitlines()[-1]
        assert last.startswith("error: sources.csv line 2: ")
        assert "; fix: " in last
        assert "Traceback" not in done.stderr
        assert "canary" not in done.stderr


def test_missing_sources_and_mirror_are_missing_inputs(desk):
    done = desk.run()
    assert (done.returncode, done.stderr.splitlines()[-1].partition(":")[0]) == (10, "error")
    desk.ask(("a", "file:a", GOOD))
    assert desk.run(FETCH_MIRROR="nowhere").returncode == 10
    assert desk.run(FETCH_TRUST="nowhere").returncode == 2


def test_settings_come_from_params(desk, server):
    desk.ask(("a", server.on("/a", Reply(status=503)), GOOD))
    params = desk.folder / "params.yaml"
    params.write_text("fetcher:\n  tries: 1\n  jobs: 2\n  timeout: 5\n  max-bytes: 100000\n")
    assert "gave up after 1 attempt" in desk.run("--params", "params.yaml").stderr
    params.write_text("fetcher:\n  max-bytes: 10\n")
    assert desk.run("--params", "params.yaml").returncode == 14
    for key in ("attempts: 1", "mirror: http://elsewhere", "allow-unpinned: true", "params: x"):
        params.write_text(f"fetcher:\n  {key}\n")
        assert desk.run("--params", "params.yaml").returncode == 2


def test_interruption_ends_at_once_and_the_next_run_resumes(desk, server):
    """F14: SIGTERM and SIGINT are told, SIGKILL is not; what came is kept by all."""
    body = GOOD[:4000]
    for name, code in (("SIGTERM", 143), ("SIGINT", 130), ("SIGKILL", -9)):
        url = server.on(f"/{name}", Reply(body, etag='"v1"', pause=0.01), Reply(body, etag='"v1"'))
        desk.ask(("a", url, body), ("b", server.on("/b", Reply(b"quick")), b"quick"))
        server.seen.clear()
        with desk.start() as process:
            while len(server.seen) < 2:
                assert process.poll() is None
            time.sleep(1)
            process.send_signal(getattr(signal, name))
            began = time.monotonic()
            process.communicate(timeout=10)
        assert process.returncode == code
        assert time.monotonic() - began < 3
        assert desk.tree() is None
        done = desk.run()
        assert done.returncode == 0, done.stderr
        assert desk.tree() == {"a": body, "b": b"quick"}
        assert desk.leftovers() == []
        (desk.out / "a").unlink(), (desk.out / "b").unlink(), desk.out.rmdir()


def test_killed_download_goes_on_where_it_was(desk, server):
    """F2, F14."""
    body = os.urandom(3 << 20)
    desk.ask(("a", server.on("/a", Reply(body, etag='"v1"', hold_at=(2 << 20) + 5), Reply(body, etag='"v1"')), body))
    parts = desk.folder / ".raw.partial" / "parts"
    with desk.start() as process:
        while not any(path.stat().st_size == 2 << 20 for path in parts.glob("*.part")):
            assert process.poll() is None
        process.kill()
    assert desk.run().returncode == 0
    assert server.seen[-1].headers["Range"] == f"bytes={2 << 20}-"
    assert desk.tree() == {"a": body}
    assert desk.leftovers() == []


def test_help_starts_without_what_downloads_need():
    command = "import sys, fetcher.cli; print(sorted({'minio', 'urllib3', 'tenacity', 'certifi'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_example_of_the_readme_runs(tmp_path):
    script = README.read_text().partition("```sh\n")[2].partition("```")[0]
    done = subprocess.run(["bash", "-euc", script], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["files"] == 1


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("url", "variables"),
    [
        (f"http://user:{SECRET}@127.0.0.1:1/a?token={SECRET}", {}),
        (f"http://127.0.0.1:1/a?X-Amz-Signature={SECRET}", {"FETCH_TRUST": "127.0.0.1:1"}),
        (f"s3://key:{SECRET}@bucket/a", {}),
        ("s3://bucket/a", {"AWS_ENDPOINT_URL": f"http://key:{SECRET}@127.0.0.1:1"}),
        ("http://127.0.0.1:1/a", {"FETCH_MIRROR": f"https://user:{SECRET}@127.0.0.1:1/x"}),
        ("http://127.0.0.1:1/a", {"FETCH_MIRROR": f"s3://key:{SECRET}@bucket"}),
        ("http://127.0.0.1:1/a", {"FETCH_MIRROR": f"ftp://user:{SECRET}@host/x"}),
        ("http://127.0.0.1:1/a", {"FETCH_TRUST": f"user:{SECRET}@127.0.0.1"}),
    ],
)
def test_secrets_of_urls_are_in_no_output(desk, url, variables):
    desk.ask(("a", url, b"x"))
    done = desk.run("-v", "--tries", "1", **variables)
    assert done.returncode in {2, 12, 13, 14}, done.stderr
    assert SECRET not in done.stderr + done.stdout

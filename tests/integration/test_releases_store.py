"""Releases on the stack's MinIO: verified, mended, got over a bad link, and whatever their files are called."""

import hashlib
import io
import os
import shutil
import signal
import subprocess
import time
import unicodedata
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import git
from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.releases.versions import Version
from data_registry.store.objects import list_items
from data_registry.store.remote import open_store
from faults.proxy import DOWN, Proxy
from integration.clones import DVC, Clone, clone_of, error_line, tree
from integration.stack import Stack

pytestmark = [pytest.mark.extended, pytest.mark.docker]

BIG = 12_000_000
# A data set of files with the names that people come up with, and one that takes a while to fetch.
PIPELINE = """\
stages:
  make:
    cmd: python make.py
    deps: [make.py]
    outs: [files]
    metrics: [metadata.json: {cache: false}]
"""
MAKE = f"""\
import hashlib, json, unicodedata
from pathlib import Path

names = ["with space.txt", "-dash.txt", "line\\nbreak.txt", "*?[a].txt", "deep/er/x.txt", "quote\\"'.txt"]
names += [unicodedata.normalize(form, "\\u00e9.txt") for form in ("NFC", "NFD")]
for name in names:
    (Path("files") / name).parent.mkdir(parents=True, exist_ok=True)
    (Path("files") / name).write_text(name)
Path("files/big.bin").write_bytes(hashlib.shake_128(b"big").digest({BIG}))
Path("metadata.json").write_text(json.dumps({{"logical_hash": "0" * 64}}))
"""


@pytest.fixture(scope="module")
def clone(stack: Stack, root: Path, mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which wine-quality was built and released with the tools, and `odd` with DVC and by hand."""
    folder = tmp_path_factory.mktemp("releases")
    place = f"dvcstore/{uuid.uuid4()}"
    made = clone_of(root, folder / "clone", stack, place)
    made.known.update(FETCH_MIRROR=str(mirror), SOURCE="upstream")
    path = made.folder / ".dvc" / "config"
    here = f"url = s3://{place}\n    endpointurl = {stack.environ['AWS_ENDPOINT_URL']}"
    config = path.read_text().replace("url = s3://dvcstore\n    endpointurl = http://localhost:9000", here)
    path.write_text(config.replace("remote = minikube", "remote = docker"))
    (made.folder / ".dvc" / "config.local").unlink()
    odd = made.folder / "data" / "odd"
    odd.mkdir()
    for name, text in (("dvc.yaml", PIPELINE), ("make.py", MAKE), ("params.yaml", "{}\n")):
        (odd / name).write_text(text)
    subprocess.run([DVC, "repro", "-q"], cwd=odd, env=made.known, check=True)
    (odd / ".gitignore").write_text("/files\n")
    for key in ("user.name", "user.email"):
        git(made.folder, "config", key, "test@localhost")
    built = made.registry("dataset", "wine-quality")
    assert built.returncode == 0, built.stderr
    git(made.folder, "add", "-A")
    git(made.folder, "commit", "-q", "-m", "Where this test keeps its data")
    git(folder, "init", "-q", "--bare", "-b", "main", "origin.git")
    git(made.folder, "remote", "add", "origin", "../origin.git")
    git(made.folder, "push", "-q", "-u", "origin", "main")
    pushed = made.registry("push", "odd")
    assert pushed.returncode == 0, pushed.stderr
    digest = hashlib.sha256((odd / "metadata.json").read_bytes()).hexdigest()
    message = f"odd 1.0.0\n\nlogical-hash: {'0' * 64}\nmetadata-sha256: {digest}\n"
    git(made.folder, "tag", "-a", "-m", message, "odd-v1.0.0")
    git(made.folder, "push", "-q", "origin", "odd-v1.0.0")
    released = made.registry("release", "wine-quality", "--version", "1.0.0")
    assert released.returncode == 0, released.stderr
    return made


@pytest.fixture
def proxy(stack: Stack) -> Iterator[Proxy]:
    made = Proxy(int(stack.environ["MINIO_PORT"]))
    yield made
    made.close()


@pytest.fixture
def slow(clone: Clone, proxy: Proxy, stack: Stack) -> Iterator[Clone]:
    """The clone, with its remote behind the proxy."""
    local = clone.folder / ".dvc" / "config.local"
    local.write_text(f"['remote \"docker\"']\n    endpointurl = {proxy.endpoint}\n")
    yield clone
    local.unlink()


def release_of(clone: Clone, name: str) -> Release:
    return Release(Git(clone.folder), name, Version(1, 0, 0))


def objects(clone: Clone, name: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the object of each path of a release, lists included."""
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.setenv(variable, clone.known[variable])
    release = release_of(clone, name)
    items, faults = list_items(release, open_store(release.git, "HEAD", "docker"))
    assert not faults
    found = {output.path: output.md5 for output in release.outputs if not output.in_git}
    return found | {item.path: item.md5 for item in items}


def key(clone: Clone, md5: str) -> tuple[str, str]:
    line = next(each for each in (clone.folder / ".dvc/config").read_text().splitlines() if "s3://dvcstore/" in each)
    return "dvcstore", f"{line.partition('s3://dvcstore/')[2]}/files/md5/{md5[:2]}/{md5[2:]}"


def spoil(stack: Stack, clone: Clone, md5: str, kind: str) -> None:
    bucket, name = key(clone, md5)
    body = stack.store.get_object(bucket_name=bucket, object_name=name).read()
    if kind == "lose":
        stack.store.remove_object(bucket_name=bucket, object_name=name)
        return
    body = body[: len(body) // 2] if kind == "cut" else bytes([body[0] ^ 1]) + body[1:]
    stack.store.put_object(bucket_name=bucket, object_name=name, data=io.BytesIO(body), length=len(body))


def test_releases_verify(clone: Clone) -> None:
    """As `registry release` has made it, and another (V14)."""
    done = clone.run("make", "verify", ALL="1")
    assert done.returncode == 0, done.stderr
    assert [line.partition(":")[0] for line in done.stdout.splitlines()] == ["odd-v1.0.0", "wine-quality-v1.0.0"]


@pytest.mark.parametrize("copies", ["cache", "tree", "build"])
def test_what_is_lost_and_damaged_is_named_and_mended(
    clone: Clone, stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, copies: str
) -> None:
    known = objects(clone, "wine-quality", monkeypatch)
    spoilt = {
        "raw": "lose",
        "raw/winequality-red.csv": "flip",
        "processed/wine-quality.csv": "cut",
        "samples.parquet": "lose",
    }
    for path, kind in spoilt.items():
        spoil(stack, clone, known[path], kind)
    lost = error_line(clone.registry("verify", "wine-quality"), 42)
    assert f"object {known['processed/wine-quality.csv']} is damaged on docker (3 in all)" in lost
    moved = tmp_path / "moved"
    moved.mkdir()
    hidden = {"cache": [], "tree": [".dvc/cache"], "build": [".dvc/cache", "data/wine-quality/raw"]}[copies]
    hidden += ["data/wine-quality/processed", "data/wine-quality/samples.parquet"] if copies == "build" else []
    for number, path in enumerate(hidden):
        shutil.move(clone.folder / path, moved / str(number))
    try:
        done = clone.run("make", "repair", DS="wine-quality", VERSION="1.0.0")
    finally:
        for number, path in enumerate(hidden):
            shutil.rmtree(clone.folder / path, ignore_errors=True)
            shutil.move(moved / str(number), clone.folder / path)
    assert done.returncode == 0, done.stderr
    source = {"cache": "the cache", "tree": "the working tree", "build": "a rebuild"}[copies]
    lines = done.stdout.splitlines()
    assert lines[-1] == "wine-quality-v1.0.0: 4 objects replaced on docker, all as released"
    assert len(lines) == 5 and all(line.endswith(f"replaced from {source}") for line in lines[:-1])
    assert clone.registry("verify", "wine-quality").returncode == 0


def test_release_built_again_has_the_same_bytes(clone: Clone) -> None:
    done = clone.run("make", "verify", DS="wine-quality", REBUILD="1")
    assert done.returncode == 0 and "all as released; the rebuild is identical" in done.stdout, done.stderr
    assert git(clone.folder, "status", "--porcelain") == ""


def test_any_machine_gets_it_with_url_and_credentials(clone: Clone, tmp_path: Path) -> None:
    bare = {name: clone.known[name] for name in ("PATH", "HOME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    bare["REGISTRY_ENVS"] = clone.known["REGISTRY_ENVS"]
    url = (clone.folder.parent / "origin.git").as_uri()
    command = [str(clone.folder / "tools/run"), "registry", "get", "wine-quality", "latest", "wine", "--repo", url]
    got = subprocess.run(command, cwd=tmp_path, env=bare, text=True, capture_output=True)
    assert got.returncode == 0 and "wine-quality-v1.0.0: 6 of 6 files " in got.stdout, got.stderr
    csv = "processed/wine-quality.csv"
    assert (tmp_path / "wine" / csv).read_bytes() == (clone.folder / "data/wine-quality" / csv).read_bytes()
    plain = [str(DVC), "get", "-q", url, f"data/wine-quality/{csv}", "--rev", "wine-quality-v1.0.0"]
    subprocess.run(plain, cwd=tmp_path, env=bare, check=True)
    assert (tmp_path / "wine-quality.csv").read_bytes() == (tmp_path / "wine" / csv).read_bytes()


def test_names_go_round_whatever_they_are(clone: Clone, tmp_path: Path) -> None:
    """From DVC's own list of them to another folder (V15)."""
    done = clone.run("make", "get", DS="odd", VERSION="1.0.0", OUT=str(tmp_path / "odd"))
    assert done.returncode == 0, done.stderr
    there = tree(clone.folder / "data/odd/files")
    assert tree(tmp_path / "odd/files") == there and len(there) == 9
    assert {"line\nbreak.txt", "-dash.txt", *(unicodedata.normalize(form, "é.txt") for form in ("NFC", "NFD"))} < {
        *there
    }


@pytest.mark.parametrize("count", [3_000_000, pytest.param(9_000_000, marks=pytest.mark.slow)])
def test_cut_get_goes_on_where_it_stopped(slow: Clone, proxy: Proxy, tmp_path: Path, count: int) -> None:
    """No half file is taken for whole, and what has come does not come again (V13)."""
    out = tmp_path / "odd"
    proxy.cut_after(count, DOWN)
    line = error_line(slow.registry("get", "odd", "1.0.0", str(out)), 12)
    assert line.startswith("error: remote docker: ") and proxy.is_cut
    there = tree(slow.folder / "data/odd/files")
    assert {path: md5 for path, md5 in tree(out).items() if not path.endswith(".part")}.items() <= {
        f"files/{path}": md5 for path, md5 in there.items()
    }.items()
    proxy.heal()
    again = slow.registry("get", "odd", "1.0.0", str(out))
    assert again.returncode == 0, again.stderr
    assert tree(out / "files") == there
    assert proxy.passed[DOWN] < BIG - count + 2_000_000


def test_link_that_breaks_for_a_moment_is_got_over(slow: Clone, proxy: Proxy, tmp_path: Path) -> None:
    """In one run: the connection ends amid a body, and the next one goes on from there."""
    command = ["tools/run", "registry", "get", "odd", "1.0.0", str(tmp_path / "odd")]
    proxy.pause = 0.02
    with subprocess.Popen(command, env=slow.known, cwd=slow.folder, stderr=subprocess.PIPE, text=True) as process:
        while proxy.passed[DOWN] < 4_000_000 and process.poll() is None:
            time.sleep(0.01)
        proxy.cut_after(0, DOWN)
        while not proxy.is_cut:
            time.sleep(0.01)
        proxy.heal()
        proxy.pause = 0
        _, said = process.communicate(timeout=120)
    assert process.returncode == 0 and "going on after" in said, said
    assert tree(tmp_path / "odd/files") == tree(slow.folder / "data/odd/files")


@pytest.mark.parametrize("count", [2_000_000, pytest.param(8_000_000, marks=pytest.mark.slow)])
def test_killed_get_goes_on_where_it_stopped(slow: Clone, proxy: Proxy, tmp_path: Path, count: int) -> None:
    command = ["tools/run", "registry", "get", "odd", "1.0.0", str(tmp_path / "odd")]
    proxy.pause = 0.02
    with subprocess.Popen(command, env=slow.known, cwd=slow.folder, stderr=subprocess.DEVNULL) as process:
        while proxy.passed[DOWN] < count and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    proxy.heal()
    proxy.pause = 0
    again = slow.registry("get", "odd", "1.0.0", str(tmp_path / "odd"))
    assert again.returncode == 0, again.stderr
    assert tree(tmp_path / "odd/files") == tree(slow.folder / "data/odd/files")
    assert proxy.passed[DOWN] < BIG - count + 2_000_000


def test_remote_that_does_not_answer_or_refuses_is_one_line(clone: Clone, stack: Stack, tmp_path: Path) -> None:
    refused = {"AWS_SECRET_ACCESS_KEY": "canary-secret"}
    for command in (["verify", "odd"], ["repair", "odd"], ["get", "odd", "1.0.0", str(tmp_path / "out")]):
        done = clone.registry(*command, **refused)
        assert "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY" in error_line(done, 13)
        assert "canary-secret" not in done.stdout + done.stderr
    local = clone.folder / ".dvc" / "config.local"
    local.write_text("['remote \"docker\"']\n    endpointurl = http://localhost:9\n")
    try:
        for command in (["verify", "odd"], ["repair", "odd"], ["get", "odd", "1.0.0", str(tmp_path / "out")]):
            assert "request to http://localhost:9 for" in error_line(clone.registry(*command), 12)
    finally:
        local.unlink()


def test_doctor_finds_the_stack_and_what_is_wrong_with_it(clone: Clone, stack: Stack) -> None:
    done = clone.run("make", "doctor")
    assert done.returncode == 0 and " problem " not in done.stdout, done.stdout
    told = " ".join(done.stdout.split())
    assert f"remote docker ok {stack.environ['AWS_ENDPOINT_URL']}/dvcstore" in told
    assert "pgvector 0." in told and f"mlflow ok {stack.mlflow}" in told
    wrong = {"AWS_SECRET_ACCESS_KEY": "canary-secret", "PGVECTOR_PASSWORD": "canary-password"}
    done = clone.registry("doctor", **wrong)
    line = error_line(done, 40)
    assert line.startswith("error: ENV=docker remote docker: ") and "(2 in all)" in line
    assert "password authentication failed" in " ".join(done.stdout.split())
    assert "canary" not in done.stdout + done.stderr
    assert os.environ.get("AWS_SECRET_ACCESS_KEY") != "canary-secret"

"""What happens to data between a clone and the remote when links are cut, servers die and bytes rot (E1-E5, V2-V4).

Whatever fails, it ends in one line and its code, and the same command repeated leaves the right bytes everywhere.
"""

import hashlib
import io
import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from faults.proxy import DOWN, UP, Proxy
from integration.clones import DVC, Clone, clone_of, error_line, md5, tree
from integration.stack import Stack, running_stack

pytestmark = [pytest.mark.extended, pytest.mark.docker]

BIG = 2_000_000
CUTS = {"many": 15, "pair": 30}  # points of a transfer at which the slow sweeps cut it; a cut costs DVC's retries
SIZES = {"many": [500 + 37 * number for number in range(60)] + [BIG, BIG], "pair": [BIG, BIG]}
PIPELINE = """\
stages:
  make:
    cmd: python make.py
    deps: [make.py]
    params: [sizes]
    outs: [files]
"""
MAKE = """\
import hashlib
from pathlib import Path

import yaml

Path("files").mkdir(exist_ok=True)
for number, size in enumerate(yaml.safe_load(Path("params.yaml").read_text())["sizes"]):
    Path(f"files/{number:02}.bin").write_bytes(hashlib.shake_128(f"{number} {size}".encode()).digest(size))
"""


@pytest.fixture(scope="session")
def stack(root: Path, request: pytest.FixtureRequest) -> Stack:
    return running_stack(root, request.config)


@pytest.fixture(scope="module")
def proxy(stack: Stack) -> Iterator[Proxy]:
    made = Proxy(int(stack.environ["MINIO_PORT"]))
    yield made
    made.close()


@pytest.fixture(scope="module")
def author(stack: Stack, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone in which a folder of many files and one of exactly two were built."""
    clone = clone_of(root, tmp_path_factory.mktemp("push") / "author", stack, "dvcstore/none")
    clone.known["AWS_MAX_ATTEMPTS"] = "1"  # so that a failure is quick
    for name, sizes in SIZES.items():
        folder = clone.folder / "data" / name
        folder.mkdir()
        (folder / "dvc.yaml").write_text(PIPELINE)
        (folder / "make.py").write_text(MAKE)
        (folder / "params.yaml").write_text(json.dumps({"sizes": sizes}))
        subprocess.run([DVC, "repro", "-q"], cwd=folder, env=clone.known, check=True)
    return clone


@pytest.fixture(scope="module")
def published(author: Clone, stack: Stack) -> str:
    """A place of the remote that has both."""
    place = f"dvcstore/{uuid.uuid4()}"
    author.point(stack.environ["AWS_ENDPOINT_URL"], place)
    for name in SIZES:
        pushed = author.registry("push", name)
        assert pushed.returncode == 0, pushed.stderr
    return place


@pytest.fixture(autouse=True)
def healed(proxy: Proxy) -> None:
    proxy.heal()
    proxy.pause = 0


@pytest.fixture
def place(author: Clone, proxy: Proxy) -> str:
    """An empty place of the remote, that the author reaches through the proxy."""
    fresh = f"dvcstore/{uuid.uuid4()}"
    author.point(proxy.endpoint, fresh)
    return fresh


@pytest.fixture
def reader(author: Clone, published: str, proxy: Proxy, tmp_path: Path) -> Clone:
    """A clone without data, that reaches the published ones through the proxy."""
    clone = author.copy(tmp_path / "reader", "files")
    clone.point(proxy.endpoint, published)
    return clone


# The link


def push_is_right_after_a_cut(author: Clone, stack: Stack, proxy: Proxy, place: str, count: int) -> bool:
    """Cut the link after so many bytes sent, push again on a healthy one; return whether it was cut at all."""
    proxy.cut_after(count, UP)
    failed = author.registry("push", "many")
    was_cut = proxy.is_cut
    if failed.returncode or was_cut:
        error_line(failed, 41)
    proxy.heal()
    again = author.registry("push", "many")
    assert again.returncode == 0, again.stderr
    assert remote_is_right(stack, place, author, "many")
    return was_cut


def pull_is_right_after_a_cut(reader: Clone, author: Clone, proxy: Proxy, name: str, count: int) -> bool:
    """Cut the link after so many bytes received, pull again on a healthy one; return whether it was cut at all."""
    reader.forget(name, "files")
    proxy.cut_after(count, DOWN)
    failed = reader.registry("pull", name)
    was_cut = proxy.is_cut
    if failed.returncode or was_cut:
        error_line(failed, 12)
        assert not wrong_in_workspace(reader, author, name)
    proxy.heal()
    again = reader.registry("pull", name)
    assert again.returncode == 0, again.stderr
    assert tree(reader.folder / "data" / name / "files") == tree(author.folder / "data" / name / "files")
    assert not reader.damaged_in_cache()
    return was_cut


@pytest.mark.parametrize("count", [2_000_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_cut_push_is_finished_by_the_next(author: Clone, stack: Stack, proxy: Proxy, place: str, count: int) -> None:
    assert push_is_right_after_a_cut(author, stack, proxy, place, count)


@pytest.mark.parametrize(
    ("name", "count"), [("pair", 1_000_000), pytest.param("many", 3_500_000, marks=pytest.mark.slow)]
)
def test_cut_pull_leaves_no_half_file_behind(reader: Clone, author: Clone, proxy: Proxy, name: str, count: int) -> None:
    """DVC takes the half of a file that a cut link gave it for the whole, in a folder of exactly two (E3)."""
    assert pull_is_right_after_a_cut(reader, author, proxy, name, count)


@pytest.mark.slow
def test_push_cut_anywhere_is_finished_by_the_next(author: Clone, stack: Stack, proxy: Proxy, place: str) -> None:
    assert author.registry("push", "many").returncode == 0
    total = proxy.passed[UP]
    cuts = CUTS["many"]
    for number in range(cuts):
        other = f"{place}-{number}"
        author.point(proxy.endpoint, other)
        assert push_is_right_after_a_cut(author, stack, proxy, other, total * number // cuts + 1) or number > cuts - 5


@pytest.mark.slow
@pytest.mark.parametrize("name", SIZES)
def test_pull_cut_anywhere_leaves_no_half_file_behind(reader: Clone, author: Clone, proxy: Proxy, name: str) -> None:
    assert reader.registry("pull", name).returncode == 0
    total = proxy.passed[DOWN]
    cuts = CUTS[name]
    for number in range(cuts):
        assert pull_is_right_after_a_cut(reader, author, proxy, name, total * number // cuts + 1) or number > cuts - 5


# The server


@pytest.mark.slow
def test_server_killed_amid_a_push_ends_with_everything_there(
    author: Clone, stack: Stack, proxy: Proxy, place: str, tmp_path: Path
) -> None:
    proxy.pause = 0.02  # slow enough to be amid it
    command = [str(author.folder / "tools" / "run"), "registry", "push", "many"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, cwd=author.folder, env=author.known, text=True, **pipes) as push:  # type: ignore[call-overload]
        while proxy.passed[UP] < 1_000_000 and push.poll() is None:
            time.sleep(0.01)
        stack.kill("minio")
        stdout, stderr = push.communicate(timeout=120)
    error_line(subprocess.CompletedProcess(command, push.returncode, stdout, stderr), 41)
    proxy.pause = 0
    stack.up()
    again = author.registry("push", "many")
    assert again.returncode == 0, again.stderr
    assert remote_is_right(stack, place, author, "many")
    reader = author.copy(tmp_path / "reader", "files")
    pulled = reader.registry("pull", "many")
    assert pulled.returncode == 0, pulled.stderr
    assert tree(reader.folder / "data/many/files") == tree(author.folder / "data/many/files")


# The bytes


def test_lost_object_of_a_folder_is_sent_again(author: Clone, reader: Clone, stack: Stack, published: str) -> None:
    """DVC sees the folder's list on the remote, and takes its files for granted (E2)."""
    author.point(stack.environ["AWS_ENDPOINT_URL"], published)
    lost = author.folder / "data/many/files/07.bin"
    bucket, name = on_remote(published, md5(lost))
    stack.store.remove_object(bucket_name=bucket, object_name=name)
    line = error_line(reader.registry("pull", "many"), 12)
    assert line == "error: data/many/files/07.bin: not on docker; fix: make push where it was built"
    plain = author.run(str(DVC), "push", "-r", "docker", "data/many/dvc.yaml")
    assert plain.returncode == 0 and "up to date" in plain.stdout
    assert name not in names(stack, published)
    pushed = author.registry("push", "many")
    assert pushed.stdout == "many: 63 of 63 objects on docker, 1 sent\n"
    assert name in names(stack, published)
    assert reader.registry("pull", "many").returncode == 0
    assert tree(reader.folder / "data/many/files") == tree(author.folder / "data/many/files")


def test_rotten_cache_is_not_passed_on(author: Clone, stack: Stack, place: str) -> None:
    """DVC trusts a read-only file of its cache (E1, V4)."""
    name = md5(author.folder / "data/many/files/11.bin")
    cached = author.folder / ".dvc/cache/files/md5" / name[:2] / name[2:]
    body = cached.read_bytes()
    mode = cached.stat().st_mode
    cached.chmod(0o644)
    cached.write_bytes(bytes([body[0] ^ 1]) + body[1:])
    cached.chmod(mode)
    try:
        line = error_line(author.registry("push", "many"), 11)
        assert line.startswith(f"error: data/many/files/11.bin: damaged in the cache ({cached})")
        assert names(stack, place) == set()
    finally:
        cached.chmod(0o644)
        cached.write_bytes(body)
        cached.chmod(mode)


@pytest.mark.parametrize(
    ("damage", "which"),
    [
        ("cut", "file"),
        ("other bytes", "list"),
        pytest.param("cut", "list", marks=pytest.mark.slow),
        pytest.param("other bytes", "file", marks=pytest.mark.slow),
    ],
)
def test_rotten_object_is_named_and_not_let_in(
    author: Clone, reader: Clone, stack: Stack, published: str, damage: str, which: str
) -> None:
    """An object whose name is not its digest (V3, E5); DVC asks whether the cache is up to date."""
    folder = author.folder / "data/pair"
    digest = md5(folder / "files/01.bin") if which == "file" else list_of(author, "pair")
    good = (author.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]).read_bytes()
    put(stack, published, digest, good[: len(good) // 2] if damage == "cut" else bytes(len(good)))
    try:
        line = error_line(reader.registry("pull", "pair"), 42)
        named = "data/pair/files/01.bin" if which == "file" else "data/pair/files"
        assert line.startswith(f"error: {named}: damaged on docker (object {digest}); fix: ")
        assert not wrong_in_workspace(reader, author, "pair") and not reader.damaged_in_cache()
        if damage == "cut":
            author.point(stack.environ["AWS_ENDPOINT_URL"], published)
            pushed = author.registry("push", "pair")
            assert pushed.stdout == "pair: 3 of 3 objects on docker, 1 sent\n", pushed.stderr
    finally:
        if damage != "cut":
            put(stack, published, digest, good)
    assert remote_is_right(stack, published, author, "pair")
    assert reader.registry("pull", "pair").returncode == 0
    assert tree(reader.folder / "data/pair/files") == tree(folder / "files")


def test_half_a_file_in_the_cache_is_fetched_again(author: Clone, reader: Clone) -> None:
    """What an interrupted plain dvc pull may leave: half a file, read-only, that DVC trusts."""
    digest = md5(author.folder / "data/pair/files/00.bin")
    cached = reader.folder / ".dvc/cache/files/md5" / digest[:2] / digest[2:]
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"half")
    cached.chmod(0o444)
    pulled = reader.registry("pull", "pair")
    assert pulled.returncode == 0, pulled.stderr
    assert tree(reader.folder / "data/pair/files") == tree(author.folder / "data/pair/files")
    assert not reader.damaged_in_cache()


# What is where


def list_of(author: Clone, name: str) -> str:
    """Return the digest, with .dir, of the list of a dataset's files."""
    lock = (author.folder / "data" / name / "dvc.lock").read_text()
    return next(line.split()[-1] for line in lock.splitlines() if line.endswith(".dir"))


def on_remote(place: str, digest: str) -> tuple[str, str]:
    bucket, _, prefix = place.partition("/")
    return bucket, f"{prefix}/files/md5/{digest[:2]}/{digest[2:]}"


def put(stack: Stack, place: str, digest: str, body: bytes) -> None:
    bucket, name = on_remote(place, digest)
    stack.store.put_object(bucket_name=bucket, object_name=name, data=io.BytesIO(body), length=len(body))


def names(stack: Stack, place: str) -> set[str]:
    bucket, _, prefix = place.partition("/")
    found = stack.store.list_objects(bucket_name=bucket, prefix=f"{prefix}/", recursive=True)
    return {each.object_name or "" for each in found}


def remote_is_right(stack: Stack, place: str, author: Clone, name: str) -> bool:
    """Read every object of a dataset from the remote, and say whether it is what its name says."""
    wanted = {list_of(author, name), *tree(author.folder / "data" / name / "files").values()}
    for digest in wanted:
        bucket, key = on_remote(place, digest)
        body = stack.store.get_object(bucket_name=bucket, object_name=key).read()
        if hashlib.md5(body).hexdigest() != digest.removesuffix(".dir"):
            return False
    return True


def wrong_in_workspace(reader: Clone, author: Clone, name: str) -> dict[str, str]:
    """Return the files of a dataset that are not what the author has under the same name."""
    right = tree(author.folder / "data" / name / "files")
    found = tree(reader.folder / "data" / name / "files")
    return {path: digest for path, digest in found.items() if right.get(path) != digest}

"""S3 servers that are read-only, slow, full, lying, elsewhere, or of another time: what is said, and what is kept."""

import contextlib
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.releases.versions import Version
from data_registry.stage.errors import (
    CorruptFile,
    DiskFull,
    NetworkFailed,
    PolicyViolation,
    SourceRefused,
    StageError,
    UsageError,
)
from data_registry.store import s3_http
from data_registry.store.dvc_config import read_config
from data_registry.store.objects import find_faults, parse_list
from data_registry.store.remote import open_store
from registry.datasets import Dataset
from registry.transfer.remotes import push, try_out
from unit.registry.releases_fixture import Registry, make_registry
from worlds.scripted_s3 import ScriptedS3, scripted_s3

CONFIG = (
    "[core]\n    remote = there\n['remote \"there\"']\n    url = s3://bucket/some/where\n    endpointurl = {endpoint}\n"
)
NAMES = ("AWS_", "DVC_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ENV", "FETCH_TRUST")


@pytest.fixture
def server() -> Iterator[ScriptedS3]:
    with scripted_s3() as made:
        yield made


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return make_registry(tmp_path_factory.mktemp("built") / "clone")


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith(NAMES):
            monkeypatch.delenv(name)
    given = {"HOME": str(tmp_path / "home"), "AWS_EC2_METADATA_DISABLED": "true", "AWS_ACCESS_KEY_ID": "somebody"}
    for name, value in {**given, "AWS_SECRET_ACCESS_KEY": "canary-secret"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def clone(built: Registry, server: ScriptedS3, tmp_path: Path) -> Registry:
    """A clone whose releases say that their data is on the server."""
    shutil.copytree(built.root, tmp_path / "clone", symlinks=True)
    made = Registry(tmp_path / "clone")
    (made.root / ".dvc/config").write_text(CONFIG.format(endpoint=server.endpoint))
    made.release("letters", "1.1.0", seed=2)
    return made


def run(clone: Registry, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    program = "import sys; sys.argv[0] = 'registry'; from registry.cli import cli; cli()"
    known = {**os.environ, "REGISTRY_ROOT": str(clone.root), **variables}
    command = [sys.executable, "-P", "-c", program, *arguments]
    return subprocess.run(command, cwd=clone.root, env=known, text=True, capture_output=True, timeout=120)


def last_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr and "canary" not in done.stderr
    return done.stderr.splitlines()[-1]


def pushed(clone: Registry) -> Release:
    done = push(Dataset("letters", clone.root / "data/letters"), clone.root, "there")
    assert (done.objects, done.moved) == (5, 5)
    return Release(Git(clone.root), "letters", Version(1, 1, 0))


@pytest.mark.parametrize(
    ("behaviour", "code", "said"),
    [
        ("read-only", 13, "AccessDenied"),
        ("full", 50, "XMinioStorageFull"),
        ("skewed", 13, "the clock here is 47 minutes behind the server's; fix: set the clock"),
    ],
)
def test_push_is_refused_before_anything_is_sent(
    clone: Registry, server: ScriptedS3, behaviour: str, code: int, said: str
) -> None:
    server.behaviour = behaviour
    line = last_line(run(clone, "push", "letters", "--remote", "there"), code)
    assert line.startswith("error: remote there: ") and said in line
    assert sum(command == "PUT" for command, _, _ in server.requests) <= 1


@pytest.mark.parametrize(
    ("behaviour", "code", "said"),
    [
        ("denied", 13, "AccessDenied"),
        ("full without a word", 50, "its disk is full"),
        ("over its quota", 50, "its disk is full"),
        ("forgetful", 41, "lost a test object"),
        ("other bytes", 41, "lost a test object"),
        ("an error with 200", 41, "lost a test object"),
        ("malformed", 41, "invalid response"),
        ("no server of S3", 41, "404"),
        ("elsewhere", 41, "TemporaryRedirect"),
    ],
)
def test_server_is_tried_out_first(clone: Registry, server: ScriptedS3, behaviour: str, code: int, said: str) -> None:
    server.behaviour = behaviour
    with scripted_s3() as other:
        server.elsewhere = other.endpoint
        with pytest.raises(StageError, match=said) as failed:
            try_out(open_store(Git(clone.root), "HEAD"))
        assert failed.value.code == code
        assert not other.requests, "no redirect is followed with credentials"


@pytest.mark.parametrize(
    "behaviour", ["", "no delete", "no ranges", "no checksums", "moved", "another region", "slow", "too short"]
)
def test_server_that_is_odd_and_not_wrong_is_used(clone: Registry, server: ScriptedS3, behaviour: str) -> None:
    server.behaviour = behaviour
    release = pushed(clone)
    assert find_faults(release, open_store(release.git, "HEAD")) == []
    assert len(server.objects) == 5 + (behaviour == "no delete"), "what was tried out is gone again"


def test_start_is_skipped_where_ranges_are_not_known(clone: Registry, server: ScriptedS3) -> None:
    store = open_store(pushed(clone).git, "HEAD")
    body = (clone.root / "data/letters/processed/letters.csv").read_bytes()
    md5 = next(path for path, content in server.objects.items() if content == body).replace("/", "")[-32:]
    for server.behaviour in ("", "no ranges"):
        for start in (0, 1, len(body) - 1, len(body)):
            with store.read(md5, start) as blocks:
                assert b"".join(blocks) == body[start:], (server.behaviour, start)


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [("other bytes", "damaged"), ("an error with 200", "damaged"), ("endless", "damaged")],
)
def test_lying_server_is_found_out(clone: Registry, server: ScriptedS3, behaviour: str, kind: str) -> None:
    release = pushed(clone)
    server.behaviour, server.sent = behaviour, 0
    faults = find_faults(release, open_store(release.git, "HEAD"))
    assert faults and {fault.what for fault in faults} == {kind}
    assert server.sent < 200 << 20, "it is not read to an end that it does not have"


@pytest.mark.parametrize(("behaviour", "code"), [("endless", 42), ("other bytes", 42)])
def test_get_from_a_lying_server_leaves_nothing(
    clone: Registry, server: ScriptedS3, tmp_path: Path, behaviour: str, code: int
) -> None:
    pushed(clone)
    server.behaviour = behaviour
    out = tmp_path / "out"
    assert "is damaged on there" in last_line(
        run(clone, "get", "letters", "1.1.0", str(out), "--remote", "there"), code
    )
    assert sum(path.stat().st_size for path in out.rglob("*") if path.is_file()) < 1 << 20


@pytest.mark.parametrize("behaviour", ["busy", "endless error"])
def test_server_that_does_not_give_it_is_one_line(
    clone: Registry, server: ScriptedS3, behaviour: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = pushed(clone)
    monkeypatch.setattr("data_registry.store.objects.PAUSES", (0, 0))
    monkeypatch.setattr(s3_http, "PAUSES", (0, 0))
    server.behaviour, server.sent = behaviour, 0
    with pytest.raises((NetworkFailed, SourceRefused)) as failed:
        find_faults(release, open_store(release.git, "HEAD"))
    assert len(str(failed.value)) < 1000 and server.sent < 100 << 20


def test_clock_that_is_wrong_is_said_wherever_it_is_refused(clone: Registry, server: ScriptedS3) -> None:
    release = pushed(clone)
    server.behaviour = "skewed"
    with pytest.raises(SourceRefused, match="the clock here is 47 minutes behind"):
        find_faults(release, open_store(release.git, "HEAD"))
    assert "47 minutes behind" in " ".join(run(clone, "doctor", "--remote", "there").stdout.split())


def test_virtual_hosts_through_a_proxy(clone: Registry, server: ScriptedS3, monkeypatch: pytest.MonkeyPatch) -> None:
    aws = Path(os.environ["HOME"]) / ".aws"
    aws.mkdir(parents=True)
    (aws / "config").write_text("[default]\ns3 =\n  addressing_style = virtual\n")
    (clone.root / ".dvc/config").write_text(CONFIG.format(endpoint="http://s3.test:9000/"))
    monkeypatch.setenv("http_proxy", server.endpoint)
    try_out(open_store(Git(clone.root), "HEAD"))
    assert {path.partition("files/")[0] for _, path, _ in server.requests} == {"http://bucket.s3.test:9000/some/where/"}


# Other people's repositories


@pytest.mark.parametrize("form", ["path", "url"])
def test_credentials_go_to_no_server_that_only_they_name(
    clone: Registry, server: ScriptedS3, tmp_path: Path, form: str
) -> None:
    pushed(clone)
    server.requests.clear()
    nowhere = {"REGISTRY_ROOT": str(tmp_path)}
    url = str(clone.root) if form == "path" else clone.root.as_uri()
    command = ["get", "letters", "1.1.0", str(tmp_path / "out"), "--repo", url]
    line = last_line(run(clone, *command, **nowhere), 14)
    origin = server.endpoint.removeprefix("http://")
    assert origin in line and f"AWS_ENDPOINT_URL={server.endpoint}" in line
    assert not server.requests
    for consent in ({"AWS_ENDPOINT_URL": server.endpoint}, {"DVC_REMOTE": "there"}, {"REGISTRY_ROOT": str(clone.root)}):
        done = run(clone, *command, **{**nowhere, **consent})
        assert done.returncode == 0, (consent, done.stderr)
        shutil.rmtree(tmp_path / "out")


def test_private_address_is_asked_only_if_it_is_named(
    clone: Registry, server: ScriptedS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without credentials too: nobody else's repository makes this machine ask its neighbours."""
    pushed(clone)
    server.requests.clear()
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    command = ["get", "letters", "1.1.0", str(tmp_path / "out"), "--repo", clone.root.as_uri()]
    origin = server.endpoint.removeprefix("http://")
    line = last_line(run(clone, *command, REGISTRY_ROOT=str(tmp_path)), 14)
    assert "is the private address 127.0.0.1" in line and f"FETCH_TRUST={origin}" in line
    assert not server.requests
    done = run(clone, *command, REGISTRY_ROOT=str(tmp_path), FETCH_TRUST=origin)
    assert done.returncode == 0, done.stderr


def test_folder_of_this_machine_is_not_read_for_a_repository_elsewhere(built: Registry) -> None:
    tag = "refs/tags/letters-v1.0.0"
    with pytest.raises(PolicyViolation, match=r"is a folder, and ssh://far/away\.git is not on this machine"):
        open_store(Git(built.root), tag, source="ssh://far/away.git")
    assert open_store(Git(built.root), tag, source=built.root.as_uri()).probe()


@pytest.mark.parametrize("key", ["configpath", "credentialpath", "profile", "ssl_verify"])
def test_files_of_this_machine_are_not_read_for_other_people(clone: Registry, tmp_path: Path, key: str) -> None:
    """A credential process in a file that their configuration names would be run."""
    (tmp_path / "theirs").write_text(f"[default]\ncredential_process = touch {tmp_path / 'pwn'}\n")
    config = clone.root / ".dvc/config"
    config.write_text(config.read_text() + f"    {key} = {tmp_path / 'theirs'}\n    allow_anonymous_login = true\n")
    clone.release("letters", "1.2.0", seed=3)
    run(clone, "get", "letters", "1.2.0", str(tmp_path / "out"), "--repo", clone.root.as_uri(), AWS_ACCESS_KEY_ID="")
    assert not (tmp_path / "pwn").exists()


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (b"\xff\xfe", "cannot be read"),
        (b"[[[[", "cannot be read"),
        (b"core = 1\n", "expected a section"),
        (b"['remote \"there\"']\nurl = a, b\n", "expected a text"),
        (b"['remote \"there\"']\n[[url]]\nx = y\n", "expected a text"),
        (b"['remote \"there\"']\nurl = gs://bucket\n", "unsupported remote scheme gs"),
        (b"['remote \"there\"']\nurl = ssh://host/x\n", "unsupported remote scheme ssh"),
        (b"['remote \"there\"']\nurl = s3://[\n", "invalid url"),
        (b"['remote \"there\"']\nurl = s3://\n", "invalid url"),
        (b"['remote \"there\"']\nurl = s3://u:canary@bucket\n", "invalid url"),
        (b"['remote \"there\"']\nurl = s3://b\nendpointurl = localhost:9000\n", "invalid endpoint"),
        (b"['remote \"there\"']\nurl = s3://b\nendpointurl = http://h/s3\n", "invalid endpoint"),
        (b"['remote \"there\"']\nurl = s3://b\nuse_ssl = perhaps\n", "expected true or false"),
        (b"['remote \"there\"']\nurl = s3://b\nread_timeout = long\n", "expected seconds"),
        (b"['remote \"there\"']\nurl = s3://b\nversion_aware = true\n", "unsupported option version_aware"),
        (b"['remote \"there\"']\nurl = s3://b\nprofile = nobody\n", "nobody"),
        (b"['remote \"there\"']\nurl = s3://b\naccess_key_id = x\n", "secret_access_key is not set"),
        (b"['remote \"there\"']\nurl = s3://b\nregion = ../x\n", "invalid endpoint or region"),
        (
            b"['remote \"there\"']\nurl = s3://b\nendpointurl = https://localhost:9\nssl_verify = /no/such\n",
            "not found",
        ),
        (b"x" * (2 << 20), "larger than"),
    ],
)
def test_configuration_that_is_wrong_is_one_line(tmp_path: Path, config: bytes, said: str) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_bytes(config)
    with pytest.raises(UsageError) as failed:
        open_store(Git(tmp_path), "HEAD", "there").probe()
    assert said in str(failed.value) and "canary" not in str(failed.value)


def test_configuration_that_nobody_wrote_is_one_line_or_fine(tmp_path: Path) -> None:
    """Whatever bytes a tag has under that name."""
    (tmp_path / ".dvc").mkdir()
    good = CONFIG.format(endpoint="http://localhost:9").encode()
    for config in hostile_bytes(good, 1000):
        (tmp_path / ".dvc/config").write_bytes(config)
        with contextlib.suppress(StageError):
            read_config(Git(tmp_path), "HEAD")
    for config in hostile_bytes(good, 30):
        (tmp_path / ".dvc/config").write_bytes(config)
        with contextlib.suppress(StageError):
            open_store(Git(tmp_path), "HEAD", "there")


def test_list_that_nobody_wrote_is_one_line_or_fine() -> None:
    entries = [{"md5": f"{number:032x}", "relpath": f"a/{number}\\ é.jpg"} for number in range(4)]
    for content in hostile_bytes(json.dumps(entries).encode(), 1000):
        with contextlib.suppress(CorruptFile, PolicyViolation):
            assert all(item.path.startswith("raw/") for item in parse_list("raw", content, 10))


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"[", b"{}", b"[{}]", b"null", b"[" * 100_000, b'[{"md5": 1, "relpath": "a"}]', b"[],[]"),
        b'[{"md5": "%s", "relpath": "\\ud800"}]' % (b"0" * 32),
        b'[{"md5": "%s", "relpath": "\xff"}]' % (b"0" * 32),
        b'[{"md5": "../%s", "relpath": "a"}]' % (b"0" * 29),
        b'[{"md5": "%s", "relpath": ["a"]}]' % (b"0" * 32),
        b'[{"md5": "%s", "relpath": "a"}] more' % (b"0" * 32),
    ],
)
def test_list_of_another_shape_is_refused(content: bytes) -> None:
    with pytest.raises(CorruptFile, match="raw: its list"):
        parse_list("raw", content, 10)


def test_list_is_read_as_it_is_written() -> None:
    names = ["a", 'quote"\\', "line\n", "é", "e\u0301", "}, {", "\U0001f600", "b/[c].jpg"]
    entries = [{"md5": f"{number:032x}", "relpath": name} for number, name in enumerate(names)]
    for ascii_only in (True, False):
        items = parse_list("raw", json.dumps(entries, ensure_ascii=ascii_only).encode())
        assert [item.path for item in items] == [f"raw/{name}" for name in names]
    assert parse_list("raw", b"[]") == []


def hostile_bytes(good: bytes, count: int) -> Iterator[bytes]:
    """Yield damaged copies of a document."""
    chance = random.Random(15)
    pieces = [
        b"[",
        b"]",
        b'"',
        b"\\",
        b"\xff",
        b"\0",
        b"{",
        b"}",
        b"../",
        b"=",
        b"\n",
        b"%(x)s",
        b"'",
        b"\\ud800",
        b",",
    ]
    for _ in range(count):
        content = bytearray(good)
        for _ in range(chance.randint(1, 4)):
            at, length = chance.randrange(len(content) + 1), chance.choice([0, 0, 1, 3, 40])
            content[at : at + length] = chance.choice(pieces) * chance.choice([1, 1, 2, 500])
        yield bytes(content)


def limited(clone: Path, limit: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that may not take more than so much of something."""
    program = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
    program += f"resource.setrlimit({limit}); import sys; sys.argv[0] = 'registry'; from registry.cli import cli; cli()"
    command = [sys.executable, "-P", "-c", program, *arguments, "--remote", "local"]
    known = {**os.environ, "REGISTRY_ROOT": str(clone)}
    return subprocess.run(command, cwd=clone, env=known, text=True, capture_output=True, timeout=120)


def test_object_that_never_comes_or_ends_is_not_waited_for(built: Registry, tmp_path: Path) -> None:
    """In a folder: a pipe, a device, and a list that is larger than its files could make it."""
    shutil.copytree(built.root, tmp_path / "clone", symlinks=True)
    clone = Registry(tmp_path / "clone")
    file, device, listed = (clone.md5("pictures", path) for path in ("samples.parquet", "raw", "processed/train"))
    for md5 in (file, device, listed):
        clone.object(md5).unlink()
    os.mkfifo(clone.object(file))
    clone.object(device).symlink_to("/dev/zero")
    with clone.object(listed).open("wb") as sparse:
        sparse.truncate(4 << 30)
    for command in (["verify", "pictures"], ["get", "pictures", "1.0.0", str(tmp_path / "out")]):
        done = limited(clone.root, "resource.RLIMIT_AS, (3 << 30, 3 << 30)", *command)
        assert done.returncode == 42 and "Traceback" not in done.stderr, done.stderr
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file() and path.stat().st_size > 1 << 20]


def test_full_disk_of_a_folder_is_said(built: Registry, tmp_path: Path) -> None:
    shutil.copytree(built.root, tmp_path / "clone", symlinks=True)
    shutil.rmtree(tmp_path / "clone/.local/dvcstore")
    (tmp_path / "clone/.dvc/tmp").mkdir(exist_ok=True)
    store = open_store(Git(tmp_path / "clone"), "HEAD", "local")
    (tmp_path / "big").write_bytes(bytes(100_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(DiskFull, match="remote local: "):
            store.write("0" * 32, tmp_path / "big")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)

"""The storage of a remote, object by object: a folder; S3 is in integration/test_releases_store.py."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from data_registry.git import Git
from data_registry.releases.release import Release
from data_registry.releases.versions import Version
from data_registry.stage.errors import ChecksumMismatch, NetworkFailed, PolicyViolation, SourceRefused, UsageError
from data_registry.store import objects
from data_registry.store.folder import FolderStore
from data_registry.store.objects import check_path, copy_object, parse_list
from data_registry.store.parallel import Meter, in_parallel
from data_registry.store.protocol import Absent
from data_registry.store.remote import open_store
from data_registry.store.s3 import S3Store

BODY = bytes(range(256)) * 10_000
MD5 = hashlib.md5(BODY).hexdigest()


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    (tmp_path / "good").write_bytes(BODY)
    made = FolderStore("local", tmp_path / "remote")
    made.write(MD5, tmp_path / "good")
    return made


class Breaking:
    """A store whose connection breaks after so many bytes, so many times."""

    remote = "breaking"

    def __init__(self, inner: FolderStore, after: int, times: int) -> None:
        self.inner, self.after, self.times = inner, after, times
        self.starts: list[int] = []

    @contextmanager
    def read(self, md5: str, start: int = 0) -> Iterator[Iterator[bytes]]:
        self.starts.append(start)
        with self.inner.read(md5, start) as blocks:
            body = b"".join(blocks)
        if self.times:
            self.times -= 1
            yield self._broken(body[: self.after])
        else:
            yield iter([body])

    def _broken(self, body: bytes) -> Iterator[bytes]:
        if body:
            yield body
        raise NetworkFailed("remote breaking", "the connection broke", "run again")

    def size(self, md5: str) -> int:
        return self.inner.size(md5)

    def write(self, md5: str, source: Path, advance: Callable[[int], None] = len) -> None: ...  # type: ignore[assignment]

    def delete(self, md5: str) -> None: ...

    def probe(self) -> str:
        return "here"


@pytest.mark.parametrize("start", [0, 1, 1 << 20, len(BODY) - 1, len(BODY), len(BODY) + 5])
def test_object_is_read_from_anywhere(store: FolderStore, start: int) -> None:
    with store.read(MD5, start) as blocks:
        assert b"".join(blocks) == BODY[start:]


def test_what_is_not_there_is_absent(store: FolderStore, tmp_path: Path) -> None:
    with pytest.raises(Absent, match=f"remote local: object {MD5[::-1]} not found"), store.read(MD5[::-1]):
        pass
    (tmp_path / "remote/files/md5" / MD5[:2] / MD5[2:]).unlink()
    (tmp_path / "remote/files/md5" / MD5[:2] / MD5[2:]).mkdir()
    with pytest.raises(Absent), store.read(MD5):
        pass


def test_what_a_reader_does_is_not_the_stores_fault(store: FolderStore) -> None:
    with pytest.raises(OSError, match="disk full"), store.read(MD5) as blocks:
        next(blocks)
        raise OSError(28, "disk full")


def test_broken_connection_goes_on_where_it_stopped(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PAUSES", (0, 0, 0))
    breaking = Breaking(store, 1_000, 7)  # each time a little more comes, so it is worth going on
    parts: list[bytes] = []
    assert copy_object(breaking, MD5, parts.append) == len(BODY)
    assert b"".join(parts) == BODY
    assert breaking.starts == [1_000 * number for number in range(8)]


def test_connection_that_gives_nothing_is_given_up(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(objects, "PAUSES", (0, 0, 0))
    breaking = Breaking(store, 0, 100)
    with pytest.raises(NetworkFailed, match="the connection broke"):
        copy_object(breaking, MD5, len)
    assert len(breaking.starts) == 4


def test_other_bytes_are_found_whatever_came_before(store: FolderStore) -> None:
    assert copy_object(store, MD5, len, 100, [BODY[:100]]) == len(BODY)
    with pytest.raises(ChecksumMismatch, match=f"object {MD5} is damaged"):
        copy_object(store, MD5, len, 100, [bytes(100)])


@pytest.mark.parametrize(("known", "right"), [(hashlib.sha256(BODY).hexdigest(), True), ("0" * 64, False)])
def test_where_the_sha256_is_known_it_decides(store: FolderStore, tmp_path: Path, known: str, right: bool) -> None:
    """MD5 names objects; two files of one MD5 can be made, of one SHA-256 they cannot."""
    with contextlib.nullcontext() if right else pytest.raises(ChecksumMismatch, match="is damaged: "):
        copy_object(store, MD5, len, sha256=known)
    (tmp_path / "file").write_bytes(BODY)
    assert objects.has_bytes(tmp_path / "file", MD5) and objects.has_bytes(tmp_path / "file", MD5, known) is right


def test_raw_and_processed_files_have_their_sha256_in_the_metadata(tmp_path: Path) -> None:
    release = Release(Git(tmp_path), "x", Version(1, 0, 0))
    release.__dict__["metadata"] = {
        "files": {"processed/x.csv": {"sha256": "1" * 64}, "raw/b.md": {"sha256": "2" * 64}},
        "provenance": {"sources": [{"name": "a.gz", "sha256": "3" * 64}, {"name": "b.md", "sha256": "2" * 64}]},
    }
    found = {path: release.sha256(path) for path in ("processed/x.csv", "raw/a.gz", "raw/b.md", "samples.parquet")}
    assert found == {"processed/x.csv": "1" * 64, "raw/a.gz": "3" * 64, "raw/b.md": "2" * 64, "samples.parquet": ""}


def test_first_failure_ends_the_others() -> None:
    meter = Meter(lambda _: None)

    def work(number: int) -> int:
        if number == 3:
            raise NetworkFailed("x", "y", "z")
        while True:
            meter(1)

    with pytest.raises(NetworkFailed):
        in_parallel(work, range(6), meter)


@pytest.mark.parametrize(
    "path", ["../x", "/x", "a/../b", "a//b", "", ".", "a/./b", "a\0b", "x" * 256, "a/" + "é" * 128]
)
def test_names_that_leave_or_cannot_be_are_refused(path: str) -> None:
    with pytest.raises(PolicyViolation):
        check_path(path, "list")


@pytest.mark.parametrize("path", ["a", "a b", "-x", "a\nb", "..a", ".hidden", "x" * 255, "e\u0301", "a\\b"])
def test_odd_names_are_fine(path: str) -> None:
    check_path(path, "list")
    assert parse_list("raw", b'[{"md5": "%s", "relpath": "a"}]' % MD5.encode())[0].path == "raw/a"


@pytest.fixture
def git(tmp_path: Path) -> Git:
    git = Git(tmp_path / "clone")
    git.folder.mkdir()
    git("init", "-q")
    (git.folder / ".dvc").mkdir()
    config = "[core]\n    remote = far\n['remote \"near\"']\n    url = ../near\n"
    (git.folder / ".dvc" / "config").write_text(config + "['remote \"far\"']\n    url = s3://bucket/some/where\n")
    git("add", "-A")
    git("-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false", "commit", "-q", "-m", "x")
    return git


def test_remote_is_what_the_config_says(git: Git, tmp_path: Path) -> None:
    assert isinstance(open_store(git, "HEAD"), S3Store) and open_store(git, "HEAD").remote == "far"
    assert open_store(git, "HEAD", "near").probe().startswith(str(git.folder / "near"))
    here = open_store(git, "HEAD", "near", source=str(tmp_path))
    assert here.probe().startswith(str(tmp_path / "near")), "of another repository on this machine"
    (git.folder / ".dvc" / "config.local").write_text("['remote \"far\"']\n    url = /else/where\n")
    assert open_store(git, "HEAD").probe().startswith("/else/where")


def test_other_remotes_are_refused(git: Git) -> None:
    with pytest.raises(UsageError, match="DVC_REMOTE: unknown remote 'x'; fix: use one of: far, near"):
        open_store(git, "HEAD", "x")
    (git.folder / ".dvc" / "config.local").write_text("['remote \"far\"']\n    url = ssh://else/where\n")
    with pytest.raises(UsageError, match="unsupported remote scheme ssh"):
        open_store(git, "HEAD")
    (git.folder / ".dvc" / "config.local").write_text("nonsense\n")
    with pytest.raises(UsageError, match=r"config\.local: cannot be read"):
        open_store(git, "HEAD")


def test_endpoint_that_is_down_is_one_line(git: Git, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://localhost:9")
    store = open_store(git, "HEAD")
    with pytest.raises(NetworkFailed, match="remote far: request to http://localhost:9 for") as failed:
        store.probe()
    assert "canary" not in str(failed.value) and "refused" in str(failed.value)


def test_folder_of_somebody_else_is_refused(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(SourceRefused, match="permission denied"):
        store.probe()

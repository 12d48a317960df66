"""FROM=: what it names is pinned in sources.csv, and local files are stored by their hash."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import environ, git
from data_registry.stage.errors import StageError
from launcher.images import refresh_images
from registry.build.local_files import STORAGE
from registry.build.sources_from import sources_from
from unit.fetcher.scripted import Reply, Scripted
from unit.fetcher.services import COMMIT, Hub
from unit.fetcher.test_resolve_s3 import publish

A, B = b"x,y\n1,2\n", b"x,y\n3,4\n5,6\n"


@pytest.fixture(scope="module")
def tools(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the real tools, and no dataset."""
    folder = tmp_path_factory.mktemp("repository")
    shutil.copytree(root / "tools", folder / "tools", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests").mkdir()
    shutil.copy(root / "tests" / "pyproject.toml", folder / "tests")
    (folder / "data").mkdir()
    refresh_images(folder)
    git(folder, "init", "-q")
    return folder


@pytest.fixture
def folder(root: Path, tools: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of the dataset `apples`."""
    for name, value in environ(root, RUNTIME="host", REGISTRY_ROOT=str(tools)).items():
        monkeypatch.setenv(name, value)
    for name in ("HF_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_PROFILE", "FETCH_TRUST"):
        monkeypatch.delenv(name, raising=False)
    path = tools / "data" / "apples"
    path.mkdir()
    yield path
    shutil.rmtree(path)
    assert not list((tools / ".local").rglob("*.csv"))


@pytest.fixture
def server() -> Iterator[Scripted]:
    with Scripted().running() as script:
        yield script


def pin(content: bytes) -> str:
    return f"{hashlib.sha256(content).hexdigest()},{len(content)}"


def local(content: bytes) -> str:
    return f"registry:{hashlib.sha256(content).hexdigest()},{pin(content)}"


def refused(code: int, message: str, text: str, folder: Path) -> None:
    with pytest.raises(StageError) as caught:
        sources_from(text, folder, folder.parents[1])
    assert caught.value.code == code and message in str(caught.value), str(caught.value)
    assert not (folder / "sources.csv").exists()


def test_file_is_stored_by_its_hash_and_named_without_its_path(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "wines, red.csv").write_bytes(A)
    origin = sources_from(str(tmp_path / "wines, red.csv"), folder, folder.parents[1])
    assert (origin.upstream, origin.page, [row.name for row in origin.files]) == ({}, "", ["wines, red.csv"])
    assert (folder / "sources.csv").read_text() == f'name,url,sha256,bytes\n"wines, red.csv",{local(A)}\n'
    assert [path.read_bytes() for path in (folder / STORAGE).iterdir()] == [A]
    assert str(tmp_path) not in (folder / "sources.csv").read_text()


def test_folder_gives_its_files_by_relative_name(folder: Path, tmp_path: Path) -> None:
    for name, content in {
        "b/2.csv": B,
        "a.csv": A,
        "copy.csv": A,
        ".hidden/x": A,
        ".DS_Store": A,
        "_SUCCESS": b"",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    sources_from(str(tmp_path), folder, folder.parents[1])
    lines = ["name,url,sha256,bytes", f"a.csv,{local(A)}", f"b/2.csv,{local(B)}", f"copy.csv,{local(A)}", ""]
    assert (folder / "sources.csv").read_text() == "\n".join(lines)
    assert len(list((folder / STORAGE).iterdir())) == 2  # equal files once


def test_relative_path_starts_at_the_repository(folder: Path) -> None:
    inside = folder.parents[1] / "mine"
    inside.mkdir(exist_ok=True)
    (inside / "a.csv").write_bytes(A)
    assert [row.name for row in sources_from("mine/a.csv", folder, folder.parents[1]).files] == ["a.csv"]


def test_links_and_pipes_are_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_bytes(A)
    (tmp_path / "in" / "link.csv").symlink_to("a.csv")
    refused(14, "in/link.csv: symbolic link or special file; fix: copy the folder", str(tmp_path / "in"), folder)
    (tmp_path / "in" / "link.csv").unlink()
    os.mkfifo(tmp_path / "in" / "pipe")
    refused(14, "in/pipe: symbolic link or special file", str(tmp_path / "in"), folder)


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("", 2, "FROM: not set; fix: write a path, https://"),
        ("nowhere.csv", 10, "FROM: nowhere.csv not found; fix: correct the path"),
        ("hf:owner", 2, "FROM: invalid Hugging Face dataset 'hf:owner'; fix: write hf:owner/name"),
        ("ftp://host/a.csv", 2, "FROM: unsupported URL"),
        ("https://a/x.csv https://b/x.csv", 2, "FROM: two files are named x.csv"),
    ],
)
def test_nonsense_is_refused(folder: Path, text: str, code: int, message: str) -> None:
    refused(code, message, text, folder)


def test_folder_without_content_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    refused(21, f"FROM: no files with content in {tmp_path.name}", str(tmp_path), folder)


def test_urls_are_pinned(folder: Path, server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FETCH_TRUST", server.origin)
    urls = [server.on("/in/a%20b.csv", Reply(A)), server.on("/in/b.zip", Reply(B))]
    origin = sources_from(" ".join(urls), folder, folder.parents[1])
    assert origin.upstream == {"kind": "urls", "files": {"a b.csv": [urls[0]], "b.zip": [urls[1]]}}
    rows = (folder / "sources.csv").read_text().splitlines()[1:]
    assert rows == [f"a b.csv,{urls[0]},{pin(A)}", f"b.zip,{urls[1]},{pin(B)}"]
    assert not (folder / STORAGE).exists()


def test_failure_keeps_its_code(folder: Path, server: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FETCH_TRUST", server.origin)
    refused(13, "apples: fetcher resolve failed with exit 13", server.on("/a", Reply(status=404)), folder)


def test_dataset_of_the_hub_is_pinned_at_a_commit(
    folder: Path, server: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    Hub(server).publish({"small/a.csv": A, "large/b.csv": B}, revision="v1")
    origin = sources_from("hf:them/flowers@v1:small", folder, folder.parents[1])
    assert origin.upstream == {"kind": "huggingface", "dataset": "them/flowers", "revision": "v1", "config": "small"}
    assert origin.page == "https://huggingface.co/datasets/them/flowers"
    url = f"{server.url}/datasets/them/flowers/resolve/{COMMIT}/small/a.csv"
    assert (folder / "sources.csv").read_text().splitlines()[1:] == [f"small/a.csv,{url},{pin(A)}"]


def test_prefix_in_s3_is_read_as_a_remote_is(
    folder: Path, server: Scripted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile's credentials reach fetcher, which knows only the AWS_* variables."""
    (tmp_path / "config").write_text(f"[profile mine]\nendpoint_url = {server.url}\nregion = eu-west-3\n")
    (tmp_path / "credentials").write_text("[mine]\naws_access_key_id = AKIAMINE\naws_secret_access_key = x\n")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "mine")
    publish(server, {"in/a.csv": A})
    origin = sources_from("s3://bucket/in/", folder, folder.parents[1])
    assert origin.upstream == {"kind": "s3", "prefix": "s3://bucket/in/"}
    assert (folder / "sources.csv").read_text().splitlines()[1:] == [f"a.csv,s3://bucket/in/a.csv,{pin(A)}"]
    assert all("AKIAMINE" in seen.path and "eu-west-3" in seen.path for seen in server.seen)

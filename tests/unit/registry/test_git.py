"""Files of a repository at its revisions, read one by one and by one process."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import git
from registry.git import Git, GitFailed, Reading

FILES = {"a.txt": b"one\n", "folder/b": b"", "folder/with space": b"\0\n" * 50_000, "folder/line\nbreak": b"odd"}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q", "-b", "main")
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(content)
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "Files")
    return tmp_path


@pytest.fixture
def started(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that every git process leaves a line in."""
    folder = tmp_path_factory.mktemp("bin")
    real = next(path for each in os.environ["PATH"].split(":") if (path := Path(each) / "git").is_file())
    (folder / "git").write_text(f'#!/bin/sh\necho "$1" >> {folder}/started\nexec {real} "$@"\n')
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    (folder / "started").touch()
    return folder / "started"


def test_one_process_gives_what_many_do(repository: Path, started: Path) -> None:
    asked = [*FILES, "none", "folder", "a.txt"]
    alone = [Git(repository).show("HEAD", path) for path in asked]
    assert alone == [*FILES.values(), None, None, b"one\n"]
    started.write_text("")
    with Reading(repository).opened() as reading:
        assert [reading.show("HEAD", path) for path in asked] == alone
        assert reading.show("nowhere", "a.txt") is None
    assert started.read_text().split() == ["cat-file", "cat-file"], "the other is for the name of two lines"
    assert reading.show("HEAD", "a.txt") == b"one\n", "also once it has ended"


def test_threads_get_each_its_own(repository: Path) -> None:
    paths = [path for path in FILES if "\n" not in path] * 50
    with Reading(repository).opened() as reading, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda path: reading.show("HEAD", path), paths)) == [FILES[path] for path in paths]


def test_a_folder_that_is_no_repository_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with Reading(tmp_path).opened() as reading:
        for _ in range(2):  # git may have ended before it is asked, or while it is
            with pytest.raises(GitFailed):
                reading.show("HEAD", "a.txt")
            assert reading._process
            reading._process.wait()

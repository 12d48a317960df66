"""Files of a repository at its revisions, read one by one and by one process."""

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import git
from data_registry.clone import GIT_LOCATIONS
from data_registry.git import Git, GitFailed, GitUnusable, Reading

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
    (folder / "git").write_text(f'#!/bin/sh\necho "$*" >> {folder}/started\nexec {real} "$@"\n')
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
    lines = started.read_text().splitlines()
    assert sum("cat-file" in line for line in lines) == 2, "the other is for the name of two lines"
    assert reading.show("HEAD", "a.txt") == b"one\n", "also once it has ended"


def test_threads_get_each_its_own(repository: Path) -> None:
    paths = [path for path in FILES if "\n" not in path] * 50
    with Reading(repository).opened() as reading, ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda path: reading.show("HEAD", path), paths)) == [FILES[path] for path in paths]


def test_a_process_that_has_ended_is_no_absent_file(repository: Path) -> None:
    with Reading(repository).opened() as reading:
        assert reading._process
        reading._process.kill()
        assert reading.show("HEAD", "a.txt") == b"one\n", "asked again"


def test_a_folder_that_is_no_repository_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    asked: list[Callable[[], object]] = [
        lambda: Git(tmp_path).show("HEAD", "a.txt"),
        lambda: Git(tmp_path).resolve("HEAD"),
        lambda: Git(tmp_path).files("HEAD", "data"),
        lambda: Reading(tmp_path).opened().__enter__(),
    ]
    for ask in asked:
        with pytest.raises(GitUnusable, match="not a git repository; fix: git clone it") as error:
            ask()
        assert error.value.code == 40


def test_a_missing_revision_is_an_error_and_an_absent_file_is_none(repository: Path) -> None:
    with Reading(repository).opened() as reading:
        for each in (Git(repository), reading):
            assert each.show("HEAD", "none") is None
            assert each.resolve("refs/tags/none") is None
            with pytest.raises(GitFailed, match="Not a valid object name nowhere"):
                each.show("nowhere", "a.txt")


@pytest.mark.parametrize("name", ["HEAD:a.txt", "HEAD:folder", "HEAD^{tree}", "v1^{commit}"])
def test_a_damaged_repository_is_not_one_without_the_file(repository: Path, name: str) -> None:
    git(repository, "tag", "-a", "-m", "x", "v1")
    lost = git(repository, "rev-parse", name).strip()
    (repository / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    path = "folder/b" if name == "HEAD:folder" else "a.txt"
    with Reading(repository).opened() as reading:
        for each in (Git(repository), reading):
            with pytest.raises(GitFailed):
                each.show("v1", path)
    if "{" in name:
        with pytest.raises(GitFailed, match="missing or damaged"):
            Git(repository).resolve("refs/tags/v1^{" + name.partition("{")[2])


@pytest.mark.parametrize("content", ["", "garbage\n", "1234567890" * 4 + "\n"])
def test_a_broken_ref_is_not_an_absent_one(repository: Path, content: str) -> None:
    (repository / ".git/refs/tags/v2").write_text(content)
    with pytest.raises(GitFailed):
        Git(repository).resolve("refs/tags/v2^{commit}")


@pytest.mark.parametrize(
    "name", ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"]
)
def test_variables_of_a_hook_lead_nowhere_else(
    repository: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    other = tmp_path_factory.mktemp("other")
    git(other, "init", "-q", "--bare")
    monkeypatch.setenv(name, str(other))
    assert Git(repository).show("HEAD", "a.txt") == b"one\n"
    assert Git(repository)("status", "--porcelain=v1") == ""


def test_every_variable_that_git_calls_local_is_dropped() -> None:
    named = subprocess.run(["git", "rev-parse", "--local-env-vars"], text=True, capture_output=True).stdout.split()
    assert GIT_LOCATIONS.issuperset({*named} - {"GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"})


def test_worktrees_and_bare_repositories_are_found(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    beside = tmp_path_factory.mktemp("beside")
    git(repository, "worktree", "add", "-q", str(beside / "tree"))
    git(beside, "clone", "-q", "--bare", str(repository), "bare.git")
    (beside / "tree" / "a.txt").write_text("two\n")
    assert Git(beside / "tree")("status", "--porcelain=v1") == " M a.txt"
    assert Git(beside / "tree" / "folder")("rev-parse", "--show-prefix") == "folder/"
    bare = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "safe.bareRepository", "GIT_CONFIG_VALUE_0": "explicit"}
    with pytest.MonkeyPatch.context() as patch:
        for key, value in bare.items():
            patch.setenv(key, value)
        assert Git(beside / "bare.git").show("HEAD", "a.txt") == b"one\n"


def test_a_clone_of_another_owner_says_what_git_says(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 4711, 4711)
    with pytest.raises(GitUnusable, match="dubious ownership") as error:
        Git(repository).show("HEAD", "a.txt")
    assert error.value.fix == f"git config --global --add safe.directory {repository}"
    origin = Git(tmp_path_factory.mktemp("own"))
    origin("init", "-q")
    with pytest.raises(GitFailed) as failed:
        origin("ls-remote", str(repository))
    assert failed.value.cure == failed.value.fix == error.value.fix + "/.git"


def test_git_that_is_not_installed_is_one_line(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository / "folder"))
    with pytest.raises(GitUnusable) as error:
        Git(repository)("status")
    assert str(error.value) == "git: not found; fix: install git 2.31 or later"


@pytest.mark.parametrize(
    ("said", "what"),
    [
        (
            "** Authorised users only **\nfatal: unable to access 'https://x/': 503\n",
            "unable to access 'https://x/': 503",
        ),
        ("warning: redirecting\nhint: see\nerror: bad ref\n", "bad ref"),
        (
            "Welcome\ngit@h: Permission denied (publickey).\nfatal: Could not read from remote repository.\n",
            "Could not read from remote repository. (git@h: Permission denied (publickey).)",
        ),
        ("fatal: unknown repository extension found:\n\tfoo\n", "unknown repository extension found: foo"),
        ("no tests today\nerror: failed to push some refs to 'o'\n", "no tests today"),
        ("error: failed to push some refs to 'o'\n", "failed to push some refs to 'o'"),
        ("", "ended with an error and no message"),
    ],
)
def test_what_git_says_is_its_error_line(said: str, what: str) -> None:
    assert GitFailed(("push",), said).what == what

"""Clones in which a release cannot be made: one line each, nothing sent, and the command that mends it."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from conftest import git
from registry.cli import cli
from unit.registry.release_world import make, refused
from unit.registry.tiny import make_registry, tags

FOLDER = "data/greetings"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    make_registry(folder, ["greetings"])
    return folder


@pytest.fixture
def world(template: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(template, tmp_path / "world", symlinks=True))


@pytest.fixture
def clone(world: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(world / "clone")
    monkeypatch.setenv("REGISTRY_ROOT", str(world / "clone"))
    return world / "clone"


def write(path: Path, content: str | bytes) -> None:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["release", *arguments])


def loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def commit(clone: Path) -> None:
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "x")
    git(clone, "push", "-q")


def ignore(clone: Path, name: str) -> None:
    git(clone, "rm", "-q", "--cached", f"{FOLDER}/{name}")
    with (clone / ".gitignore").open("a") as file:
        file.write(f"{name}\n")
    commit(clone)


def empty(clone: Path) -> None:
    shutil.rmtree(clone / ".git")
    git(clone, "init", "-q", "-b", "main")
    git(clone, "remote", "add", "origin", "../origin.git")


def sparse(clone: Path, *patterns: str) -> None:
    git(clone, "status")
    git(clone, "sparse-checkout", "set", *patterns)


def no_config(clone: Path) -> None:
    (clone / ".dvc/config").unlink()
    commit(clone)


FILES: dict[str, str | bytes] = {
    "a list": "- a\n",
    "no YAML": "a:\n\t- b: [",
    "deep": "[" * 100_000,
    "half a character": 'a: "\\ud800"',
    "bytes": b"\xff\xfe\x00\x01",
    "a number": "5",
    "conflict": "<<<<<<< ours\na: 1\n=======\na: 2\n>>>>>>> theirs\n",
    "cut": "dataset: {name",
}
CODES = {"params.yaml": 2, "dvc.yaml": 2, "metadata.json": 23, "dvc.lock": 40}
SECOND = ("dvc.yaml", "metadata.json")


@pytest.mark.parametrize(
    "file", ["dvc.lock", "params.yaml", *(pytest.param(f, marks=pytest.mark.slow) for f in SECOND)]
)
def test_broken_files_of_the_dataset_are_one_line(file: str, world: Path, clone: Path) -> None:
    path = clone / FOLDER / file
    for text in FILES.values():
        write(path, text)
        done = run("greetings", "--version", "1.0.0")
        check_line(done, CODES[file], f"{file}: invalid")
    loop(path)
    assert run("greetings", "--version", "1.0.0").exit_code in {2, 40}
    assert tags(world / "origin.git") == {} and not (world / "store").exists()


def check_line(done: Result, code: int, message: str) -> None:
    assert done.exit_code == code and message in done.output, done.output
    assert isinstance(done.exception, SystemExit), done.exception
    (line,) = [line for line in done.output.splitlines() if line.startswith("error: ")]
    assert "; fix: " in line and "Traceback" not in done.output


IGNORED = "is part of the release, but ignored by git"
CASES: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "ignored lock": (
        lambda c: ignore(c, "dvc.lock"),
        40,
        f"{FOLDER}/dvc.lock: {IGNORED}",
    ),
    "ignored metadata": (
        lambda c: ignore(c, "metadata.json"),
        40,
        f"{FOLDER}/metadata.json: {IGNORED}",
    ),
    "sparse": (lambda c: sparse(c, FOLDER), 40, "not checked out: this clone is sparse; fix: git sparse-checkout"),
    "sparse in it": (
        lambda c: sparse(c, "--no-cone", "/*", f"!/{FOLDER}/params.yaml"),
        40,
        f"{FOLDER}/params.yaml: not checked out: this clone is sparse",
    ),
    "no configuration of DVC": (no_config, 2, "unknown remote 'local'"),
    "no commit": (empty, 40, "branch main: has no commit; fix: git add -A"),
    "branch deleted": (
        lambda c: git(c.parent / "origin.git", "update-ref", "-d", "refs/heads/main"),
        40,
        "branch main: upstream main not found on origin; fix: git push -u origin main",
    ),
    "branch renamed": (
        lambda c: git(c.parent / "origin.git", "branch", "-m", "main", "trunk"),
        40,
        "branch main: releases go to trunk; fix: git switch trunk",
    ),
    "upstream is an address": (
        lambda c: git(c, "config", "branch.main.remote", "../origin.git"),
        40,
        "No such remote '../origin.git'",
    ),
    "no repository": (lambda c: shutil.rmtree(c / ".git"), 40, "not a git repository"),
    "output leads to itself": (lambda c: loop(c / FOLDER / "samples.parquet"), 2, "link that leads to itself"),
    "file within leads to itself": (
        lambda c: (c / FOLDER / "folder/in/x").symlink_to("x"),
        2,
        "link that leads to itself",
    ),
}


@pytest.mark.parametrize(("spoil", "code", "message"), CASES.values(), ids=CASES.keys())
def test_what_is_in_the_way_is_one_line(
    spoil: Callable[[Path], object], code: int, message: str, world: Path, clone: Path
) -> None:
    spoil(clone)
    check_line(run("greetings", "--version", "1.0.0"), code, message)
    assert tags(world / "origin.git") == {} and not (world / "store").exists()


def test_a_sparse_checkout_that_has_the_dataset_is_enough(world: Path, clone: Path) -> None:
    (clone / "elsewhere").mkdir()
    write(clone / "elsewhere/file", "x")
    commit(clone)
    sparse(clone, FOLDER, ".dvc", "tools")
    assert not (clone / "elsewhere").exists()
    assert make(clone, "1.0.0").outcome == "released"
    assert git(world / "origin.git", "ls-tree", "-r", "--name-only", "main", "elsewhere").strip() == "elsewhere/file"
    assert not (clone / "elsewhere").exists() and git(clone, "status", "--porcelain") == ""


def linked(clone: Path) -> Path:
    """Make a linked worktree whose HEAD is detached, with what is built in it."""
    git(clone, "worktree", "add", "-q", "--detach", "../linked")
    there = clone.parent / "linked"
    shutil.copytree(clone / ".dvc/cache", there / ".dvc/cache")
    for name in ("processed", "folder", "samples.parquet"):
        copy = shutil.copytree if (clone / FOLDER / name).is_dir() else shutil.copy
        copy(clone / FOLDER / name, there / FOLDER / name)
    return there


def test_a_linked_worktree_releases_from_its_branch_alone(world: Path, clone: Path) -> None:
    there = linked(clone)
    refused(
        40,
        "HEAD is detached; fix: git switch main, or release from the worktree that has it",
        lambda: make(there, "1.0.0"),
    )
    git(clone, "switch", "-q", "-c", "aside")
    git(there, "switch", "-q", "main")
    assert make(there, "1.0.0").outcome == "released"
    assert tags(world / "origin.git").keys() == {"greetings-v1.0.0"}
    assert git(there, "status", "--porcelain") == ""

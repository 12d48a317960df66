"""What the registry knows of the tools: their hash, their images, what data/images.yaml says."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import environ
from data_registry.clone import repository
from launcher.images import read_images, refresh_images
from launcher.toolbox import Tool, find_tools

CONTROL = {"catalog", "cluster", "registry"}  # tools that work on the clone


@pytest.fixture
def tree(root: Path, tmp_path: Path) -> Path:
    """A copy of the tools, with data/images.yaml written for them."""
    shutil.copytree(root / "tools", tmp_path / "tools", symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "data").mkdir()
    refresh_images(tmp_path)
    return tmp_path


def hashes(tree: Path) -> dict[str, str]:
    return {name: tool.source_hash() for name, tool in find_tools(tree).items()}


def changed(tree: Path, before: dict[str, str]) -> set[str]:
    return {name for name, value in hashes(tree).items() if before[name] != value}


def append(path: Path, text: str = "\n# changed\n") -> None:
    path.write_text(path.read_text() + text)


def test_hash_is_the_same_wherever_the_tree_lies(tree: Path, root: Path) -> None:
    assert hashes(tree) == hashes(root)


@pytest.mark.parametrize(
    ("file", "tools"),
    [
        ("parquetizer/parquetizer/kinds/table.py", {"parquetizer"}),
        ("parquetizer/Dockerfile", {"parquetizer"}),
        ("parquetizer/requirements.lock", {"parquetizer"}),
        ("samples/samples/encoding.py", {"chunk-embed", "parquetizer", "stats", *CONTROL}),
        ("stage/stage/output.py", {"chunk-embed", "fetcher", "parquetizer", "pgloader", "stats", *CONTROL}),
        ("launcher/launcher/run.py", {"registry", "cluster"}),
        ("client/data_registry/git.py", CONTROL),
        ("catalog/catalog/site.py", {"catalog"}),
        ("registry/registry/batches.py", CONTROL),
        ("parquetizer/README.md", set()),
        ("samples/vectors.json", set()),
        ("README.md", set()),
    ],
)
def test_a_change_touches_exactly_the_tools_made_of_it(tree: Path, file: str, tools: set[str]) -> None:
    before = hashes(tree)
    append(tree / "tools" / file)
    assert changed(tree, before) == tools


def test_a_new_module_changes_the_hash_and_bytecode_does_not(tree: Path) -> None:
    before = hashes(tree)
    cache = tree / "tools/stats/stats/__pycache__"
    cache.mkdir()
    (cache / "table.pyc").write_bytes(b"x")
    assert changed(tree, before) == set()
    (tree / "tools/stats/stats/more.py").write_text("")
    assert changed(tree, before) == {"stats"}


def test_moving_code_between_files_changes_the_hash(tree: Path) -> None:
    """Names and lengths are part of it, so that no two trees look alike by concatenation."""
    before = hashes(tree)
    (tree / "tools/stats/stats/moments.py").rename(tree / "tools/stats/stats/moment.py")
    assert changed(tree, before) == {"stats"}


def test_refresh_names_what_changed_and_is_idempotent(tree: Path) -> None:
    assert refresh_images(tree) == {}
    append(tree / "tools/stats/stats/table.py")
    assert list(refresh_images(tree)) == ["stats"]
    written = (tree / "data/images.yaml").stat().st_mtime_ns
    assert refresh_images(tree) == {} and (tree / "data/images.yaml").stat().st_mtime_ns == written
    assert read_images(tree)["stats"] == f"data-registry/stats:src-{find_tools(tree)['stats'].source_hash()}"


def test_every_tool_says_what_it_needs(root: Path) -> None:
    tools = find_tools(root)
    assert {name: tool.network for name, tool in tools.items()} == {
        "catalog": True,
        "chunk-embed": ("RAY_ADDRESS", "HF_HUB_OFFLINE=0"),
        "cluster": True,
        "fetcher": True,
        "parquetizer": False,
        "pgloader": True,
        "registry": True,
        "stats": False,
    }
    assert [name for name, tool in tools.items() if tool.database] == ["pgloader"]
    assert all(isinstance(tool, Tool) and set(tool.paths) <= set(tool.env) for tool in tools.values())


def test_repository_is_found_from_below(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_ROOT", raising=False)
    monkeypatch.chdir(root / "data" / "wine-quality")
    assert repository() == root
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="not inside a data registry"):
        repository()


def test_images_are_named_before_they_are_built(tree: Path, tmp_path: Path) -> None:
    docker = tmp_path / "programs" / "docker"
    docker.parent.mkdir()
    docker.write_text("#!/bin/sh\n[ $1 = version ] || echo at work\n")
    docker.chmod(0o755)
    known = {**environ(tree, REGISTRY_ROOT=str(tree)), "PATH": f"{docker.parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-c", "from registry.cli import cli; cli()", "images"]
    done = subprocess.run(command, env=known, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    built = done.stdout.splitlines()
    assert done.stderr == f"building {', '.join(built)}; the first build takes minutes\nat work\n" and len(built) == 6

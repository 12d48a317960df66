"""Every system call of an atomic output fails once: the target is wholly old or wholly new."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from unit.stage.sweep import each, faulted, needs_strace, points

FILE = """
from pathlib import Path
from stage.output import replacing

with replacing(Path("out/target")) as [temporary]:
    with temporary.open("w", buffering=8) as file:
        file.write("new" * 1000)
        file.flush()
        file.write("new" * 1000)
"""
FOLDER = """
from pathlib import Path
from stage.output import replacing_folder

with replacing_folder(Path("out/target")) as temporary:
    for name in ("a", "b"):
        (temporary / name).write_text("new")
"""
OLD = {"file": {"target": "old"}, "folder": {"target": "/", "target/a": "old", "target/z": "old"}}
NEW = {"file": {"target": "new" * 2000}, "folder": {"target": "/", "target/a": "new", "target/b": "new"}}
FLUSHED = {
    "file": ["fsync", "rename", "fsync"],
    "folder": ["fsync", "fsync", "fsync", "rename", "renameat2", "fsync"],  # rename finds the old folder
}


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() if path.is_file() else "/" for path in folder.rglob("*")
    }


def visible(found: dict[str, str]) -> dict[str, str]:
    return {name: content for name, content in found.items() if not name.startswith(".")}


def put(out: Path, content: dict[str, str]) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    for name, text in content.items():
        if text == "/":
            (out / name).mkdir()
        else:
            (out / name).write_text(text)


@needs_strace
@pytest.mark.parametrize("exhaustive", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["subset", "all"])
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_fault_at_any_call_leaves_the_old_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, exhaustive: bool
):
    monkeypatch.chdir(tmp_path)
    out, old, new = tmp_path / "out", OLD[kind], NEW[kind]
    program = tmp_path / "program.py"
    program.write_text(FILE if kind == "file" else FOLDER)
    argv = [sys.executable, str(program)]
    put(out, old)
    found = points(argv, begin='"out', log=tmp_path / "log")
    assert tree(out) == new
    assert {"write", "openat"} <= {point.call for point in found}
    flushed = [point.call for point in found if point.call in {"fsync", "rename", "renameat2"}]
    assert flushed == FLUSHED[kind], "content is on disk before its name is, and then the name"
    for point, fault in each(found, exhaustive):
        put(out, old)
        done = faulted(argv, point, fault, tmp_path / "log")
        left = tree(out)
        assert visible(left) in (old, new), f"{point} {fault}"
        if done.returncode == 0:
            assert visible(left) == new, f"{point} {fault}: it said that it was done"
        if fault != "signal=KILL" and point.call not in {"openat", "unlink", "unlinkat"}:  # which tidying up needs
            assert left == visible(left), f"{point} {fault}: leftovers"
        subprocess.run(argv, check=True)
        assert tree(out) == new, f"rerun after {point} {fault}"


@needs_strace
@pytest.mark.parametrize("error", ["EINVAL", "ENOSYS"])
def test_a_disk_that_cannot_swap_folders_gets_two_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str):
    """As the bind mounts of Docker Desktop."""
    monkeypatch.chdir(tmp_path)
    put(tmp_path / "out", OLD["folder"])
    (tmp_path / "program.py").write_text(FOLDER)
    inject = f"inject=renameat2:error={error}"
    subprocess.run(
        ["strace", "-o", "log", "-e", "trace=renameat2", "-e", inject, sys.executable, "program.py"], check=True
    )
    assert "(INJECTED)" in (tmp_path / "log").read_text()
    assert tree(tmp_path / "out") == NEW["folder"]
    assert os.listdir(tmp_path / "out") == ["target"]

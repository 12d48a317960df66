import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from stage.output import publish_folder, replacing, replacing_folder
from unit.stage import toy


@pytest.fixture
def umask() -> Iterator[None]:
    before = os.umask(0o027)
    yield
    os.umask(before)


def tree(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() if path.is_file() else "/" for path in folder.rglob("*")
    }


def write_folder(target: Path, content: str, files: int = 3) -> None:
    with replacing_folder(target) as temporary:
        for number in range(files):
            (temporary / str(number)).write_text(content)


def killed_in_the_middle(folder: Path) -> None:
    """Leave what a run leaves that is killed while it writes ``file`` and ``files``."""
    process = subprocess.Popen([sys.executable, toy.__file__, "hold", str(folder)], stderr=subprocess.PIPE, text=True)
    assert process.stderr
    assert process.stderr.readline() == "holding\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()


def test_a_file_is_replaced_at_the_end_only(tmp_path: Path):
    target = tmp_path / "out.csv"
    target.write_text("old")
    with replacing(target) as [temporary]:
        temporary.write_text("new")
        assert target.read_text() == "old"
        assert temporary.parent == target.parent
        assert temporary.name.startswith(".out.csv.tmp-")
    assert tree(tmp_path) == {"out.csv": "new"}


def test_several_files_are_replaced_together(tmp_path: Path):
    first, second = tmp_path / "a" / "x", tmp_path / "b" / "y"
    with replacing(first, second) as temporaries:
        for temporary, content in zip(temporaries, "12", strict=True):
            temporary.write_text(content)
        assert not first.exists()
        assert not second.exists()
    assert tree(tmp_path) == {"a": "/", "a/x": "1", "b": "/", "b/y": "2"}


@pytest.mark.parametrize("error", [ValueError, OSError, MemoryError, KeyboardInterrupt, SystemExit, GeneratorExit])
def test_an_exception_leaves_the_old_file_and_folder_and_nothing_else(tmp_path: Path, error: type[BaseException]):
    before = {"file": "old", "files": "/", "files/0": "old"}
    (tmp_path / "file").write_text("old")
    write_folder(tmp_path / "files", "old", files=1)
    assert tree(tmp_path) == before
    with pytest.raises(error), replacing(tmp_path / "file") as [file], replacing_folder(tmp_path / "files") as files:
        file.write_text("new")
        (files / "1").write_text("new")
        raise error
    assert tree(tmp_path) == before


def test_a_file_that_was_not_written_after_all_is_still_replaced_by_what_there_is(tmp_path: Path):
    with replacing(tmp_path / "empty"):
        pass
    assert tree(tmp_path) == {"empty": ""}


def test_parent_folders_are_made(tmp_path: Path):
    with replacing(tmp_path / "a/b/file") as [temporary]:
        temporary.write_text("x")
    write_folder(tmp_path / "c/d/files", "x", files=1)
    assert tree(tmp_path) == {
        "a": "/", "a/b": "/", "a/b/file": "x", "c": "/", "c/d": "/", "c/d/files": "/", "c/d/files/0": "x",
    }  # fmt: skip


@pytest.mark.usefixtures("umask")
def test_modes_follow_the_umask(tmp_path: Path):
    with replacing(tmp_path / "file") as [temporary]:
        temporary.write_text("x")
    write_folder(tmp_path / "files", "x")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "files").stat().st_mode) == 0o750
    assert stat.S_IMODE((tmp_path / "files/0").stat().st_mode) == 0o640


def test_a_folder_loses_the_files_that_it_no_longer_has(tmp_path: Path):
    write_folder(tmp_path / "files", "old", files=3)
    write_folder(tmp_path / "files", "new", files=1)
    assert tree(tmp_path) == {"files": "/", "files/0": "new"}


def test_an_empty_folder_and_a_folder_of_folders_are_replaced(tmp_path: Path):
    (tmp_path / "files").mkdir()
    with replacing_folder(tmp_path / "files") as temporary:
        (temporary / "a/b").mkdir(parents=True)
        (temporary / "a/b/c").write_text("x")
    assert tree(tmp_path / "files") == {"a": "/", "a/b": "/", "a/b/c": "x"}


def test_a_file_in_the_place_of_the_folder_is_left_alone(tmp_path: Path):
    (tmp_path / "files").write_text("old")
    with pytest.raises(NotADirectoryError):
        write_folder(tmp_path / "files", "new")
    assert tree(tmp_path) == {"files": "old"}


def test_a_ready_folder_is_published_and_the_old_one_removed(tmp_path: Path):
    write_folder(tmp_path / "files", "old")
    write_folder(tmp_path / "ready", "new", files=1)
    publish_folder(tmp_path / "ready", tmp_path / "files")
    assert tree(tmp_path) == {"files": "/", "files/0": "new"}


@pytest.mark.parametrize("name", ["file", "data[1].csv", "a*b", "?", "with space", "größe", "-r"])
def test_the_next_run_sweeps_what_a_killed_one_left(tmp_path: Path, name: str):
    (tmp_path / f".{name}.tmp-0123456789abcdef").write_text("half")
    folder = tmp_path / f".{name}.tmp-fedcba9876543210"
    folder.mkdir()
    (folder / "one").write_text("half")
    with replacing(tmp_path / name) as [temporary]:
        temporary.write_text("new")
    assert tree(tmp_path) == {name: "new"}


def test_a_run_killed_in_the_middle_leaves_the_old_and_the_next_run_sweeps(tmp_path: Path):
    (tmp_path / "file").write_text("old")
    write_folder(tmp_path / "files", "old", files=1)
    killed_in_the_middle(tmp_path)
    assert (tmp_path / "file").read_text() == "old"
    assert tree(tmp_path / "files") == {"0": "old"}
    assert len(os.listdir(tmp_path)) == 4
    with replacing(tmp_path / "file") as [temporary]:
        temporary.write_text("new")
    write_folder(tmp_path / "files", "new", files=1)
    assert tree(tmp_path) == {"file": "new", "files": "/", "files/0": "new"}


def test_only_temporaries_of_the_same_target_are_swept(tmp_path: Path):
    (tmp_path / ".files.tmp-1").write_text("another target's")
    (tmp_path / ".file.tmp").write_text("a person's")
    (tmp_path / "a*b").touch()
    with replacing(tmp_path / "file"), replacing(tmp_path / "*"):
        pass
    assert {".files.tmp-1", ".file.tmp"} < set(os.listdir(tmp_path))


def test_the_temporary_of_a_live_neighbour_is_not_swept(tmp_path: Path):
    process = subprocess.Popen([sys.executable, toy.__file__, "hold", str(tmp_path)], stderr=subprocess.PIPE, text=True)
    assert process.stderr
    try:
        assert process.stderr.readline() == "holding\n"
        held = set(os.listdir(tmp_path))
        with replacing(tmp_path / "file") as [temporary]:
            temporary.write_text("new")
        write_folder(tmp_path / "files", "new", files=1)
        assert set(os.listdir(tmp_path)) == held | {"file", "files"}
    finally:
        process.kill()
        process.communicate()


def test_a_reader_never_misses_a_file_and_never_sees_two_versions_of_a_folder(tmp_path: Path):
    """Read a whole folder through one open descriptor, as a version is swapped for the next again and again."""
    target = tmp_path / "files"
    write_folder(target, "0")
    seen: list[set[str]] = []
    missing: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            try:
                held = os.open(target, os.O_RDONLY)
            except FileNotFoundError:
                missing.append("folder")
                continue
            try:
                seen.append({_content(held, str(number)) for number in range(3)})
            except FileNotFoundError:  # removed under the reader, once it was replaced: it is the old one
                pass
            finally:
                os.close(held)

    reader = threading.Thread(target=read)
    reader.start()
    for version in range(1, 150):
        write_folder(target, str(version))
    stop.set()
    reader.join()
    assert not missing
    assert all(len(contents) == 1 for contents in seen)
    assert len({*map(frozenset, seen)}) > 5, "the reader ran beside the writer"


def _content(folder: int, name: str) -> str:
    descriptor = os.open(name, os.O_RDONLY, dir_fd=folder)
    with open(descriptor) as file:
        return file.read()


def _write_again_and_again(barrier: threading.Barrier, folder: Path, name: str) -> None:
    barrier.wait()
    for _ in range(60):
        write_folder(folder / "files", name)
        with replacing(folder / "file") as [file]:
            file.write_text(name * 1000)


def test_two_writers_leave_one_of_their_outputs_whole(tmp_path: Path):
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(2)
    writers = [context.Process(target=_write_again_and_again, args=(barrier, tmp_path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert [writer.exitcode for writer in writers] == [0, 0]
    left = tree(tmp_path)
    assert left.pop("file") in {"a" * 1000, "b" * 1000}
    assert left in [{"files": "/", **{f"files/{number}": name for number in range(3)}} for name in "ab"]


def test_two_first_writers_of_a_folder_both_succeed(tmp_path: Path):
    """Neither finds a folder when it begins; the second to end finds one."""
    with replacing_folder(tmp_path / "files") as first:
        (first / "0").write_text("first")
        with replacing_folder(tmp_path / "files") as second:
            (second / "0").write_text("second")
        assert tree(tmp_path / "files") == {"0": "second"}
    assert tree(tmp_path) == {"files": "/", "files/0": "first"}


def test_a_sweep_waits_for_nobody(tmp_path: Path):
    with replacing(tmp_path / "file"):
        began = time.monotonic()
        with replacing(tmp_path / "file") as [temporary]:
            temporary.write_text("inner")
        assert time.monotonic() - began < 1
        assert (tmp_path / "file").read_text() == "inner"
    assert tree(tmp_path) == {"file": ""}

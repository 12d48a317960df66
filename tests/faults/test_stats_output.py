"""Rows M3 and M4: metadata.json is wholly old or wholly new, and depends on nothing but the inputs."""

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from unit.stage.sweep import each, faulted, needs_strace, points
from unit.stats import data_sets
from unit.stats.tables import arguments, lay

TABLE = pa.table({"x": np.random.default_rng(1).normal(size=999), "kind": [f"k{row % 31}" for row in range(999)]})
SECRETS = {
    "AWS_SECRET_ACCESS_KEY": "canary-1f0c",
    "PGVECTOR_PASSWORD": "canary-77ab",
    "GITHUB_TOKEN": "canary-9d3e",
    "HOSTNAME": "canary-host",
    "USER": "canary-user",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    lay(tmp_path, TABLE, stats={"distributions": ["kind"]})
    return tmp_path


def command(*more: str) -> list[str]:
    return [sys.executable, "-c", "from stats.cli import cli; cli()", *arguments(Path("table.parquet"), "-q", *more)]


def of_kind(kind: str, *more: str) -> list[str]:
    return [sys.executable, "-c", "from stats.cli import cli; cli()", *data_sets.arguments(kind, "-q", *more)]


def snapshot(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files if path.name != "log"}


def every_fault(argv: list[str], exhaustive: bool) -> None:
    """Fail the calls of the writing one by one; the old file is there or the new, and a rerun mends all."""
    folder = Path.cwd()
    inputs = snapshot(folder)
    found = points(argv, begin=".metadata.json.tmp-", log=folder / "log")
    new = Path("metadata.json").read_bytes()
    before, after = {**inputs, "metadata.json": b"old"}, {**inputs, "metadata.json": new}
    assert {"write", "fsync", "rename", "openat"} <= {point.call for point in found}
    for point, fault in each(found, exhaustive):
        Path("metadata.json").write_bytes(b"old")
        done = faulted(argv, point, fault, folder / "log")
        left = snapshot(folder)
        tidy = {name: content for name, content in left.items() if not name.startswith(".")}
        assert tidy in (before, after), f"{point} {fault}"
        if fault != "signal=KILL":
            assert done.returncode in {0, 50}, f"{point} {fault}: {done.stderr}"
            assert tidy == after or done.returncode, f"{point} {fault}: it said that it was done"
            assert not done.returncode or done.stderr.splitlines()[-1].startswith("error: "), f"{point} {fault}"
            assert left == tidy or point.call in {"openat", "unlink"}, f"{point} {fault}: leftovers"
        subprocess.run(argv, check=True, capture_output=True)
        assert snapshot(folder) == after, f"rerun after {point} {fault}"


@needs_strace
@pytest.mark.parametrize("exhaustive", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["subset", "all"])
def test_a_fault_at_any_call_of_the_writing_leaves_the_old_or_the_new(folder: Path, exhaustive: bool):
    every_fault(command(), exhaustive)


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("kind", ["images", "text", "conversations", "documents"])
def test_a_fault_while_another_kind_is_written_leaves_the_old_or_the_new(folder: Path, kind: str):
    data_sets.lay_small(kind)
    every_fault(of_kind(kind), exhaustive=False)


SURROUNDINGS: list[dict[str, str]] = [
    {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8"},
    {"PYTHONHASHSEED": "4242", "TZ": "America/St_Johns", "LC_ALL": "de_DE.UTF-8", "PYTHONUTF8": "0"},
    {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1", "ARROW_IO_THREADS": "1", "HOME": "/nonexistent"},
]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_same_inputs_give_the_same_bytes_wherever_and_whenever(folder: Path, suffix: str):
    lay(folder, TABLE, suffix, stats={"distributions": ["kind"]}, title="größer")
    argv = [word.replace("table.parquet", f"table{suffix}") for word in command("--tool", "b=2", "--tool", "a=1")]
    assert_same_everywhere(argv, [Path(f"table{suffix}"), Path("samples.parquet")])


@pytest.mark.parametrize("kind", data_sets.FOLDERS)
def test_the_same_data_set_of_any_kind_gives_the_same_bytes(folder: Path, kind: str):
    data_sets.lay_small(kind)
    files = [path for path in Path(data_sets.FOLDERS[kind]).rglob("*") if path.is_file()]
    assert_same_everywhere(of_kind(kind, "--tool", "b=2", "--tool", "a=1"), [*files, Path("samples.parquet")])
    said = Path("metadata.json").read_text()
    assert [value for value in (*SECRETS.values(), str(folder), os.uname().nodename) if value in said] == []
    assert time.strftime("%Y") not in re.sub("[0-9a-f]{32,}", "", said), "no wall clock"


def assert_same_everywhere(argv: list[str], inputs: list[Path]) -> None:
    """Run a command in several surroundings, the inputs with other times; its results must be the same bytes."""
    results = set()
    runs = [(argv, surroundings) for surroundings in SURROUNDINGS]
    if shutil.which("taskset"):
        runs.append((["taskset", "-c", "0", *argv], SURROUNDINGS[0]))
    for words, surroundings in runs:
        Path("metadata.json").unlink(missing_ok=True)
        done = subprocess.run(words, env={"PATH": os.environ["PATH"], **SECRETS, **surroundings}, capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
        results.add((Path("metadata.json").read_bytes(), done.stdout))
        for number, path in enumerate(inputs):
            os.utime(path, (2_000_000_000 * (number % 2),) * 2)
    assert len(results) == 1


def test_no_variable_of_the_environment_occurs_in_the_result(folder: Path):
    done = subprocess.run(command("-v"), env={**os.environ, **SECRETS}, capture_output=True, text=True, check=True)
    said = Path("metadata.json").read_text() + done.stdout + done.stderr
    assert [value for value in SECRETS.values() if value in said] == []
    assert str(folder) not in said
    assert os.uname().nodename not in said

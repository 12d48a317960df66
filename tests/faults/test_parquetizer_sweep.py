"""Fail each system call that touches the outputs of the parquetizer in turn (Q15).

Whatever fails, table and manifest are whole, old or new, and where they do not match, a reader can tell; the next run
ends with the bytes of an undisturbed one and no leftovers.
"""

import dataclasses
import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from faults.strace import DISK, KILL, needs_strace, numbers_within, run_failing
from parquetizer.kinds.table import parquetize_table
from parquetizer.kinds.table_settings import Input, TableSettings
from samples import Column
from stage.errors import ChecksumMismatch
from stats.manifests import verified_manifest

pytestmark = needs_strace

CALLS = ("write", "pwrite64", "fsync", "rename", "renameat2", "openat", "link", "linkat", "unlink", "flock", "close")
SETTINGS = TableSettings((Input("a.csv"), Input("b.csv")), (Column("a", "string"), Column("b", "int64")), key=("a",))
PARAMS = """
dataset: {columns: [{name: a, type: string}, {name: b, type: int64}]}
parquetizer: {inputs: [{file: a.csv}, {file: b.csv}], key: [a]}
"""
RAW = {"a.csv": b"a,b\nx,1\ny,2\n", "b.csv": b"a,b\nx,3\n"}
OLD_RAW = {"a.csv": b"a,b\nold,1\n", "b.csv": b"a,b\nx,3\n"}


@dataclasses.dataclass(frozen=True)
class Pair:
    """The bytes of the table and of the manifest."""

    table: bytes
    manifest: bytes


class Sweep:
    """A folder with raw files and the outputs of an earlier run."""

    def __init__(self, folder: Path, suffix: str) -> None:
        self.folder, self.table, self.samples = folder, folder / f"out/table{suffix}", folder / "out/samples.parquet"
        command = [sys.executable, "-c", "from parquetizer.cli import cli; cli()", "table", "raw"]
        self.command = [*command, str(self.table), str(self.samples), "--params", "params.yaml"]
        (folder / "params.yaml").write_text(PARAMS)
        (folder / "raw").mkdir()
        self.old, self.new = self.made_of(OLD_RAW), self.made_of(RAW)
        self.prepare()
        self.calls = numbers_within(folder / "out", self.command, folder, CALLS)
        self.counts: Counter[str] = Counter()

    def made_of(self, raw: dict[str, bytes]) -> Pair:
        for name, data in raw.items():
            Path("raw", name).write_bytes(data)
        parquetize_table(Path("raw"), self.table, self.samples, SETTINGS)
        return self.found()

    def found(self) -> Pair:
        return Pair(self.table.read_bytes(), self.samples.read_bytes())

    def prepare(self) -> None:
        for path in Path("out").iterdir():
            path.unlink()
        self.table.write_bytes(self.old.table)
        self.samples.write_bytes(self.old.manifest)

    def fail(self, call: str, number: int, fault: str) -> None:
        """Inject one fault and check what it left, and what the next run makes of it."""
        self.prepare()
        run = run_failing(self.command, self.folder, call, fault, number)
        where = f"{fault} at {call} {number}: {run.code} {run.said}"
        assert run.fired, where
        found = self.found()
        assert found.table in (self.old.table, self.new.table), where
        assert found.manifest in (self.old.manifest, self.new.manifest), where
        assert (found.table, found.manifest) != (self.old.table, self.new.manifest), where
        matching = found in (self.old, self.new)
        self.check_reader(matching)
        if fault == KILL:
            assert run.killed, where
        elif run.code == 0:  # nothing was lost: a temporary file has other ways to be made, a close needs no success
            assert found == self.new, where
        else:
            assert run.code == 50, where
            last = run.said.splitlines()[-1]
            assert last.startswith("error: ") and "; fix: " in last and "Traceback" not in run.said, where
        assert {name: Path("raw", name).read_bytes() for name in os.listdir("raw")} == RAW, where
        self.counts["injected"] += 1
        self.counts[f"ended with {run.code}"] += 1
        self.counts[
            f"left {'the older pair' if found == self.old else 'the new pair' if matching else 'a mismatch'}"
        ] += 1
        parquetize_table(Path("raw"), self.table, self.samples, SETTINGS)
        assert self.found() == self.new, where
        assert sorted(os.listdir("out")) == ["samples.parquet", self.table.name], where

    def check_reader(self, matching: bool) -> None:
        if matching:
            verified_manifest(self.samples, self.table)
        else:
            with pytest.raises(ChecksumMismatch) as caught:
                verified_manifest(self.samples, self.table)
            assert caught.value.code == 11


@pytest.fixture
def sweep(tmp_path, monkeypatch, request):
    monkeypatch.chdir(tmp_path)
    made = Sweep(tmp_path, request.param)
    yield made
    print(f"\n{request.node.name}: {dict(sorted(made.counts.items()))}")


@pytest.mark.parametrize("sweep", [".csv"], indirect=True)
@pytest.mark.parametrize(
    ("faults", "injected"),
    [
        pytest.param([("rename", KILL)], 2, id="kills"),
        pytest.param(
            [("rename", DISK[0]), ("write", DISK[0]), ("write", KILL), ("fsync", DISK[1]), ("openat", DISK[0])],
            6,
            id="others",
            marks=pytest.mark.extended,
        ),
    ],
)
def test_the_gravest_faults_leave_whole_files(sweep, faults, injected):
    """Q15: the calls after which something is on the disk for good: each rename, and the last call of the others."""
    for call, fault in faults:
        numbers = [number for name, number in sweep.calls if name == call]
        for number in numbers if call == "rename" else numbers[-1:]:
            sweep.fail(call, number, fault)
    assert sweep.counts["injected"] == injected
    assert sweep.counts["left a mismatch"] == 1  # stopped between the two renames


@pytest.mark.slow
@pytest.mark.parametrize("fault", [*DISK, KILL])
@pytest.mark.parametrize("sweep", [".csv", ".parquet"], indirect=True)
def test_any_fault_leaves_whole_files(sweep, fault):
    """Q15: every call."""
    for call, number in sweep.calls:
        sweep.fail(call, number, fault)
    assert sweep.counts["injected"] == len(sweep.calls) > 20

"""Fail each system call that touches the fetcher's files in turn (F14): full disk, broken disk, sudden death.

Whatever fails, the output is the older set or the new one, and the next run ends with the new one and no leftovers.
"""

import hashlib
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fetcher.download import part_stem

pytestmark = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")

OLD = {"old.txt": b"older", "a.txt": b"older too"}
NEW = {"a.txt": b"first file\n" * 99, "d/b.txt": b"second file\n" * 99}
DISK, KILL = ("error=ENOSPC", "error=EIO"), "signal=KILL"
CALLS = (
    "write openat mkdir rename renameat2 fsync ftruncate unlink unlinkat rmdir flock close lseek read newfstatat "
    "getdents64"
)
ALL = [(call, fault) for call in CALLS.split() for fault in (*DISK, KILL)]
SOME = [("write", DISK[0]), ("fsync", DISK[1]), ("rename", KILL), ("renameat2", KILL), ("unlinkat", KILL)]


@pytest.mark.parametrize(("call", "fault"), SOME)
def test_gravest_faults_leave_the_older_set_or_the_new_one(tmp_path: Path, call: str, fault: str) -> None:
    assert sweep(tmp_path, call, fault) > 0


@pytest.mark.slow
@pytest.mark.parametrize(("call", "fault"), [pair for pair in ALL if pair not in SOME])
def test_any_fault_leaves_the_older_set_or_the_new_one(tmp_path: Path, call: str, fault: str) -> None:
    sweep(tmp_path, call, fault)


def sweep(folder: Path, call: str, fault: str) -> int:
    """Fail the first such call, then the second, until none is left; return how many there were."""
    for number in itertools.count(1):
        place = folder / f"{call}-{number}"
        prepare(place)
        code, said, fired = run(place, call, fault, number)
        tree = files(place / "raw")
        assert tree in (OLD, NEW), f"{call} {number}: {sorted(tree)}"
        if not fired:
            assert code == 0, said
            assert tree == NEW
            return number - 1
        # a descriptor whose close fails is closed all the same, and Python says nothing of it where nothing is lost
        assert code in ({-9} if fault == KILL else {0, 50}), f"{call} {number}: {code} {said}"
        assert code != 0 or tree == NEW, f"{call} {number}: {said}"
        code, said, _ = run(place)
        assert code == 0, f"after {call} {number}: {said}"
        assert files(place / "raw") == NEW
        assert sorted(path.name for path in place.iterdir()) == ["log", "raw", "sample", "sources.csv"]
    raise AssertionError("unreachable")


def prepare(place: Path) -> None:
    for below, content in (("raw", OLD), ("sample", NEW)):
        for name, body in content.items():
            path = place / below / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
    rows = [f"{name},file:sample/{name},{hashlib.sha256(body).hexdigest()},{len(body)}" for name, body in NEW.items()]
    (place / "sources.csv").write_text("\n".join(["name,url,sha256,bytes", *rows, ""]))


def run(place: Path, call: str = "", fault: str = "", number: int = 0) -> tuple[int, str, bool]:
    """Run the fetcher, and fail the call of this number, counted by thread, among those that touch its files."""
    fetch = [sys.executable, "-c", "from fetcher.cli import cli; cli()", "fetch", "--jobs", "1"]
    fetch += map(str, (place / "sources.csv", place / "raw"))  # absolute, as strace compares what is written
    log = place / "log"
    if call:
        staging = place / ".raw.partial"
        parts = [staging / "parts" / f"{part_stem(name)}{kind}" for name in NEW for kind in (".part", ".json")]
        ours = [staging, staging / "files", staging / "parts", staging / "files" / "d", place / "raw", *parts]
        ours += [folder / name for folder in (staging / "files", place / "raw") for name in (*NEW, *OLD)]
        filters = [option for path in ours for option in ("-P", path)]
        inject = ["-e", f"trace={call}", "-e", f"inject={call}:{fault}:when={number}"]
        fetch = ["strace", "-f", "-qq", "-o", str(log), *map(str, filters), *inject, *fetch]
    environment = {**os.environ, "FETCH_MIRROR": "", "FETCH_TRUST": ""}
    done = subprocess.run(fetch, cwd=place, env=environment, capture_output=True, text=True, check=False)
    said = log.read_text() if call else ""
    log.touch()
    return done.returncode, done.stderr, "INJECTED" in said or "killed by SIGKILL" in said


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

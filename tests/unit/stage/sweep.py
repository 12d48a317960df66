"""Fail a program at each of its system calls in turn (strace's fault injection, after SQLite's I/O error tests)."""

import dataclasses
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CALLS = ("write", "fsync", "rename", "renameat2", "openat", "mkdir", "unlink", "unlinkat")
GRAVEST = {"write", "fsync", "rename", "renameat2"}
FAULTS = ("error=ENOSPC", "error=EIO", "signal=KILL")

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="needs strace (apt-get install strace)")


@dataclasses.dataclass(frozen=True)
class Point:
    """The ``number``-th call of its name that the program's main thread makes, counted from 1."""

    call: str
    number: int

    def __str__(self) -> str:
        return f"{self.call} {self.number}"


def points(argv: list[str], begin: str, log: Path) -> list[Point]:
    """Run the program once, untouched; return its calls from the first whose arguments contain ``begin``."""
    _strace(argv, log, f"trace={','.join(CALLS)}").check_returncode()
    lines = log.read_text().splitlines()
    main = lines[0].split()[0]
    numbers, found, begun = dict.fromkeys(CALLS, 0), [], False
    for line in lines:
        match = re.match(rf"{main} +(\w+)\(", line)
        if match and match[1] in numbers:
            numbers[match[1]] += 1
            begun = begun or begin in line
            if begun:
                found.append(Point(match[1], numbers[match[1]]))
    return found


def faulted(argv: list[str], point: Point, fault: str, log: Path) -> subprocess.CompletedProcess[str]:
    """Run the program with one fault at one point; assert that the fault struck."""
    inject = f"inject={point.call}:{fault}:when={point.number}"
    done = _strace(argv, log, f"trace={point.call}", "-e", inject)
    text = log.read_text()
    assert "(INJECTED)" in text or "killed by SIGKILL" in text, f"{point} {fault} did not strike"
    if fault == "signal=KILL":
        assert done.returncode == -signal.SIGKILL or done.returncode == 128 + signal.SIGKILL
    return done


def each(found: list[Point], exhaustive: bool) -> Iterator[tuple[Point, str]]:
    """Yield the points with the faults: all with all, or the gravest points with one fault each, in turn."""
    chosen = found if exhaustive else [point for point in found if point.call in GRAVEST]
    for index, point in enumerate(chosen):
        yield from ((point, fault) for fault in (FAULTS if exhaustive else [FAULTS[index % len(FAULTS)]]))


def _strace(argv: list[str], log: Path, *expressions: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
    command = ["strace", "-f", "-o", str(log), "-e", *expressions, *argv]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)

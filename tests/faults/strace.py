"""Fail the system calls of a command one by one, as SQLite's tests do: full disk, broken disk, sudden death."""

import dataclasses
import os
import re
import shutil
import signal
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

needs_strace = pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")

DISK: Final = ("error=ENOSPC", "error=EIO")
KILL: Final = "signal=KILL"
CALL = re.compile(r"^(?P<thread>\d+) +(?P<call>\w+)\((?P<rest>.*)$")


@dataclasses.dataclass(frozen=True)
class Run:
    """How a traced command ended; ``fired`` says whether the fault was injected."""

    code: int
    said: str
    fired: bool

    @property
    def killed(self) -> bool:
        return self.code == -signal.SIGKILL


def numbers_within(folder: Path, command: Sequence[str], cwd: Path, calls: Sequence[str]) -> list[tuple[str, int]]:
    """Run the command unharmed; return its calls that touch something in ``folder``, and their numbers.

    The command must name its files by absolute paths. strace counts by thread: a number stands for that call of each.
    """
    log = _traced(command, cwd, calls)[1]
    counts: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], None] = {}
    for match in filter(None, map(CALL.match, log.splitlines())):
        counts[match["thread"], match["call"]] += 1
        if f"{folder}/" in match["rest"] or f"{folder}>" in match["rest"] or f'{folder}"' in match["rest"]:
            found[match["call"], counts[match["thread"], match["call"]]] = None
    return sorted(found)


def run_failing(command: Sequence[str], cwd: Path, call: str, fault: str, number: int) -> Run:
    """Run the command and fail its call of this number."""
    done, log = _traced(command, cwd, [call], "-e", f"inject={call}:{fault}:when={number}")
    return Run(done.returncode, done.stderr, "(INJECTED)" in log or "+++ killed by SIGKILL" in log)


def _traced(
    command: Sequence[str], cwd: Path, calls: Sequence[str], *options: str
) -> tuple[subprocess.CompletedProcess[str], str]:
    log = cwd / "strace.log"
    # -y writes the path of every descriptor into the log. --seccomp-bpf would be faster, but sends no signals (6.1).
    strace = ["strace", "-f", "-y", "-o", str(log), "-e", f"trace={','.join(calls)}", *options]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [*strace, *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    text = log.read_text(errors="replace")
    log.unlink()
    return done, text

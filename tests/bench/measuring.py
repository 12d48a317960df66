"""Run whole processes in turn with the obvious way, and account for their time and memory."""

import functools
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from data_registry.clone import repository
from launcher.toolbox import find_tools
from launcher.virtualenvs import virtualenv

ROOT = repository()
RUNS = int(os.environ.get("BENCH_RUNS", "5"))
SLOW_RUNS = min(RUNS, 3)  # where the obvious way takes half a minute
# A small process of its own, for a child's peak is at least its parent's size when it was forked.
METER = """
import os, subprocess, sys, time
started = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss)
sys.exit(status != 0)
"""


@dataclass(frozen=True)
class Run:
    """One run of a process."""

    seconds: float
    cpu: float  # seconds of processor time, user and system
    peak: int  # MB, of the largest of its processes


@functools.cache
def tool_command(name: str) -> list[str]:
    """Return how a tool starts in its own environment, which holds no more than it needs, as its image does."""
    tool = find_tools(ROOT)[name]
    folders = [str(package) for package in tool.packages]
    start = f"import sys; sys.path[:0] = {folders}; sys.argv[0] = {name!r}; from {name}.cli import cli; cli()"
    return [str(virtualenv(tool, ROOT) / "bin" / "python"), "-P", "-c", start]


def measure(*command: str | Path, folder: Path, **variables: str) -> Run:
    """Run a process to its end and account for it, children included."""
    os.sync()  # so that no run pays for the writes of the one before
    environ = {**os.environ, "RUNTIME": "host", **variables}
    metered = [sys.executable, "-S", "-c", METER, *command]
    shown = subprocess.run(metered, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if shown.returncode:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    seconds, cpu, peak = shown.stdout.split()
    return Run(float(seconds), float(cpu), int(peak) // 1000)


def compare(
    name: str,
    bound: str,
    ours: Callable[[], Run],
    theirs: Callable[[], Run],
    runs: int = RUNS,
    clock: Callable[[Run], float] = lambda run: run.seconds,
) -> None:
    """Print a row: medians of both by a clock, and of the ratios pair by pair, after one run of each to warm up.

    It ends with the peaks of both, and how many cores ours kept busy.
    """
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(runs)]
    a, b = (statistics.median(clock(pair[side]) for pair in pairs) for side in (0, 1))
    ratio = statistics.median(clock(mine) / clock(other) for mine, other in pairs)
    peaks = [max(pair[side].peak for pair in pairs) for side in (0, 1)]
    cores = statistics.median(mine.cpu / mine.seconds for mine, _ in pairs)
    figures = f"{a:8.2f} s{b:8.2f} s{ratio:8.2f}x  {bound:<8}{peaks[0]:6d} MB{peaks[1]:6d} MB{cores:7.1f}"
    print(f"{name:<52}{figures}", flush=True)

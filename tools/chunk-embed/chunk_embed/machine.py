"""What of the machine this process may use: its cores and memory, or what the limits of a container leave of them."""

import os
from pathlib import Path
from typing import Final

MEMINFO: Final = Path("/proc/meminfo")
CGROUP: Final = Path("/sys/fs/cgroup")  # as a container sees its own; kernels have one of two layouts
NO_LIMIT: Final = {"max", "-1"}


def usable_cores() -> int:
    """Return the number of cores that the process may run on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    words = _words("cpu.max") or [*_words("cpu/cpu.cfs_quota_us"), *_words("cpu/cpu.cfs_period_us")]
    if len(words) != 2 or words[0] in NO_LIMIT:
        return allowed
    return max(1, min(allowed, int(words[0]) // int(words[1])))


def usable_memory() -> int | None:
    """Return the bytes that are available, or the container's limit if that is less; None where nothing says."""
    found = [int(word) for word in _words("memory.max") or _words("memory/memory.limit_in_bytes") if word.isdigit()]
    lines = MEMINFO.read_text().splitlines() if MEMINFO.is_file() else []
    found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return min(found, default=None)


def _words(name: str) -> list[str]:
    try:
        return (CGROUP / name).read_text().split()
    except OSError:
        return []

"""The cores and memory that this process may use, with the limits of a container."""

import os
from pathlib import Path
from typing import Final

MEMINFO: Final = Path("/proc/meminfo")
CGROUP: Final = Path("/sys/fs/cgroup")  # of the container itself; kernels have one of two layouts
NO_LIMIT: Final = {"max", "-1"}


def usable_cores() -> int:
    """Return the number of cores that the process may run on."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = _read("cpu.max") or [*_read("cpu/cpu.cfs_quota_us"), *_read("cpu/cpu.cfs_period_us")]
    if len(limit) != 2 or limit[0] in NO_LIMIT:
        return allowed
    return max(1, min(allowed, int(limit[0]) // int(limit[1])))


def usable_memory() -> int | None:
    """Return the available bytes, or the container's limit if that is less; None if neither is known."""
    sizes = [int(text) for text in _read("memory.max") or _read("memory/memory.limit_in_bytes") if text.isdigit()]
    lines = MEMINFO.read_text().splitlines() if MEMINFO.is_file() else []
    sizes += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
    return min(sizes, default=None)


def _read(name: str) -> list[str]:
    try:
        return (CGROUP / name).read_text().split()
    except OSError:
        return []

"""Feed damaged documents to a reader, in bounded time and memory."""

import re
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from faults.foreign_readers import READERS
from faults.mutation import damaged, damaged_bytes

SECONDS = 10  # that an example may take
MEMORY = 512 << 20  # that a process may have
HOUR = 3600


def limit_process() -> None:
    """Let this process have no more than MEMORY, and an hour of processor time.

    What it may write to counts, and not what it does: Arrow reserves a gigabyte, which is allowed besides.
    """
    sizes = memory_sizes()
    limit = MEMORY + sizes["Data"] - sizes["RSS"]
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CPU, (HOUR, HOUR))


def fuzz(name: str, seeds: range) -> tuple[float, int]:
    """Feed damaged documents to a reader; return the seconds of the slowest, and the peak memory in bytes."""
    reader, slowest = READERS[name], 0.0
    for seed in seeds:
        if reader.document is None:
            content = damaged_bytes(reader.content, seed)
        else:
            content = damaged(reader.document, reader.content, seed, reader.write)
        started = time.process_time()
        try:
            with alarm():
                reader.read(content)
        except reader.expected as error:
            assert re.fullmatch(r"[^\n]{1,5000}", str(error).replace("\n", " ")), f"{name} {seed}: {error}"
        except BaseException as error:
            raise AssertionError(f"{name}, seed {seed}: {error!r} of {content[:300]!r}") from error
        took = time.process_time() - started
        assert took < SECONDS, f"{name}, seed {seed}: {took:.1f} s"
        slowest = max(slowest, took)
    return slowest, memory_sizes()["HWM"]


def memory_sizes() -> dict[str, int]:
    """Return the bytes of this process's memory, by the name that Linux has for each: RSS, HWM (the peak), Data.

    Not by `getrusage`, whose peak is the parent's where that is larger: a child begins as a copy of it.
    """
    lines = re.findall(r"^Vm(Data|RSS|HWM):\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return {name: int(size) << 10 for name, size in lines}


class TooSlow(BaseException):
    """An example took too long, or waits for what never comes; no reader may take it for an error of its own."""


@contextmanager
def alarm() -> Iterator[None]:
    """Raise TooSlow in what takes more than its seconds of processor time, or six times as long in all."""

    def ring(_: int, frame: FrameType | None) -> None:
        raise TooSlow(f"more than {SECONDS} s, at {frame}")

    clocks = {signal.SIGPROF: (signal.ITIMER_PROF, SECONDS), signal.SIGALRM: (signal.ITIMER_REAL, 6 * SECONDS)}
    before = {number: signal.signal(number, ring) for number in clocks}
    for clock, seconds in clocks.values():
        signal.setitimer(clock, seconds)
    try:
        yield
    finally:
        for number, (clock, _) in clocks.items():
            signal.setitimer(clock, 0)
            signal.signal(number, before[number])

"""The processes below a process, as Linux knows them."""

import os
import re
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    born: int  # in ticks since the machine was: with the number, it is no other process
    spent: float  # seconds of processor time
    command: str

    def kill(self) -> None:
        if self.lives():
            os.kill(self.pid, signal.SIGKILL)

    def lives(self) -> bool:
        found = look(self.pid)
        return found is not None and found.born == self.born


def look(pid: int) -> Process | None:
    """Return a process; None if there is none, or only what is left of it."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    if fields[0] == "Z":
        return None
    return Process(pid, int(fields[1]), int(fields[19]), (int(fields[11]) + int(fields[12])) / TICKS, command)


def below(pid: int) -> list[Process]:
    """Return the processes that a process started, and those that these did."""
    everything = [look(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()]
    known = {pid}
    found: list[Process] = []
    while more := [each for each in everything if each and each.parent in known and each.pid not in known]:
        known |= {each.pid for each in more}
        found += more
    return found


def named(pid: int, name: str) -> list[Process]:
    """Return those below a process whose command has that name in it."""
    return [each for each in below(pid) if name in each.command]


def gone(processes: list[Process], seconds: float) -> bool:
    """Wait until none of them lives any more."""
    end = time.monotonic() + seconds
    while any(each.lives() for each in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def listening(pid: int) -> set[str]:
    """Return the addresses at which a process and those below it listen, as ss has them."""
    pids = {pid, *(each.pid for each in below(pid))}
    shown = subprocess.run(["ss", "-ltnpH"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(maxsplit=5) for line in shown.splitlines()]
    ours = [row for row in rows if len(row) == 6 and pids & {int(each) for each in re.findall(r"pid=(\d+)", row[5])}]
    return {row[3].rpartition(":")[0] for row in ours}

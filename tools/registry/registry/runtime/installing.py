"""pip at work, which takes minutes: what it has fetched and installed so far. Standard library only."""

import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

EVERY = 5.0  # seconds between two lines
PIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*==", re.MULTILINE)
SEEN = re.compile(r"^(?:Collecting|Processing|Ignoring) ", re.MULTILINE)
IGNORED = re.compile(r"^Ignoring ", re.MULTILINE)  # for another system or Python


def install_lock(pip: list[str], lock: Path, environment: Path, name: str, every: float = EVERY) -> None:
    """Install what a lock pins, by hash, and say on stderr every few seconds how far that is.

    Raises CalledProcessError where pip fails, after its own words.
    """
    # Bytecode is made where a module is first imported: few of them ever are, and pip takes half of its time for it.
    command = [*pip, "install", "--no-compile", "--require-hashes", "-r", str(lock)]
    total = len(PIN.findall(lock.read_text(encoding="utf-8")))
    before, started = _installed(environment), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        said, complaints = Path(folder) / "stdout", Path(folder) / "stderr"
        with (
            said.open("w") as stdout,
            complaints.open("w") as stderr,
            subprocess.Popen(command, stdout=stdout, stderr=stderr) as process,
        ):
            while _runs(process, every):
                done = _done(said.read_text(errors="replace"), _installed(environment) - before, total)
                _say(f"{name}: {done} packages, {time.monotonic() - started:.0f} s")
        if process.returncode:
            _say(complaints.read_text(errors="replace").rstrip())
            raise subprocess.CalledProcessError(process.returncode, command)


def _runs(process: subprocess.Popen[bytes], patience: float) -> bool:
    try:
        process.wait(patience)
    except subprocess.TimeoutExpired:
        return True
    return False


def _done(said: str, installed: int, total: int) -> str:
    """Return what pip has done, by what it has said and, once it installs, by what is there."""
    if "\nInstalling collected packages" in said:
        return f"installed {installed} of {total - len(IGNORED.findall(said))}"
    return f"fetched {len(SEEN.findall(said))} of {total}"


def _installed(environment: Path) -> int:
    return sum(1 for _ in environment.glob("lib/python*/site-packages/*.dist-info"))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

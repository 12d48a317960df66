"""pip at work, which takes minutes: what it has fetched and installed so far. Standard library only."""

import ast
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from launcher.variables import without_python

EVERY = 5.0  # seconds between two lines
PIN = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*==", re.MULTILINE)
SEEN = re.compile(r"^(?:Collecting|Processing|Ignoring) ", re.MULTILINE)
IGNORED = re.compile(r"^Ignoring ", re.MULTILINE)  # for another system or Python

# What the user may tell pip: where packages come from, and how to reach that. Not what it does with them.
SOURCES = {
    *("index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "cert", "client-cert", "proxy"),
    *("timeout", "default-timeout", "retries", "resume-retries", "keyring-provider", "cache-dir", "no-cache-dir"),
    *("use-deprecated", "use-feature"),
}
SETTING = re.compile(r"^(?:global|install|:env:)\.([a-z-]+)=(.*)$", re.MULTILINE)


class PipFailed(Exception):
    """pip has ended with an exit code of its own, after its own words."""

    def __init__(self, command: list[str], code: int, text: str) -> None:
        self.command, self.code = command, code
        self.is_disk_full = "No space left on device" in text or "Disk quota exceeded" in text
        super().__init__(f"{command[0]}: {code}")


def pip_environment(python: Path) -> dict[str, str]:
    """Return the variables for pip, in which the user's settings are those of where packages come from, and no others.

    PIP_USER, PIP_TARGET, PIP_PREFIX and their like, also in pip's own files, would put the packages elsewhere.
    """
    known = without_python(os.environ)
    command = [str(python), "-I", "-m", "pip", "config", "list", "-vvv"]  # however quiet pip is told to be
    listed = subprocess.run(command, env={**known, "PIP_QUIET": "", "PIP_VERBOSE": ""}, capture_output=True, text=True)
    environ = {name: value for name, value in known.items() if not name.startswith("PIP_")}
    environ["PIP_CONFIG_FILE"] = os.devnull  # what is in pip's files stands in the variables now
    for name, value in SETTING.findall(listed.stdout):  # later ones win, as with pip
        if name in SOURCES:
            environ[f"PIP_{name.upper().replace('-', '_')}"] = str(ast.literal_eval(value))
    return environ


def install_lock(
    pip: list[str],
    lock_file: Path,
    environment: Path,
    name: str,
    every: float = EVERY,
    environ: Mapping[str, str] | None = None,
    lock: int | None = None,
) -> None:
    """Install what a lock file pins, by hash, and say on stderr every few seconds how far that is.

    pip holds the descriptor ``lock`` as long as it lives. Raises PipFailed, after pip's own words.
    """
    # Bytecode is made where a module is first imported: few of them ever are, and pip takes half of its time for it.
    command = [*pip, "install", "--no-compile", "--require-hashes", "-r", str(lock_file)]
    total = len(PIN.findall(lock_file.read_text(encoding="utf-8")))
    before, started = _installed(environment), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        said, complaints = Path(folder) / "stdout", Path(folder) / "stderr"
        with (
            said.open("w") as stdout,
            complaints.open("w") as stderr,
            subprocess.Popen(
                command, stdout=stdout, stderr=stderr, env=environ, pass_fds=() if lock is None else (lock,)
            ) as process,
        ):
            try:
                while _runs(process, every):
                    done = _done(said.read_text(errors="replace"), _installed(environment) - before, total)
                    _say(f"{name}: {done} packages, {time.monotonic() - started:.0f} s")
            except BaseException:
                process.terminate()
                raise
        if process.returncode:
            text = complaints.read_text(errors="replace").rstrip()
            _say(text)
            raise PipFailed(command, process.returncode, text)


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

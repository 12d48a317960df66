"""Run git without a shell, and read a repository at any revision without checking it out."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from stage.errors import ReleaseRefused, StageError

QUIET = {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}  # never wait at a prompt; messages as this code knows them


class GitFailed(StageError):
    """Git ended with an error; ``said`` is what it wrote."""

    code = ReleaseRefused.code

    def __init__(self, arguments: tuple[str, ...], said: str) -> None:
        self.said = said
        lines = [line.removeprefix("fatal: ").removeprefix("error: ") for line in said.splitlines() if line.strip()]
        super().__init__(f"git {arguments[0]}", lines[0] if lines else "failed without a word", "see what git says")


class Git:
    """The repository in, or above, a folder; bare ones too."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, said: str | None = None, **environ: str) -> str:
        """Run git and return what it prints, without the last line end. Raises GitFailed."""
        return (
            self.output(*arguments, said=said.encode() if said is not None else None, **environ).decode().rstrip("\n")
        )

    def output(self, *arguments: str, said: bytes | None = None, **environ: str) -> bytes:
        """Run git and return the bytes that it prints. Raises GitFailed."""
        done = self.run(*arguments, said=said, environ=environ)
        if done.returncode:
            raise GitFailed(arguments, (done.stderr + done.stdout).decode(errors="replace"))
        return done.stdout

    def run(
        self, *arguments: str, said: bytes | None = None, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git, however it ends."""
        known = {**os.environ, **QUIET, **(environ or {})}
        return subprocess.run(["git", *arguments], cwd=self.folder, env=known, input=said, capture_output=True)

    def resolve(self, revision: str) -> str | None:
        """Return the object that a revision names, or None."""
        done = self.run("rev-parse", "-q", "--verify", "--end-of-options", revision)
        return done.stdout.decode().strip() if done.returncode == 0 else None

    def show(self, revision: str, path: str) -> bytes | None:
        """Return a file as it was at a revision, or None where there was none."""
        done = self.run("cat-file", "blob", f"{revision}:{path}")
        return done.stdout if done.returncode == 0 else None

    def files(self, revision: str, folder: str) -> list[str]:
        """Return the paths of the files below a folder at a revision."""
        return [
            name
            for name in self("ls-tree", "-r", "-z", "--name-only", revision, "--", f"{folder}/").split("\0")
            if name
        ]


class Reading(Git):
    """A repository that many files are read from: one process gives them all, whichever thread asks."""

    _HEAD = re.compile(rb"[0-9a-f]{40,64} (?P<kind>\w+) (?P<size>\d+)\n")  # git-cat-file(1), batch output

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._turn = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    @contextmanager
    def opened(self) -> Iterator[Self]:
        """Keep the process for as long; without it, each file costs one of its own."""
        command = ["git", "cat-file", "--batch"]
        with subprocess.Popen(command, cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            self._process = process
            try:
                yield self
            finally:
                self._process = None
                process.communicate()

    def show(self, revision: str, path: str) -> bytes | None:
        """Return a file as it was at a revision, or None where there was none. Raises GitFailed."""
        name = f"{revision}:{path}"
        with self._turn:
            if not self._process or not self._process.stdin or not self._process.stdout or "\n" in name:
                return super().show(revision, path)
            with suppress(BrokenPipeError):  # it has ended; so it answers nothing
                self._process.stdin.write(f"{name}\n".encode())
                self._process.stdin.flush()
            line = self._process.stdout.readline()
            head = self._HEAD.fullmatch(line)
            content = self._process.stdout.read(int(head["size"]) + 1)[:-1] if head else b""
        if not line:
            raise GitFailed(("cat-file",), "ended early")
        return content if head and head["kind"] == b"blob" else None

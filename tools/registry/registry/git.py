"""Run git without a shell, and read a repository at any revision without checking it out."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

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

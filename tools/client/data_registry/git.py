"""Run git without a shell, and read a repository at any revision without checking it out."""

import functools
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from data_registry.git_settings import command, command_name, environment
from data_registry.stage.errors import DiskFull, ReleaseRefused, StageError

OLDEST = (2, 31)
ANYWHERE = {"clone", "init", "version", "--version"}  # commands that look at no repository around them
NO_PUSH = "failed to push some refs"  # what git adds to every push that fails
OWNER_CURE = re.compile(r"git config --global --add safe\.directory (.+)")
FULL = re.compile(r"^(?!remote: ).*(?:No space left on device|Disk quota exceeded)", re.MULTILINE)  # here, not there
GOES_ON = re.compile(r":\n[\t ]+(?=\S)")
OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class GitUnusable(StageError):
    """Git is not installed, or a folder is no repository that it may be used in."""

    code = ReleaseRefused.code


class GitFailed(StageError):
    """Git ended with an error; ``stderr`` is what it wrote, ``cure`` the command that git suggests."""

    code = ReleaseRefused.code

    def __init__(self, arguments: tuple[str, ...], stderr: str) -> None:
        self.stderr, self.cure = stderr, _cure(stderr)
        if FULL.search(stderr):
            self.code, self.cure = DiskFull.code, "free some disk space (df -h), then run again"
        super().__init__(f"git {arguments[0]}", _reason(stderr), self.cure or "see what git says")


class Git:
    """The repository in, or above, a folder; bare ones and linked worktrees too.

    The folder alone decides which repository that is: neither GIT_DIR nor any other variable does. Every method raises
    GitUnusable where there is none, or git may not use it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, *arguments: str, stdin: str | None = None, **environ: str) -> str:
        """Run git and return what it prints, without the last line end. Raises GitFailed.

        Bytes that are not UTF-8, in the name of a file or the message of a tag, become what ``os.fsdecode`` makes of
        them; given back to git they are the same bytes.
        """
        printed = self.output(*arguments, stdin=stdin.encode() if stdin is not None else None, **environ)
        return printed.decode(errors="surrogateescape").rstrip("\n")

    def output(self, *arguments: str, stdin: bytes | None = None, **environ: str) -> bytes:
        """Run git and return the bytes that it prints. Raises GitFailed."""
        done = self.run(*arguments, stdin=stdin, environ=environ)
        if done.returncode:
            raise _failed(arguments, done)
        return done.stdout

    def run(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        environ: Mapping[str, str] | None = None,
        timeout: float | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run git, however it ends. Raises TimeoutExpired where it takes more than ``timeout`` seconds."""
        with self._started(*arguments, environ=environ, alone=timeout is not None) as process:
            try:
                stdout, stderr = process.communicate(stdin, timeout)
            except BaseException:
                if timeout is not None:  # its helpers hold the pipes
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def resolve(self, revision: str) -> str | None:
        """Return the object that a revision names, or None. Raises GitFailed where it cannot be read."""
        done = self._resolved(revision)
        if done.returncode == 0:
            return done.stdout.decode().strip()
        if done.returncode != 1:
            raise _failed(("rev-parse",), done)
        name = revision.partition("^{")[0]
        if not OBJECT.fullmatch(name):
            self._check_ref(name)
        return None

    def show(self, revision: str, path: str) -> bytes | None:
        """Return a file as it was at a revision, or None where there was none. Raises GitFailed."""
        done = self.run("cat-file", "blob", f"{revision}:{path}")
        if done.returncode == 0:
            return done.stdout
        if self._entry(revision, path) == "blob":
            raise _failed(("cat-file",), done)
        return None

    def files(self, revision: str, folder: str) -> list[str]:
        """Return the paths of the files below a folder at a revision. Raises GitFailed."""
        listed = self("ls-tree", "-r", "-z", "--name-only", "--full-tree", revision, "--", f"{folder}/")
        return [name for name in listed.split("\0") if name]

    def is_ancestor(self, commit: str, other: str) -> bool:
        """Say whether a commit is another one, or before it. Raises GitFailed where git cannot say."""
        done = self.run("merge-base", "--is-ancestor", commit, other)
        if done.returncode not in {0, 1}:
            raise _failed(("merge-base",), done)
        return done.returncode == 0

    def _entry(self, revision: str, path: str) -> str:
        """Return the kind of what is at a path, empty where nothing is. Raises GitFailed where git cannot say."""
        listed = self("ls-tree", "-z", "--full-tree", revision, "--", path)
        return listed.split()[1] if listed else ""

    def _resolved(self, revision: str) -> subprocess.CompletedProcess[bytes]:
        return self.run("rev-parse", "-q", "--verify", "--end-of-options", revision)

    def _check_ref(self, name: str) -> None:
        """Raise GitFailed for a name that is there, and does not lead to an object that can be read."""
        if self._resolved(name).returncode:
            listed = self.run("for-each-ref", name)
            if listed.returncode or b"broken ref" in listed.stderr:
                raise _failed(("for-each-ref",), listed)
            return
        target = self._resolved(f"{name}^{{}}")
        if target.returncode:
            raise GitFailed(("rev-parse",), f"error: {name} leads to an object that is missing or damaged")
        if self("cat-file", "-t", target.stdout.decode().strip()) == "commit":  # which always has a tree
            raise GitFailed(("rev-parse",), f"error: the tree of {name} is missing or damaged")

    @contextmanager
    def _started(
        self, *arguments: str, environ: Mapping[str, str] | None = None, alone: bool = False, errors: bool = True
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Start git; ``alone`` in a session of its own, where nothing it starts can ask at a terminal."""
        where = () if command_name(arguments) in ANYWHERE else self._where
        with _start(command(arguments, where), self.folder, environ, alone, errors) as process:
            yield process

    @functools.cached_property
    def _where(self) -> tuple[str, ...]:
        """The options that name the repository: found once, by looking at the folder."""
        # A bare repository that the user names is named on purpose, whatever safe.bareRepository says.
        line = ["git", "-c", "safe.bareRepository=all", "rev-parse"]
        line += ["--is-bare-repository", "--show-cdup", "--absolute-git-dir"]
        with _start(line, self.folder) as process:
            stdout, stderr = process.communicate()
        if process.returncode:
            raise _unusable(self.folder, stderr.decode(errors="replace"))
        bare, _, place = os.fsdecode(stdout).removesuffix("\n").partition("\n")
        if bare == "true":
            return (f"--git-dir={place}", "--bare")
        up, _, place = place.partition("\n")
        return (f"--git-dir={place}", f"--work-tree={(self.folder / up).resolve()}")


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
        with self._started("cat-file", "--batch", errors=False) as process:
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
            size = int(head["size"]) if head else 0
            content = self._process.stdout.read(size + 1)[:-1] if head else b""
        if not line or len(content) < size:  # it has ended; a process of its own can say why
            return super().show(revision, path)
        if not head and self._entry(revision, path) == "blob":
            raise GitFailed(("cat-file",), f"error: {name} is missing or damaged")
        return content if head and head["kind"] == b"blob" else None


@contextmanager
def _start(
    line: list[str],
    folder: Path,
    environ: Mapping[str, str] | None = None,
    alone: bool = False,
    errors: bool = True,
) -> Iterator[subprocess.Popen[bytes]]:
    try:
        process = subprocess.Popen(
            line,
            cwd=folder,
            env=environment(os.environ, environ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if errors else subprocess.DEVNULL,
            start_new_session=alone,
        )
    except FileNotFoundError as error:
        if folder.is_dir():
            raise missing() from error
        raise
    with process:
        yield process


def missing() -> GitUnusable:
    """Return the error for a machine without git."""
    return GitUnusable("git", "not found", f"install git {OLDEST[0]}.{OLDEST[1]} or later")


def _failed(arguments: tuple[str, ...], done: subprocess.CompletedProcess[bytes]) -> GitFailed:
    return GitFailed(arguments, (done.stderr + done.stdout).decode(errors="replace"))


def _unusable(folder: Path, stderr: str) -> GitUnusable:
    if "not a git repository" in stderr:
        return GitUnusable(folder, "not a git repository", "git clone it")
    return GitUnusable(folder, _reason(stderr), _cure(stderr) or "correct what git says, then run again")


def _cure(stderr: str) -> str:
    """Return the command that git names against a repository of another owner, or nothing."""
    match = OWNER_CURE.search(stderr)
    return match[0].strip() if match else ""


def _reason(stderr: str) -> str:
    """Return git's own error line: not a banner of the server, a warning, or a hint before it.

    A line that ends in a colon goes on in the indented ones below it.
    """
    lines = [line.strip() for line in GOES_ON.sub(": ", stderr).splitlines() if line.strip()]
    for start in ("fatal: ", "error: "):
        for number, line in enumerate(lines):
            if line.startswith(start) and NO_PUSH not in line:
                text = line.removeprefix(start)
                if number and text.startswith("Could not read from remote"):  # ssh has said why, just before
                    return f"{text} ({lines[number - 1]})"
                return text
    plain = [line for line in lines if not line.startswith(("warning: ", "hint: "))]
    first = (plain or lines or ["ended with an error and no message"])[0]
    return first.removeprefix("error: ")

"""A clone that keeps its data on the stack's MinIO, and the commands that people run in it."""

import dataclasses
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from conftest import make_clone
from integration.stack import Stack

DVC = Path(sys.executable).with_name("dvc")


@dataclasses.dataclass(frozen=True)
class Clone:
    """A clone of the working tree; ``known`` is the environment of the person in it."""

    folder: Path
    known: dict[str, str]

    def run(self, *command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env={**self.known, **variables}, text=True, capture_output=True, timeout=300
        )

    def registry(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return self.run("tools/run", "registry", *arguments, **variables)

    def point(self, endpoint: str, place: str) -> None:
        """Make the remote docker mean a place of the test's own, as each machine may."""
        config = f"['remote \"docker\"']\n    url = s3://{place}\n    endpointurl = {endpoint}\n"
        (self.folder / ".dvc" / "config.local").write_text(config)

    def forget(self, name: str, *outputs: str) -> None:
        """Delete the cache and the data of a dataset."""
        shutil.rmtree(self.folder / ".dvc" / "cache", ignore_errors=True)
        for output in outputs:
            path = self.folder / "data" / name / output
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)

    def copy(self, folder: Path, *forgotten: str) -> "Clone":
        """Return another clone with the same commits, without cache and data: what a colleague has."""
        left_out = shutil.ignore_patterns("cache", "tmp", ".venvs", *forgotten)
        shutil.copytree(self.folder, folder, symlinks=True, ignore=left_out)
        return Clone(folder, self.known)

    def damaged_in_cache(self) -> list[Path]:
        """Return what the cache has under the name of other bytes."""
        cached = (self.folder / ".dvc" / "cache" / "files" / "md5").glob("[0-9a-f][0-9a-f]/" + "[0-9a-f]" * 30 + "*")
        return [path for path in cached if md5(path) != (path.parent.name + path.name).removesuffix(".dir")]


def clone_of(root: Path, folder: Path, stack: Stack, place: str) -> Clone:
    """Return a clone whose remote docker is a place, a bucket and prefix, on the stack's MinIO."""
    programs = f"{DVC.parent}:{os.environ['PATH']}"
    clone = Clone(make_clone(root, folder), {**stack.environ, "RUNTIME": "host", "PATH": programs})
    clone.point(stack.environ["AWS_ENDPOINT_URL"], place)
    return clone


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


def tree(folder: Path) -> dict[str, str]:
    """Return the digest of every file."""
    return {str(path.relative_to(folder)): md5(path) for path in sorted(folder.rglob("*")) if path.is_file()}


def error_line(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the one line that a failure must end in, without a traceback."""
    assert done.returncode == code, done.stdout + done.stderr
    lines = [line for line in done.stderr.splitlines() if line.lower().startswith("error:")]
    assert len(lines) == 1 and done.stderr.splitlines()[-1] == lines[0], done.stderr
    assert "; fix: " in lines[0] and "Traceback" not in done.stderr
    return lines[0]

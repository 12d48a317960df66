"""A full .git, cache, workspace and temporary folder: exit 50 and the place, and a rerun with room is whole."""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from unit.registry.release_world import check_whole
from unit.registry.tiny import make_registry, tags

pytestmark = pytest.mark.slow

# Gives a folder ($0) that is kept elsewhere ($1) a disk of its own, which is full but for $2 KiB; runs a command; and
# takes what is in the folder back.
SMALL = """\
mount -t tmpfs -o size=16m tmpfs "$0" && cp -a "$1/." "$0" || exit 99
head -c $(( $(df --output=avail -B1 "$0" | tail -n 1) - $2 * 1024 )) /dev/zero > "$0/.filler.tmp-0"
kept=$1; shift 2; "$@"; code=$?
rm -rf "$kept" && cp -a "$0" "$kept" && rm "$kept/.filler.tmp-0"; exit $code
"""
COMMAND = "import sys; sys.argv[0] = 'registry'; from registry.cli import cli; cli()"
BUILD = """\
from pathlib import Path
from registry.build.pipeline import reproduce
from registry.datasets import find_datasets
from data_registry.stage.command import Tool
cli = Tool("registry")
@cli.command()
def build():
    reproduce(find_datasets(Path.cwd(), "greetings")[0], Path.cwd())
cli()
"""
RELEASE = [sys.executable, "-P", "-c", COMMAND, "release", "greetings", "--version", "1.0.0"]
KNOWN = {**os.environ, "ENV": "local", "RUNTIME": "host"}


def on_full_disk(clone: Path, folder: str, left: int, command: list[str]) -> str:
    """Run a command in the clone where a folder's disk is full; return the error line, or nothing where it fits."""
    kept, place = clone.parent / "kept", clone / folder
    place.mkdir(parents=True, exist_ok=True)
    shutil.copytree(place, kept, symlinks=True)
    known = {**KNOWN, "REGISTRY_ROOT": str(clone)}
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", SMALL, place, kept, str(left), *command],
        cwd=clone,
        env=known,
        text=True,
        capture_output=True,
    )
    if done.returncode == 99 or "unshare: " in done.stderr:
        pytest.skip("nothing can be mounted here")
    shutil.rmtree(place)
    kept.rename(place)
    assert done.returncode in (0, 50), done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.splitlines()[-1] if done.returncode else ""


@pytest.mark.parametrize(("folder", "left"), [(".git", 0), (".git", 8), (".git", 16), (".dvc/tmp", 0)])
def test_release_on_a_full_disk(tmp_path: Path, folder: str, left: int) -> None:
    clone = make_registry(tmp_path)
    line = on_full_disk(clone, folder, left, RELEASE)
    if left == 0:
        assert line.startswith(("error: git ", "error: .dvc/tmp: ")) and "; fix: free some disk space (df -h)" in line
    if line:
        assert tags(tmp_path / "origin.git") == {}
    subprocess.run(RELEASE, cwd=clone, env={**KNOWN, "REGISTRY_ROOT": str(clone)}, check=True)
    check_whole(tmp_path)


STAGES = {
    "first": {"cmd": "mkdir -p raw && seq 20000 > raw/a.txt && seq 2 20000 > raw/b.txt", "outs": ["raw"]},
    "second": {
        "cmd": "mkdir -p processed && cp raw/a.txt processed/data.csv || exit 50",
        "deps": ["raw"],
        "outs": ["processed/data.csv"],
    },
}


@pytest.mark.parametrize(
    ("folder", "left"),
    [*((".dvc/cache", left) for left in (0, 8, 64, 256)), *(("data/greetings/processed", left) for left in (0, 64))],
)
def test_build_on_a_full_disk(tmp_path: Path, folder: str, left: int) -> None:
    clone = make_registry(tmp_path)
    data, cache = clone / "data/greetings", clone / ".dvc/cache/files/md5"
    (data / "dvc.yaml").write_text(yaml.safe_dump({"stages": STAGES}))
    (data / "dvc.lock").unlink()
    command = [sys.executable, "-P", "-c", BUILD, "build"]
    line = on_full_disk(clone, folder, left, command)
    if left < 256:
        assert "no space left; fix: free some disk space" in line or "second failed with exit 50" in line, line
    subprocess.run(command, cwd=clone, env=KNOWN, check=True)
    expected = "".join(f"{number}\n" for number in range(1, 20001))
    assert (data / "processed/data.csv").read_text() == (data / "raw/a.txt").read_text() == expected
    for path in cache.glob("??/*"):
        digest = hashlib.md5(path.read_bytes()).hexdigest()
        assert path.name.startswith(".") or (path.parent.name + path.name).removesuffix(".dir") == digest

"""Releases that are killed, run out of disk, or race each other (faults V1, V10).

Whatever happens, every tag that the origin has can be cloned and verified, none has moved, and the same command again
finishes the release or says that it is done.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import GIT
from faults.strace import DISK, KILL, needs_strace
from unit.registry.tiny import ROWS, another_clone, build, make_registry, tags

RELEASE = """
import os, sys
sys.argv[0] = "registry"
from registry.cli import cli
cli()
"""
# Killed before each of these: every start of git, and every step of a write.
CALLS = ("vfork", "rename", "fsync", "openat")
MORE = (*ROWS, ("d", 4))
PARTS = 4  # of the sweep over all steps, which run side by side
RACES = 100


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world in which greetings 1.0.0 is released, and both datasets have changed since."""
    folder = tmp_path_factory.mktemp("template")
    clone = make_registry(folder)
    assert release(clone, "greetings", "1.0.0").returncode == 0
    build(clone, "greetings", MORE)
    return folder


def command(name: str, version: str) -> list[str]:
    return [sys.executable, "-c", RELEASE, "release", name, "--version", version, "--remote", "local"]


def known(clone: Path) -> dict[str, str]:
    return {**os.environ, "REGISTRY_ROOT": str(clone), "ENV": "local", "PYTHONDONTWRITEBYTECODE": "1"}


def release(clone: Path, name: str, version: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(name, version), cwd=clone, env=known(clone), text=True, capture_output=True)


def traced(clone: Path, *options: str) -> tuple[int, str]:
    """Run the release under strace, which follows no children unless told to; return its code and the log."""
    log = clone.parent / "strace.log"
    run = ["strace", "-o", str(log), *options, *command("greetings", "1.1.0")]
    done = subprocess.run(run, cwd=clone, env=known(clone), text=True, capture_output=True)
    return done.returncode, log.read_text(errors="replace")


def check_world(world: Path, before: dict[str, str]) -> dict[str, str]:
    """Every tag is where it was, or new; and each can be cloned and verified by somebody else."""
    from data_registry.git import Git
    from data_registry.releases.release import Release
    from data_registry.releases.versions import TAG, Version
    from data_registry.store.objects import find_faults
    from data_registry.store.remote import open_store

    after = tags(world / "origin.git")
    assert before.items() <= after.items(), "a tag moved"
    fresh = world / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    subprocess.run([*GIT, "clone", "-q", "origin.git", "fresh"], cwd=world, check=True)
    for tag in after:
        found = TAG.fullmatch(tag)
        assert found
        seen = Release(Git(fresh), found["name"], Version.parse(found["version"]))
        assert find_faults(seen, open_store(Git(fresh), f"refs/tags/{tag}", "local")) == [], tag
        assert seen.logical_hash in Git(fresh)("cat-file", "tag", f"refs/tags/{tag}")
    return after


def finish(world: Path) -> None:
    """The same command again finishes it, or finds it done."""
    again = release(world / "clone", "greetings", "1.1.0")
    assert again.returncode == 0, again.stderr
    assert any(word in again.stdout for word in (": released;", ": already released;", ": completed;"))
    assert "greetings-v1.1.0" in check_world(world, {})


def points(template: Path, folder: Path, calls: tuple[str, ...]) -> list[tuple[str, int]]:
    """Return the calls of an undisturbed release that matter, with their numbers: writes only where data lies."""
    world = Path(shutil.copytree(template, folder / "undisturbed", symlinks=True))
    code, log = traced(world / "clone", "-y", "-e", f"trace={','.join(calls)}")
    assert code == 0
    counts: dict[str, int] = {}
    found = []
    for line in log.splitlines():
        call = line.partition("(")[0]
        if call in calls:
            counts[call] = counts.get(call, 0) + 1
            if call == "vfork" or (str(world) in line and ("O_CREAT" in line or call != "openat")):
                found.append((call, counts[call]))
    return found


def inject(template: Path, folder: Path, call: str, number: int, fault: str) -> None:
    world = Path(shutil.copytree(template, folder / f"{call}-{number}-{fault[-6:]}", symlinks=True))
    before = tags(world / "origin.git")
    code, _ = traced(world / "clone", "-e", f"inject={call}:{fault}:when={number}")
    assert code in {-signal.SIGKILL, 0, 1, 2, 11, 40, 41, 42, 50}, code
    check_world(world, before)
    finish(world)
    shutil.rmtree(world)


@pytest.fixture(scope="module")
def steps(template: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int]]:
    """Return a step of each kind."""
    found = points(template, tmp_path_factory.mktemp("points"), CALLS)
    forks = [point for point in found if point[0] == "vfork"]
    others = [point for point in found if point[0] != "vfork"]
    return {"early git": forks[len(forks) // 3], "late git": forks[-5], "write": others[len(others) // 2]}


@needs_strace
@pytest.mark.parametrize(
    "step",
    [
        "late git",
        pytest.param("early git", marks=pytest.mark.extended),
        pytest.param("write", marks=pytest.mark.extended),
    ],
)
def test_a_release_that_is_killed_is_finished_by_the_next_run(
    step: str, steps: dict[str, tuple[str, int]], template: Path, tmp_path: Path
) -> None:
    """The slow test below takes all steps."""
    inject(template, tmp_path, *steps[step], KILL)


@needs_strace
@pytest.mark.slow
@pytest.mark.parametrize("fault", [KILL, *DISK])
@pytest.mark.parametrize("part", range(PARTS))
def test_a_fault_at_each_step_leaves_no_tag_that_cannot_be_verified(
    part: int, fault: str, template: Path, tmp_path: Path
) -> None:
    for call, number in points(template, tmp_path, CALLS)[part::PARTS]:
        if call == "vfork" and fault != KILL:
            continue  # git that cannot be started is no full disk
        inject(template, tmp_path, call, number, fault)


@pytest.mark.extended
@pytest.mark.parametrize("count", [2, pytest.param(RACES // 2, marks=pytest.mark.slow)])
@pytest.mark.parametrize("same", [True, False], ids=["one dataset", "two datasets"])
def test_of_two_that_release_at_once_each_name_has_one_winner(
    same: bool, count: int, template: Path, tmp_path: Path
) -> None:
    """Two clones with other content release the same version of one dataset, or each a dataset of its own."""
    world = Path(shutil.copytree(template, tmp_path / "world", symlinks=True))
    names = ("greetings", "greetings" if same else "numbers")
    clones = [world / "clone", another_clone(world, "other")]
    subprocess.run([*GIT, "checkout", "-q", "."], cwd=clones[0], check=True)
    for race in range(count):
        for clone in clones:
            subprocess.run([*GIT, "pull", "-q", "--rebase"], cwd=clone, check=True)
        for number, (clone, name) in enumerate(zip(clones, names, strict=True)):
            build(clone, name, [*ROWS, (f"race {race} {number}", race)])
        before, version = tags(world / "origin.git"), f"2.{race}.0"
        running = [
            subprocess.Popen(
                command(name, version), cwd=clone, env=known(clone), text=True, stderr=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            for clone, name in zip(clones, names, strict=True)
        ]  # fmt: skip
        ends = []
        for process in running:
            said = process.communicate(timeout=60)[1]
            ends.append((time.monotonic(), process.returncode, said))
        codes = sorted(code for _, code, _ in ends)
        if same:
            assert codes[0] == 0 and codes[1] in {40, 43}, [said for *_, said in ends]
            assert abs(ends[0][0] - ends[1][0]) < 10
        else:
            assert codes == [0, 0], [said for *_, said in ends]
        after = check_world(world, before)
        assert len(after) == len(before) + (1 if same else 2)
        for clone in clones:
            subprocess.run([*GIT, "checkout", "-q", "."], cwd=clone, check=True)

"""Embedding on Ray while parts of it die: the same bytes as in one process, nothing left, nothing to be reached."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from faults.processes import Process, below, gone, listening, named
from unit.chunk_embed.conftest import Desk, embedding, readme
from unit.chunk_embed.conftest import python as python  # the fixture

pytestmark = pytest.mark.extended

RAY = {"engine": "ray", "batch-tokens": 300}


@pytest.fixture(scope="module")
def wanted(root: Path, python: Path, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Enough documents for some seconds, embedded in one process."""
    made = Desk(root, tmp_path_factory.mktemp("wanted"))
    made.write({f"project-{number}_README.md": readme(number, 6) for number in range(30)})
    made.made("--no-cache", settings={"batch-tokens": 300})
    return made


@pytest.fixture
def desk(wanted: Desk, tmp_path: Path) -> Desk:
    raw = wanted.folder / "readmes/raw"
    return Desk(wanted.root, tmp_path).write({path.name: path.read_text() for path in raw.iterdir()})


def until(found: Callable[[], object], seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)


def at_work(process: "subprocess.Popen[str]") -> list[Process]:
    """Return the actors that have begun to compute: their processor time says so."""
    return [each for each in named(process.pid, "ray::MapWorker") if each.spent > 3]


def end(process: "subprocess.Popen[str]") -> str:
    with process:
        _, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    return stderr


def same(desk: Desk, wanted: Desk) -> bool:
    ours = (desk.output.read_bytes(), desk.samples.read_bytes())
    return ours == (wanted.output.read_bytes(), wanted.samples.read_bytes())


def test_a_worker_killed_in_the_middle_changes_nothing_and_nobody_else_reaches_ray(desk: Desk, wanted: Desk) -> None:
    process = desk.start(*embedding("--no-cache"), settings=RAY)
    until(lambda: at_work(process))
    addresses = listening(process.pid)
    assert addresses and addresses <= {"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"}
    started = below(process.pid)
    dashboards = [each for each in started if "dashboard/dashboard.py" in each.command]
    assert all("--disable-frontend" in each.command for each in dashboards)  # it is there for Ray's own counts
    at_work(process)[0].kill()
    end(process)
    assert same(desk, wanted)
    assert gone(started, 10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("part", ["ray::MapWorker", "raylet/raylet", "gcs_server"])
def test_any_part_killed_at_any_time(part: str, seed: int, desk: Desk, wanted: Desk) -> None:
    process = desk.start(*embedding("--no-cache"), settings=RAY)
    until(lambda: named(process.pid, part))
    time.sleep(random.Random(seed).uniform(0, 12))
    started = below(process.pid)
    for each in named(process.pid, part)[:1]:
        each.kill()
    end(process)
    assert same(desk, wanted)
    assert gone(started, 10)


@pytest.mark.slow
def test_the_driver_itself_killed_leaves_nothing_and_a_rerun_is_right(desk: Desk, wanted: Desk) -> None:
    process = desk.start(*embedding("--no-cache"), settings=RAY)
    until(lambda: at_work(process))
    started = below(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    assert gone(started, 60)
    assert not desk.output.exists()
    desk.made("--no-cache", settings=RAY)
    assert same(desk, wanted)


@pytest.mark.slow
def test_termination_leaves_nothing(desk: Desk) -> None:
    process = desk.start(*embedding("--no-cache"), settings=RAY)
    until(lambda: at_work(process))
    started = below(process.pid)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 143 and "error: chunk-embed: terminated; fix: run it again" in stderr
    assert gone(started, 20)
    assert not desk.output.exists()


@pytest.mark.slow
def test_a_cluster_that_is_not_there(desk: Desk) -> None:
    told = desk.refused(12, "--no-cache", settings=RAY, RAY_ADDRESS="127.0.0.1:1")
    assert told.startswith("error: 127.0.0.1:1: ") and told.endswith("; fix: run it again, or set engine: local")

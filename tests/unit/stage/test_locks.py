import multiprocessing
import os
from pathlib import Path

import pytest
from stage.errors import LockHeld
from stage.locks import locked, try_lock

CONTEXT = multiprocessing.get_context("fork")


@pytest.fixture(params=["folder", "file", "missing file"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "lock"
    if request.param != "missing file":
        path.mkdir() if request.param == "folder" else path.touch()
    return path


def hold(path: Path, held, release) -> None:
    with locked(path):
        held.set()
        release.wait(10)


def test_a_lock_is_waited_for_and_held(path: Path) -> None:
    held, release, busy = CONTEXT.Event(), CONTEXT.Event(), []
    process = CONTEXT.Process(target=hold, args=(path, held, release))
    process.start()
    assert held.wait(10)

    def when_busy() -> None:
        busy.append(True)
        release.set()

    with locked(path, when_busy) as descriptor:
        assert busy == [True]
        process.join(10)
        other = os.open(path, os.O_RDONLY)
        assert not try_lock(other)
        assert try_lock(descriptor)
        os.close(other)
    with locked(path, lambda: pytest.fail("nobody holds it")):
        pass


def test_busy_may_raise_instead_of_waiting(path: Path) -> None:
    def fail() -> None:
        raise LockHeld(path, "locked by another run", "wait for it")

    with locked(path), pytest.raises(LockHeld), locked(path, fail):
        pass
    with locked(path, fail):
        pass


def test_a_killed_holder_leaves_no_lock(path: Path) -> None:
    held = CONTEXT.Event()
    process = CONTEXT.Process(target=hold, args=(path, held, CONTEXT.Event()))
    process.start()
    assert held.wait(10)
    process.kill()
    process.join(10)
    with locked(path, lambda: pytest.fail("nobody holds it")):
        pass

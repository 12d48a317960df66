"""The environments of the tools: which are made, when, of what, and what is said where one cannot be."""

import fcntl
import hashlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from conftest import environ
from faults.processes import below
from launcher.images import refresh_images
from launcher.pythons import Python
from launcher.toolbox import read_tool
from launcher.virtualenvs import environment_name, unused
from unit.run.probe import environment, run, stamped
from unit.run.test_installing import wheel

MAKING = "probe: making its environment (once) with Python 3."


def program(path: Path, text: str) -> Path:
    """Write a shell script, and return its path."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def use(tree: Path, lock: str) -> Path:
    """Give the tool another lock, and return where its environment will be."""
    (tree / "tools/probe/requirements.lock").write_text(lock)
    refresh_images(tree)
    return environment(tree)


def test_environment_is_made_once_and_another_when_the_lock_changes(tree: Path, tmp_path: Path) -> None:
    first = environment(tree)
    (first / "lib").mkdir(parents=True)
    (first / "lib/half-made").touch()
    made = run(tree, "probe")
    assert made.returncode == 0 and MAKING in made.stderr
    assert not (first / "lib/half-made").exists()
    assert (tree / ".venvs/probe").readlink() == Path(first.name), "for editors"
    assert run(tree, "probe").stderr == ""
    second = use(tree, "# changed\n")
    stamped(tree)
    (second / "bin/python").unlink()
    (second / "bin/python").symlink_to(tmp_path / "removed/python3.11")
    assert MAKING in run(tree, "probe").stderr, "its Python was gone"
    assert (tree / ".venvs/probe").readlink() == Path(second.name)
    use(tree, "")
    assert run(tree, "probe").stderr == "", "the first one is there still"


def test_environment_is_made_under_any_settings_of_pip(tree: Path, tmp_path: Path) -> None:
    """For other things than where packages come from, in variables or in pip.conf."""
    (tmp_path / "wheels").mkdir()
    path = wheel(tmp_path / "wheels", "first")
    use(tree, f"first==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n")
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nno-index = true\n[install]\nuser = true\ntarget = {tmp_path / 'target'}\n")
    settings = {"PIP_CONFIG_FILE": str(config), "PIP_FIND_LINKS": str(tmp_path / "wheels"), "PIP_NO_DEPS": "0"}
    settings |= {"PIP_PREFIX": str(tmp_path / "prefix"), "PIP_DRY_RUN": "1", "PIP_PLATFORM": "win32", "PIP_QUIET": "3"}
    settings |= {"PYTHONPATH": str(tmp_path), "PYTHONWARNINGS": "error", "UV_PYTHON": "3.9", "UV_OFFLINE": "1"}
    done = run(tree, "probe", cwd=tree, **settings)
    assert done.returncode == 0 and MAKING in done.stderr, done.stderr
    assert len(list((tree / ".venvs").glob("probe-*/lib/python*/site-packages/first.py"))) == 1
    assert not (tmp_path / "target").exists() and not (tmp_path / "prefix").exists()


# A Python as the launcher asks for it, of which no environment can be made.
ANOTHER = 'for argument; do [ "$argument" = -c ] && echo "{minor} {complete} $0" && exit; done; exit 1'


def test_an_environment_that_is_there_is_taken_before_the_newest_python(tree: Path, tmp_path: Path) -> None:
    program(tmp_path / "bin/python3.14", ANOTHER.format(minor=14, complete=1))
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    assert run(stamped(tree), "probe", PATH=path).stderr == ""
    use(tree, "# changed\n")
    assert f"{MAKING}14 ({tmp_path / 'bin/python3.14'})" in run(tree, "probe", PATH=path).stderr
    program(tmp_path / "bin/python3.14", "exit 127")  # a stub, as pyenv has them
    assert run(tree, "probe", PATH=path).returncode == 0
    pyproject = tree / "tools/probe/pyproject.toml"
    for text, what in ((">=3.14,<3.15", "Python 3.14 not found"), (">=3.14,<3.16", "Python 3.14 to 3.15 not found")):
        pyproject.write_text(pyproject.read_text().replace(">=3.11,<3.15", text).replace(">=3.14,<3.15", text))
        refresh_images(tree)
        line = refused(run(tree, "probe", PATH=path), 10)
        assert f": {what}; fix: install python3.1" in line and "(with its venv module)" in line


def test_a_tool_for_one_platform_says_so_elsewhere(tree: Path) -> None:
    pyproject = tree / "tools/probe/pyproject.toml"
    pyproject.write_text(pyproject.read_text() + 'platform = "Plan9 mips"\n')
    refresh_images(tree)
    line = refused(run(tree, "probe"), 10)
    assert line.startswith("error: probe: needs Plan9 mips, this is ") and line.endswith("run it in its container")


def test_another_python_at_the_same_path_has_an_environment_of_its_own(tree: Path, tmp_path: Path) -> None:
    path = program(tmp_path / "bin/python3.12", "exit 1")
    tool = read_tool(tree / "tools/probe")
    before = environment_name(tool, tree, Python(12, path))
    path.write_text("#!/bin/sh\nexit 20\n")
    assert environment_name(tool, tree, Python(12, path)) != before


def test_moved_clone_has_environments_of_its_own(tree: Path, tmp_path: Path) -> None:
    """Programs in an environment name their Python by its whole path."""
    before = environment(stamped(tree)).name
    moved = Path(shutil.move(tree, tmp_path / "moved"))
    assert environment(moved).name != before
    (tmp_path / "link").symlink_to(moved)
    assert environment(tmp_path / "link") == environment(moved), "the same place by another name"


def test_two_that_need_an_environment_at_once_make_it_once(tree: Path) -> None:
    known = {**environ(tree, RUNTIME="host"), "REGISTRY_ENVS": str(tree / ".venvs")}
    both = [
        subprocess.Popen([tree / "tools/run", "probe"], env=known, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum(b"making its environment" in text for text in said) == 1


def test_lock_without_hashes_is_refused(tree: Path) -> None:
    use(tree, "click==8.5.1\n")
    refused = run(tree, "probe")
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].startswith("error: probe: uv pip install ... failed with exit ")


def refused(done: subprocess.CompletedProcess[str], code: int) -> str:
    """Return the last line of an error, which is the only one of its kind."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and done.stderr.count("error: ") == 1
    return done.stderr.splitlines()[-1]


def test_folder_that_cannot_be_written_is_named(tree: Path, tmp_path: Path) -> None:
    line = refused(run(tree, "probe", REGISTRY_ENVS="/sys/envs"), 2)
    assert line.startswith("error: /sys/envs: ") and "set REGISTRY_ENVS to a folder where you may write" in line
    (tmp_path / "file").touch()
    line = refused(run(tree, "probe", REGISTRY_ENVS=str(tmp_path / "file")), 2)
    assert line.startswith(f"error: {tmp_path}/file")


def test_path_with_a_colon_is_refused(tree: Path, tmp_path: Path) -> None:
    line = refused(run(tree, "probe", REGISTRY_ENVS=str(tmp_path / "a:b")), 2)
    assert "may not have a colon; fix: set REGISTRY_ENVS" in line


def test_relative_folder_starts_at_the_repository_and_an_empty_name_is_none(tree: Path, tmp_path: Path) -> None:
    stamped(tree)
    for name in ("", ".venvs", "data/../.venvs"):
        assert run(tree, "probe", cwd=tmp_path, REGISTRY_ENVS=name).stderr == ""


# Runs the launcher by a Python that knows no other program than its stub.
HIDDEN = shlex.quote("""
import sys
sys.executable = "/nowhere/python3"
sys.argv = sys.argv[2:]
__file__ = sys.argv[0]
exec(compile(open(__file__).read(), __file__, "exec"))
""")


def test_python_without_ensurepip_is_named(tree: Path, tmp_path: Path) -> None:
    """As Debian has it, where python3.11-venv is not installed."""
    python = shlex.quote(os.path.realpath(sys.executable))
    text = f'[ "$2" = -c ] && echo "13 0 $0" && exit; exec {python} -I -c {HIDDEN} "$@"'
    stub = program(tmp_path / "bin/python3", text)
    line = refused(run(tree, "probe", PATH=str(stub.parent)), 10)
    assert line.startswith(f"error: {stub}: has no venv module; fix: apt install python3.13-venv")


def mounted(folder: Path, options: str, command: list[str | Path], **extra: str) -> subprocess.CompletedProcess[str]:
    """Run a command that sees an empty disk in a folder."""
    folder.mkdir(exist_ok=True)
    script = f'mount -t tmpfs -o {options} tmpfs "$0" || exit 99; exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, folder, *command],
        env={**os.environ, **extra},
        text=True,
        capture_output=True,
    )
    if done.returncode == 99 or "unshare: " in done.stderr:
        pytest.skip("nothing can be mounted here")
    return done


def test_disk_without_programs_and_full_disk_are_named(tree: Path, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    known = {**environ(tree, RUNTIME="host"), "REGISTRY_ENVS": str(disk)}
    line = refused(mounted(disk, "size=1m", [tree / "tools/run", "probe"], **known), 50)
    assert "no space left on the disk; fix: free some space (df -h), or set REGISTRY_ENVS" in line
    made = environment(tree, disk)
    script = f"cp -a {environment(stamped(tree))} {made} && exec {tree}/tools/run probe"
    line = refused(mounted(disk, "noexec", ["sh", "-c", script], **known), 2)
    assert line.startswith(f"error: {made}: is on a disk that may not hold programs (noexec); fix: set REGISTRY_ENVS")


def test_environment_that_a_tool_uses_is_not_unused(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGISTRY_ENVS", raising=False)
    (tree / "tools/probe/probe/cli.py").write_text("import sys; print(flush=True); sys.stdin.read()\ndef cli(): pass\n")
    refresh_images(tree)
    old = environment(stamped(tree))
    known = {**environ(tree, RUNTIME="host"), "REGISTRY_ENVS": str(tree / ".venvs")}
    with subprocess.Popen(
        [tree / "tools/run", "probe"], env=known, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin and process.stdout and process.stdout.readline()
        use(tree, "# changed\n")
        tools = [read_tool(tree / "tools/probe")]
        assert list(unused(tree, tools)) == []
        process.stdin.close()
    assert list(unused(tree, tools)) == [old]
    (tree / ".venvs/probe-0123456789ab").mkdir()
    (tree / ".venvs/mine").mkdir()
    assert list(unused(tree, tools)) == sorted([old, tree / ".venvs/probe-0123456789ab"])


@pytest.mark.slow
def test_nobody_else_begins_while_uv_lives(tree: Path) -> None:
    """Also where what started it has been killed."""
    folder = use(tree, "click==8.5.1 --hash=sha256:" + "0" * 64 + "\n")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        known = {**environ(tree, RUNTIME="host"), "REGISTRY_ENVS": str(tree / ".venvs")}
        known |= {"PIP_INDEX_URL": f"http://127.0.0.1:{silent.getsockname()[1]}/simple", "PIP_NO_INDEX": ""}
        process = subprocess.Popen([tree / "tools/run", "probe"], env=known, stderr=subprocess.DEVNULL)
        silent.accept()
        children = below(process.pid)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with folder.with_name(f"{folder.name}.lock").open() as lock:
            with pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            silent.close()
            for child in children:
                child.kill()
            for _ in range(100):
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return
                except BlockingIOError:
                    time.sleep(0.1)
    raise AssertionError("the lock outlives uv")

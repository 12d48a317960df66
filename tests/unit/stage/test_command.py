import errno
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from stage.command import Tool
from stage.errors import CorruptFile, translated
from unit.stage import toy

FULL = "free some disk space (df -h) or repair the disk, then run again"


def run(*arguments: str, env: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(toy.tool, arguments, env=env)


def script(*arguments: object) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, toy.__file__, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a test run in the background of a shell would hand down an ignored SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def test_success_prints_one_json_object_and_nothing_else():
    result = run("make", "out/größe.csv", "--rows", "3")
    assert result.exit_code == 0
    assert result.stdout == '{"output": "out/größe.csv", "rows": 3}\n'
    assert json.loads(result.stdout) == {"output": "out/größe.csv", "rows": 3}
    assert result.stderr == ""


def test_a_command_without_a_result_prints_nothing():
    result = run("nothing")
    assert (result.exit_code, result.output) == (0, "")


def test_the_owner_asked_for_is_of_what_is_there(tmp_path: Path):
    """A file that cannot be made has no owner: its folder has."""
    there, absent = tmp_path / "there", tmp_path / "a/b"
    there.touch()
    for path, owned in ((there, "this file"), (absent, tmp_path)):
        error = translated(PermissionError(errno.EACCES, "denied", str(path)))
        assert str(error) == f"{path}: permission denied; fix: run as the owner of {owned}, or change its mode"


@pytest.mark.parametrize(
    ("how", "code", "line"),
    [
        ("rows", 20, "raw/train.csv line 31: label is empty; fix: set drop-empty: true to skip such rows"),
        ("two lines", 20, "raw/train.csv: first line second line; fix: read both"),
        ("full", 50, f"out.csv: cannot write: no space left; fix: {FULL}"),
        ("quota", 50, f"out.csv: cannot write: no space left; fix: {FULL}"),
        ("too large", 50, f"out.csv: cannot write: no space left; fix: {FULL}"),
        ("broken disk", 50, f"out.csv: cannot write: input/output error; fix: {FULL}"),
        ("full, unnamed", 50, f"output: cannot write: no space left; fix: {FULL}"),
        ("forbidden", 2, "out.csv: permission denied; fix: run as the owner of this folder, or change its mode"),
        ("not permitted", 2, "out.csv: permission denied; fix: run as the owner of this folder, or change its mode"),
        ("read-only", 2, "out.csv: permission denied; fix: run as the owner of this folder, or change its mode"),
        ("absent", 10, "in.csv: no such file or folder; fix: check the path, or run the stage that writes it"),
        ("folder", 2, "out: is a directory; fix: check the path"),
        ("no folder", 2, "out/x: not a directory; fix: check the path"),
        ("memory", 51, "memory: out of memory; fix: raise the memory limit, or use a smaller batch"),
    ],
)
def test_a_failure_ends_in_one_line_and_its_code(how: str, code: int, line: str):
    result = run("break", how)
    assert result.exit_code == code
    assert result.stderr == f"error: {line}\n"
    assert result.stdout == ""


def test_verbose_adds_the_traceback_before_the_closing_line():
    result = run("break", "-v", "rows")
    assert result.exit_code == 20
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("error: raw/train.csv line 31: label is empty; fix: ")
    assert result.stdout == ""


@pytest.mark.parametrize("how", ["bug", "odd system error", "absent, unnamed"])
def test_a_bug_is_shown_with_its_traceback_and_exit_1(how: str):
    process = script("break", how)
    stdout, stderr = process.communicate()
    assert process.returncode == 1
    assert stdout == ""
    assert stderr.startswith("Traceback (most recent call last)")
    assert stderr.splitlines()[-1] == f"{type(toy.FAILURES[how]).__name__}: {toy.FAILURES[how]}"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["make"], "toy make: missing argument 'OUTPUT'; fix: see toy make --help"),
        (["make", "x", "--raws", "1"], "toy make: no such option"),
        (["make", "x", "--rows", "many"], "toy make: invalid value for '--rows': 'many' is not a valid integer"),
        (["mend"], "toy: no such command 'mend'"),
        (["plan", "--params", "absent.yaml"], "toy plan: invalid value for '--params': file 'absent.yaml' does not"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_2(arguments: list[str], line: str):
    result = CliRunner().invoke(toy.tool, arguments, prog_name="toy")
    assert result.exit_code == 2
    assert result.stdout == ""
    (last,) = result.stderr.splitlines()
    assert last.lower().startswith(f"error: {line}".lower())
    assert last.endswith("--help")


def test_no_command_shows_the_help_on_stderr_and_exits_2():
    result = CliRunner().invoke(toy.tool, [], prog_name="toy")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Do what a test wants." in result.stderr
    assert result.stderr.splitlines()[-1] == "error: toy: no command given; fix: toy --help"


@pytest.mark.parametrize(("started_as", "way"), [("toy", "tools/run "), ("/opt/venv/bin/toy", "")])
def test_how_to_see_the_help_goes_by_how_it_was_started(started_as: str, way: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("sys.argv", [started_as])
    shown = [CliRunner().invoke(toy.tool, arguments, prog_name="toy").stderr for arguments in (["make"], [])]
    assert shown[0] == f"error: toy make: missing argument 'OUTPUT'; fix: see {way}toy make --help\n"
    assert shown[1].splitlines()[-1] == f"error: toy: no command given; fix: {way}toy --help"


def test_help_is_no_failure():
    result = run("make", "--help")
    assert result.exit_code == 0
    assert "--rows INTEGER" in result.stdout
    assert result.stderr == ""


def test_a_keyboard_interrupt_exits_130():
    result = run("break", "interrupt")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "error: toy: interrupted; fix: run it again"
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("sent", "code", "word"), [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")]
)
def test_a_signal_removes_what_was_begun_and_exits_with_its_code(tmp_path: Path, sent: int, code: int, word: str):
    (tmp_path / "file").write_text("old")
    process = script("hold", tmp_path)
    assert process.stderr
    assert process.stderr.readline() == "holding\n"
    assert len(os.listdir(tmp_path)) == 3
    process.send_signal(sent)
    stdout, stderr = process.communicate(timeout=10)
    assert process.returncode == code
    assert stdout == ""
    assert stderr.splitlines()[-1] == f"error: toy: {word}; fix: run it again"
    assert "Traceback" not in stderr
    assert os.listdir(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "old"


def test_the_callers_handler_of_sigterm_is_put_back():
    before = signal.getsignal(signal.SIGTERM)
    run("nothing")
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
@pytest.mark.parametrize("raised", [ValueError("Operation on closed file"), CorruptFile("x", "is cut", "mend it")])
def test_a_signal_is_told_as_such_whatever_a_library_makes_of_it(number, code, word, raised):
    """Arrow's readers close under its exception, and raise another."""
    tool = Tool("tool")
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have handed down an ignored one

    @tool.command()
    def work():
        try:
            os.kill(os.getpid(), number)
            time.sleep(60)
        except BaseException:  # noqa: BLE001 (as Arrow does)
            raise raised from None

    done = CliRunner().invoke(tool, ["work"])
    assert (done.exit_code, done.stderr.strip()) == (code, f"error: tool: {word}; fix: run it again")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

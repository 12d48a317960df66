import os
import pty
import subprocess
import sys

from click.testing import CliRunner
from unit.stage import toy


def on_a_terminal(*arguments: str) -> tuple[str, str]:
    """Run the toy with its stderr on a pseudo-terminal; return stdout and what the terminal showed."""
    master, slave = pty.openpty()
    process = subprocess.Popen([sys.executable, toy.__file__, *arguments], stdout=subprocess.PIPE, stderr=slave)
    os.close(slave)
    shown = b""
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:  # how Linux tells that the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(master)
    stdout, _ = process.communicate(timeout=10)
    return stdout.decode(), shown.decode()


def test_a_terminal_shows_a_bar_and_stdout_stays_empty():
    stdout, shown = on_a_terminal("work", "0")
    assert stdout == ""
    assert "counting" in shown
    assert "[####################################]  100%" in shown
    assert "25 % of 4 rows" not in shown


def test_quiet_shows_no_bar_on_a_terminal():
    assert on_a_terminal("work", "0", "-q") == ("", "")


def test_elsewhere_plain_lines_are_shown_now_and_then():
    result = CliRunner().invoke(toy.tool, ["work", "0"])
    assert result.stderr.splitlines() == [f"counting: {share} % of 4 rows" for share in (25, 50, 75, 100)]
    assert result.stdout == ""


def test_short_work_says_nothing():
    assert CliRunner().invoke(toy.tool, ["work", "3600"]).output == ""

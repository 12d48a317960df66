import os
import pty
import re
import subprocess
import sys
import termios

import pytest
from click.testing import CliRunner
from stage.progress import progress
from unit.stage import toy


def on_a_terminal(*arguments: str, term: str = "xterm", columns: int = 80) -> tuple[str, str]:
    """Run the toy with its stderr on a pseudo-terminal; return stdout and what the terminal showed."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, columns))
    command, known = [sys.executable, toy.__file__, *arguments], {**os.environ, "TERM": term}
    process = subprocess.Popen(command, env=known, stdout=subprocess.PIPE, stderr=slave)
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


@pytest.mark.parametrize("columns", [0, 40, 80, 200])  # 0: a terminal that does not say
@pytest.mark.parametrize("label", ["counting", "getting opencloudhub-readmes-embeddings-v1.0.0", "reading " + "x" * 99])
def test_a_bar_fits_its_terminal(label: str, columns: int):
    shown = on_a_terminal("work", "0", "--label", label, columns=columns)[1]
    lines = [re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", line) for line in shown.replace("\n", "\r").split("\r")]
    assert max(map(len, lines)) + len("  1d 00:00:00") < (columns or 80)  # the time left, where it is shown
    assert f"{label}  [#" in shown or (f"{label[:8]}" in shown and "…  [#" in shown)


def test_labels_are_not_cut_for_a_longer_bar():
    assert (
        "getting opencloudhub-readmes-embeddings-v1.0.0  [#"
        in on_a_terminal("work", "0", "--label", "getting opencloudhub-readmes-embeddings-v1.0.0")[1]
    )


def test_a_dumb_terminal_shows_plain_lines():
    stdout, shown = on_a_terminal("work", "0", term="dumb")
    assert stdout == ""
    assert shown.splitlines() == [f"counting: {share} % of 4 rows" for share in (25, 50, 75, 100)]


def test_a_bar_of_unknown_length_is_plain_lines():
    assert on_a_terminal("work", "0", "0")[1].splitlines() == [f"counting: {done} rows" for done in (1, 2, 3, 4)]


def test_what_ends_well_ends_at_100_percent():
    """Whether less was to do than its total says, or nothing at all."""
    assert "[####################################]  100%" in on_a_terminal("work", "0", "9")[1]
    result = CliRunner().invoke(toy.tool, ["work", "0", "8"])
    assert result.stderr.splitlines()[-2:] == ["counting: 50 % of 8 rows", "counting: 100 % of 8 rows"]


def test_plain_lines_end_at_100_percent_however_short_the_last_part(monkeypatch, caplog):
    with caplog.at_level("INFO"), progress("counting", 4, "rows") as advance:
        monkeypatch.setattr("stage.progress.INTERVAL", 0.0)
        advance(3)
        monkeypatch.setattr("stage.progress.INTERVAL", 3600.0)
        advance(1)
    assert caplog.messages == ["counting: 75 % of 4 rows", "counting: 100 % of 4 rows"]


def test_more_than_the_total_is_said_without_a_share():
    result = CliRunner().invoke(toy.tool, ["work", "0", "2"])
    shares = ["50 % of 2 rows", "100 % of 2 rows", "3 rows", "4 rows"]
    assert result.stderr.splitlines() == [f"counting: {share}" for share in shares]


def test_quiet_shows_no_bar_on_a_terminal():
    assert on_a_terminal("work", "0", "-q") == ("", "")


def test_elsewhere_plain_lines_are_shown_now_and_then():
    result = CliRunner().invoke(toy.tool, ["work", "0"])
    assert result.stderr.splitlines() == [f"counting: {share} % of 4 rows" for share in (25, 50, 75, 100)]
    assert result.stdout == ""


def test_short_work_says_nothing():
    assert CliRunner().invoke(toy.tool, ["work", "3600"]).output == ""

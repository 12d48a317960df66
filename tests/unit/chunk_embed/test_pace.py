"""How far embedding is: a bar on a terminal, plain lines where that cannot draw one."""

import contextlib
import io
import logging
import os
import pty
import re
import termios

import pytest
from chunk_embed.pace import pace
from unit.chunk_embed.conftest import Desk, embedding


class Terminal(io.StringIO):
    """What click takes for one; its size is that of a real one."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self.descriptor = descriptor

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        return self.descriptor


def shown(term: str, monkeypatch: pytest.MonkeyPatch, chunks: int = 4) -> str:
    """Return what a terminal of 80 columns shows of two batches."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (24, 80))
    terminal = Terminal(slave)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("chunk_embed.pace.EVERY", 0.0)
    monkeypatch.setenv("TERM", term)
    with pace(chunks, 10 * chunks) as advance:
        for _ in range(2):
            advance(chunks // 2, 5 * chunks)
    os.close(master)
    os.close(slave)
    return terminal.getvalue()


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert "100%  4 of 4 chunks" in shown("xterm", monkeypatch)
    assert caplog.messages == []


def test_a_bar_fits_its_terminal(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lines = re.sub(r"\x1b\[[?0-9]*[a-zA-Z]", "", shown("xterm", monkeypatch, 20000)).replace("\n", "\r").split("\r")
    lines = [re.sub(r"\d+ tokens/s", "999999 tokens/s", line) for line in lines]
    assert any("20000 of 20000 chunks, 999999 tokens/s" in line for line in lines)
    assert max(map(len, lines)) + len("  1d 00:00:00") < 80  # the time left, where it is shown


def test_nothing_is_said_of_the_pace_before_there_is_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    told = shown("xterm", monkeypatch)
    assert "  0 of 4 chunks" in told and "tokens/s" in told and " 0 tokens/s" not in told


def test_what_loading_the_model_says_comes_before_the_bar(desk: Desk) -> None:
    master, slave = pty.openpty()
    with desk.start(*embedding(), stderr=slave, TERM="xterm") as process:
        os.close(slave)
        told = b""
        with contextlib.suppress(OSError):  # how Linux tells that the other end is closed
            while piece := os.read(master, 4096):
                told += piece
    os.close(master)
    assert process.returncode == 0 and 0 <= told.find(b"embedding in this process") < told.find(b"embedding  ["), told


def test_a_dumb_one_shows_plain_lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert shown("dumb", monkeypatch) == ""
    assert caplog.messages[-1].startswith("embedding: 100 %, 4 of 4 chunks, ")

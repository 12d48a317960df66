"""How far embedding is: a bar on a terminal, plain lines where that cannot draw one."""

import io
import logging

import pytest
from chunk_embed.pace import pace


class Terminal(io.StringIO):
    """What click takes for one."""

    def isatty(self) -> bool:
        return True


def shown(term: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return what a terminal shows of two batches."""
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("chunk_embed.pace.EVERY", 0.0)
    monkeypatch.setenv("TERM", term)
    with pace(4, 40) as advance:
        for _ in range(2):
            advance(2, 20)
    return terminal.getvalue()


def test_a_terminal_shows_a_bar(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert "100%  4 of 4 chunks" in shown("xterm", monkeypatch)
    assert caplog.messages == []


def test_a_dumb_one_shows_plain_lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    assert shown("dumb", monkeypatch) == ""
    assert caplog.messages[-1].startswith("embedding: 100 %, 4 of 4 chunks, ")

"""Progress of long work on stderr: a bar on a terminal, otherwise a line every few seconds."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

log = logging.getLogger(__name__)
INTERVAL = 10.0  # seconds between lines


def shows_bars() -> bool:
    """Say whether to draw a bar on stderr: a dumb terminal would show each update on a new line."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and log.isEnabledFor(logging.INFO)


def fitted(label: str, more: int = 0) -> dict[str, Any]:
    """Return label and width of a bar that fits the terminal, with ``more`` columns besides click's own.

    A longer line would wrap, and each update would leave it behind.
    """
    room = (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - more - len("  []  100%  1d 00:00:00 ")
    short = label if len(label) <= room - 5 else f"{label[: max(room - 6, 0)]}…"
    return {"label": short, "width": min(36, max(5, room - len(short)))}


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the amount done since its last call; ``total`` and amounts are in ``unit``.

    If ``total`` is 0 (unknown) or too low, the lines have the amount only.
    """
    if total and shows_bars():
        with click.progressbar(length=total, file=sys.stderr, **fitted(label)) as bar:
            yield bar.update
            bar.update(max(0, total - bar.pos))  # success is 100 %, whatever was counted twice or not at all
        return
    done, printed, last = 0, 0, time.monotonic()

    def advance(amount: int, ends: bool = False) -> None:
        nonlocal done, printed, last
        done += amount
        if ends or time.monotonic() - last >= INTERVAL:
            printed, last = done, time.monotonic()
            share = f"{100 * done // total} % of {total}" if 0 < done <= total else f"{done}"
            log.info("%s: %s %s", label, share, unit)

    yield advance
    if 0 < printed < max(done, total):  # who has seen the beginning sees the end
        advance(max(0, total - done), ends=True)

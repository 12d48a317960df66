"""Progress of long work on stderr: a bar on a terminal, a plain line now and then elsewhere."""

import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

log = logging.getLogger(__name__)
EVERY = 10.0  # seconds between plain lines


def shows_bars() -> bool:
    """Say whether a bar can be drawn on stderr, and is wanted: a dumb terminal would show each state of it anew."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb" and log.isEnabledFor(logging.INFO)


def fitted(label: str, more: int = 0) -> dict[str, Any]:
    """Return what a bar needs to fit the line of the terminal, with ``more`` columns beside what click says itself.

    A line that is too long goes on in the next one, where each update leaves it.
    """
    room = (os.get_terminal_size(sys.stderr.fileno()).columns or 80) - more - len("  []  100%  1d 00:00:00 ")
    short = label if len(label) <= room - 5 else f"{label[: max(room - 6, 0)]}…"
    return {"label": short, "width": min(36, max(5, room - len(short)))}


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the amount done since its last call; ``total`` and amounts are in ``unit``.

    Where ``total`` is 0, for nobody knows it, or too low, plain lines have the amount alone.
    """
    if total and shows_bars():
        with click.progressbar(length=total, file=sys.stderr, **fitted(label)) as bar:
            yield bar.update
            bar.update(max(0, total - bar.pos))  # what went well is complete, whatever was counted twice or not at all
        return
    done, last = 0, time.monotonic()

    def advance(amount: int) -> None:
        nonlocal done, last
        done += amount
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            share = f"{100 * done // total} % of {total}" if 0 < done <= total else f"{done}"
            log.info("%s: %s %s", label, share, unit)

    yield advance
    if 0 < done < total:
        advance(total - done)

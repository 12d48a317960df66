"""Progress of long work on stderr: a bar on a terminal, a plain line now and then elsewhere."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

log = logging.getLogger(__name__)
EVERY = 10.0  # seconds between plain lines


@contextmanager
def progress(label: str, total: int, unit: str) -> Iterator[Callable[[int], None]]:
    """Yield a function that takes the amount done since its last call; ``total`` and amounts are in ``unit``."""
    if sys.stderr.isatty() and log.isEnabledFor(logging.INFO):
        with click.progressbar(length=total, label=label, file=sys.stderr) as bar:
            yield bar.update
        return
    done, last = 0, time.monotonic()

    def advance(amount: int) -> None:
        nonlocal done, last
        done += amount
        if time.monotonic() - last >= EVERY:
            last = time.monotonic()
            log.info("%s: %d %% of %d %s", label, 100 * done // max(total, 1), total, unit)

    yield advance

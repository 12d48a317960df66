"""Say how far embedding is, how fast it goes and how long it will take: a bar on a terminal, else a line at times."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import click
from stage.progress import fitted, shows_bars

log = logging.getLogger(__name__)
EVERY: Final = 10.0  # seconds between lines


@contextmanager
def pace(chunks: int, tokens: int) -> Iterator[Callable[[int, int], None]]:
    """Yield a function that takes how many chunks and tokens are done since its last call.

    The time left goes by tokens: the longest chunks come first.
    """
    begun = last = time.monotonic()
    done = done_tokens = first_tokens = 0

    def count(more: int, more_tokens: int) -> None:
        nonlocal begun, last, done, done_tokens, first_tokens
        if not done:  # the clock starts with the first batch, before which the model was loaded
            begun = last = time.monotonic()
            first_tokens = more_tokens
        done, done_tokens = done + more, done_tokens + more_tokens

    def rate() -> float:
        return (done_tokens - first_tokens) / max(time.monotonic() - begun, 1e-3)

    def told() -> str:
        return f"{done} of {chunks} chunks" + f", {rate():.0f} tokens/s" * bool(rate())

    if shows_bars():
        bar: Any
        line = fitted("embedding", len(f"  {chunks} of {chunks} chunks, 999999 tokens/s"))
        with click.progressbar(length=max(tokens, 1), file=sys.stderr, item_show_func=lambda _: told(), **line) as bar:

            def move(more: int, more_tokens: int) -> None:
                count(more, more_tokens)
                bar.update(more_tokens)

            yield move
        return

    def advance(more: int, more_tokens: int) -> None:
        nonlocal last
        count(more, more_tokens)
        if time.monotonic() - last >= EVERY and rate():
            last = time.monotonic()
            left = (tokens - done_tokens) / rate()
            log.info("embedding: %d %%, %s, %.0f s left", 100 * done_tokens // max(tokens, 1), told(), left)

    yield advance

"""What every kind of upstream gives: a task for each file, and what the task finds."""

from collections.abc import Callable
from dataclasses import dataclass

from fetcher.sources import Pin


@dataclass(frozen=True)
class Found:
    """Where a file is, and what it is."""

    urls: tuple[str, ...]
    pin: Pin


Task = Callable[[], Found | None]  # None: upstream has no such file after all, which is no failure

"""Work on many objects in a few threads; the first failure stops the others."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from typing import TypeVar

PARALLEL = 8
T = TypeVar("T")
R = TypeVar("R")


class Stopped(Exception):
    """Another thread has failed, so this one need not go on."""


class Meter:
    """A progress callback that threads may share; it stops them where one has failed."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance, self._lock, self._stopped = advance, threading.Lock(), False

    def __call__(self, amount: int) -> None:
        """Count. Raises Stopped."""
        with self._lock:
            if self._stopped:
                raise Stopped
            self._advance(amount)

    def stop(self) -> None:
        """Stop every thread that counts."""
        self._stopped = True


def in_parallel(
    work: Callable[[T], R], items: Iterable[T], meter: Meter | None = None, threads: int = PARALLEL
) -> list[R]:
    """Work on the items in a few threads, in order; the first failure ends it, at once where they count on a meter."""
    with ThreadPoolExecutor(threads) as pool:
        futures = [pool.submit(work, item) for item in items]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
            failed = [future for future in futures if future.done() and future.exception()]
            return [future.result() for future in failed or futures]
        except BaseException:
            if meter:
                meter.stop()
            pool.shutdown(wait=False, cancel_futures=True)
            raise

"""Do the same with many items on all cores, and return the results in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD: Final = 4  # items for each core
MAX_BYTES: Final = 1 << 24  # of the items at a time, if more than one


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], size: Callable[[Item], int]
) -> Iterator[Result]:
    """Yield the results of a function in the order of the items; ``size`` are the bytes of one.

    Decoders leave Python's lock, so that threads are enough. The first error in the order of items is raised.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    running: deque[tuple[Future[Result], int]] = deque()
    total = 0
    pool = ThreadPoolExecutor(cores)
    try:
        for item in items:
            running.append((pool.submit(function, item), size(item)))
            total += running[-1][1]
            while len(running) > AHEAD * cores or (total > MAX_BYTES and len(running) > 1):
                done, freed = running.popleft()
                total -= freed
                yield done.result()
        while running:
            yield running.popleft()[0].result()
    finally:
        pool.shutdown(cancel_futures=True)

"""Process many items in a few threads, which never keep a process alive that is told to end."""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from stage.errors import NetworkFailed, StageError

from fetcher.failures import combined
from fetcher.watchdog import Watchdog

Item = TypeVar("Item")
T = TypeVar("T")
STOP_TIMEOUT = 2.0  # seconds for all threads to notice that the run stops


@contextmanager
def outcomes_of(
    pending: deque[Item], work: Callable[[Item], T], jobs: int, watchdog: Watchdog
) -> Iterator[Iterator[tuple[Item, T | Exception]]]:
    """Yield (item, result or exception) pairs as they come, from at most ``jobs`` threads.

    Clear ``pending`` to start no more work. An exception in the with block stops the run.
    """
    outcomes: queue.SimpleQueue[tuple[Item, T | Exception] | None] = queue.SimpleQueue()

    def process_items() -> None:
        with contextlib.suppress(IndexError):
            while True:
                item = pending.popleft()
                outcomes.put((item, _outcome(work, item)))
        outcomes.put(None)

    # daemons: the threads of ThreadPoolExecutor are joined at exit, and one may be resolving a host for a minute
    threads = [threading.Thread(target=process_items, daemon=True) for _ in range(min(jobs, len(pending)))]
    for thread in threads:
        thread.start()
    try:
        yield (outcome for _ in threads for outcome in iter(outcomes.get, None))
    except BaseException:
        pending.clear()
        watchdog.stop()
        for thread in threads:
            thread.join(STOP_TIMEOUT / len(threads))
        raise


def process_all(
    items: Mapping[str, Item],
    work: Callable[[Item], T],
    jobs: int,
    watchdog: Watchdog,
    sources: Path,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, T]:
    """Process all named items and return the results by name, in the same order; ``advance`` counts them.

    Raises one failure that names all items of ``sources`` that failed.
    """
    pending, results, failures = deque(items), dict[str, T](), dict[str, StageError]()
    with outcomes_of(pending, lambda name: work(items[name]), jobs, watchdog) as outcomes:
        for name, outcome in outcomes:
            if isinstance(outcome, StageError):
                failures[name] = outcome
                if isinstance(outcome, NetworkFailed):
                    pending.clear()  # each of the others would wait as long for the same result
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                results[name] = outcome
                advance(1)
    if failures:
        in_order = [(name, failures[name]) for name in items if name in failures]
        raise combined(sources, in_order, len(results), len(items))
    return {name: results[name] for name in items}


def _outcome(work: Callable[[Item], T], item: Item) -> T | Exception:
    try:
        return work(item)
    except Exception as error:  # noqa: BLE001  # handed to the main thread
        return error

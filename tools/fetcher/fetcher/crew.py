"""Work on many items in a few threads that never keep a process alive that is told to end."""

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from stage.errors import NetworkFailed, StageError

from fetcher.failures import summed_up
from fetcher.watch import Watch

Item = TypeVar("Item")
T = TypeVar("T")
PATIENCE = 2.0  # seconds for all threads to notice that the run stops


@contextmanager
def crew(
    waiting: deque[Item], work: Callable[[Item], T], jobs: int, watch: Watch
) -> Iterator[Iterator[tuple[Item, T | Exception]]]:
    """Yield (item, result or exception) pairs as they come, from at most ``jobs`` threads.

    Clear ``waiting`` to hand out no more work. An exception in the with block stops the run.
    """
    outcomes: queue.SimpleQueue[tuple[Item, T | Exception] | None] = queue.SimpleQueue()

    def labour() -> None:
        with contextlib.suppress(IndexError):
            while True:
                item = waiting.popleft()
                outcomes.put((item, _outcome(work, item)))
        outcomes.put(None)

    # daemons: ThreadPoolExecutor's threads are waited for at exit, and one may be looking up a host for a minute
    threads = [threading.Thread(target=labour, daemon=True) for _ in range(min(jobs, len(waiting)))]
    for thread in threads:
        thread.start()
    try:
        yield (outcome for _ in threads for outcome in iter(outcomes.get, None))
    except BaseException:
        waiting.clear()
        watch.stop()
        for thread in threads:
            thread.join(PATIENCE / len(threads))
        raise


def all_of(
    items: Mapping[str, Item],
    work: Callable[[Item], T],
    jobs: int,
    watch: Watch,
    sources: Path,
    advance: Callable[[int], None] = lambda _: None,
) -> dict[str, T]:
    """Work on every named item and return the results by name, in the same order; ``advance`` counts those done.

    Raises one failure that names all items that failed, in ``sources``.
    """
    waiting, done, failures = deque(items), dict[str, T](), dict[str, StageError]()
    with crew(waiting, lambda name: work(items[name]), jobs, watch) as outcomes:
        for name, outcome in outcomes:
            if isinstance(outcome, StageError):
                failures[name] = outcome
                if isinstance(outcome, NetworkFailed):
                    waiting.clear()  # each of the others would wait as long for the same answer
            elif isinstance(outcome, Exception):
                raise outcome
            else:
                done[name] = outcome
                advance(1)
    if failures:
        raise summed_up(sources, [(name, failures[name]) for name in items if name in failures], len(done), len(items))
    return {name: done[name] for name in items}


def _outcome(work: Callable[[Item], T], item: Item) -> T | Exception:
    try:
        return work(item)
    except Exception as error:  # noqa: BLE001  # carried to the thread that asked
        return error

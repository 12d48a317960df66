"""Try again what may succeed later, as often and as soon as the user and the server allow."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from stage.errors import NetworkFailed

from fetcher.failures import Transient

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")
log = logging.getLogger(__name__)
LONGEST_ASKED = 120.0  # seconds that a server may have us wait
LONGEST_PAUSE = 30.0  # seconds between tries where the server asks for none
RESUME = "check the network and run again: what has arrived is kept"


def persistently(
    attempt: Callable[[], T], tries: int, backoff: float, sleep: Callable[[float], None], where: str, cure: str = RESUME
) -> T:
    """Call ``attempt`` until it raises no Transient, at most ``tries`` times; raise NetworkFailed after that.

    The pauses double, beginning with ``backoff`` seconds, and carry jitter; what a server asks for is added.
    ``cure`` is what to do after the last try.
    """
    try:
        return attempt()
    except Transient as error:
        first: list[Transient] = [error]
    # lazy: a run without a failure ends sooner than this import
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

    pause = wait_exponential(multiplier=backoff, max=LONGEST_PAUSE) + wait_random(0, backoff)

    def again() -> T:
        if first:
            raise first.pop()
        return attempt()

    def wait(state: "RetryCallState") -> float:
        return pause(state) + (_failure(state).wait or 0)

    def tell(state: "RetryCallState") -> None:
        log.warning("%s: %s; trying again in %.1f s", where, _failure(state), state.upcoming_sleep)

    retrying = Retrying(
        stop=stop_after_attempt(tries),
        wait=wait,
        retry=retry_if_exception(lambda error: isinstance(error, Transient) and not _too_long(error)),
        sleep=sleep,
        before_sleep=tell,
        reraise=True,
    )
    try:
        return retrying(again)
    except Transient as error:
        if _too_long(error):
            back = datetime.now(UTC) + timedelta(seconds=min(error.wait or 0, 1e9))
            what = f"{error}, and asks to wait {error.wait:.0f} seconds"
            raise NetworkFailed(where, what, f"run again after {back:%Y-%m-%d %H:%M:%S} UTC") from error
        what = f"{error}; gave up after {tries} tries"
        raise NetworkFailed(where, what, cure) from error


def _failure(state: "RetryCallState") -> Transient:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, Transient) else Transient("no failure")


def _too_long(error: Transient) -> bool:
    return (error.wait or 0) > LONGEST_ASKED

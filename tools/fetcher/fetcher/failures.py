"""Failures of one download: which of them are retried, and how those of a whole set become one error."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stage.errors import ChecksumMismatch, EmptyInput, NetworkFailed, PolicyViolation, SourceRefused, StageError
from stage.redaction import listed

from fetcher.watchdog import Watchdog

if TYPE_CHECKING:
    from tenacity import RetryCallState

T = TypeVar("T")
log = logging.getLogger(__name__)
# Which of several failures is reported. Of one file with several URLs: first what a retry may fix. Of a set of files:
# first what needs a person, last what may be gone the next time.
FILE_ORDER = (NetworkFailed, ChecksumMismatch, EmptyInput, PolicyViolation, SourceRefused)
SET_ORDER = (PolicyViolation, ChecksumMismatch, EmptyInput, SourceRefused, NetworkFailed)
MAX_RETRY_AFTER = 120.0  # seconds that a server may ask us to wait
MAX_PAUSE = 30.0  # seconds between attempts if the server asks for none
RESUME = "check the network and run again (partial downloads are kept)"


class Transient(Exception):
    """A failure that a retry may fix; ``retry_after`` is how many seconds the server asks us to wait."""

    def __init__(self, what: str, retry_after: float | None = None) -> None:
        super().__init__(what)
        self.retry_after = retry_after


class NotFound(SourceRefused):
    """The location has no such file."""


class Conflict(SourceRefused):
    """The server returned 409; GitHub does for an empty repository."""


@dataclass(frozen=True)
class Limits:
    """How often a download is attempted, the first pause in seconds, and the size of an unpinned file in bytes."""

    tries: int
    backoff: float
    max_bytes: int
    watchdog: Watchdog


def most_severe(failures: list[StageError], order: tuple[type[StageError], ...]) -> StageError:
    """Return the first failure of the first class in ``order`` that occurs."""
    return next(failure for kind in (*order, StageError) for failure in failures if isinstance(failure, kind))


def combined(sources: Path, failures: list[tuple[str, StageError]], succeeded: int, total: int) -> StageError:
    """Return one failure that names the files that failed."""
    worst = most_severe([failure for _, failure in failures], SET_ORDER)
    if len(failures) == 1 and succeeded == total - 1:
        return type(worst)(worst.where, f"{failures[0][0]}: {worst.what}", worst.fix)
    skipped = total - succeeded - len(failures)
    what = f"{len(failures)} of {total} files failed" + (f", {skipped} not attempted" if skipped else "")
    names = listed([name for name, _ in failures])
    return type(worst)(sources, f"{what}: {names}; {worst.where}: {worst.what}", worst.fix)


def with_retries(attempt: Callable[[], T], limits: Limits, where: str, fix: str = RESUME) -> T:
    """Call ``attempt`` until it raises no Transient, at most ``limits.tries`` times; then raise NetworkFailed.

    The pauses double, starting at ``limits.backoff``, with jitter; what a server asks for is added.
    """
    try:
        return attempt()
    except Transient as error:
        first: list[Transient] = [error]
    # lazy: a run without a failure ends sooner than this import
    from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

    pause = wait_exponential(multiplier=limits.backoff, max=MAX_PAUSE) + wait_random(0, limits.backoff)

    def attempt_again() -> T:
        if first:
            raise first.pop()
        return attempt()

    def wait(state: "RetryCallState") -> float:
        return pause(state) + (_failure(state).retry_after or 0)

    def warn(state: "RetryCallState") -> None:
        log.warning("%s: %s; retrying in %.1f s", where, _failure(state), state.upcoming_sleep)

    retrying = Retrying(
        stop=stop_after_attempt(limits.tries),
        wait=wait,
        retry=retry_if_exception(lambda error: isinstance(error, Transient) and not _too_long(error)),
        sleep=limits.watchdog.sleep,
        before_sleep=warn,
        reraise=True,
    )
    try:
        return retrying(attempt_again)
    except Transient as error:
        if _too_long(error):
            when = datetime.now(UTC) + timedelta(seconds=min(error.retry_after or 0, 1e9))
            what = f"{error}, retry after {error.retry_after:.0f} seconds"
            raise NetworkFailed(where, what, f"run again after {when:%Y-%m-%d %H:%M:%S} UTC") from error
        what = f"{error}; gave up after {limits.tries} attempt{'s' * (limits.tries > 1)}"
        raise NetworkFailed(where, what, fix) from error


def _failure(state: "RetryCallState") -> Transient:
    error = state.outcome.exception() if state.outcome else None
    return error if isinstance(error, Transient) else Transient("no failure")


def _too_long(error: Transient) -> bool:
    return (error.retry_after or 0) > MAX_RETRY_AFTER

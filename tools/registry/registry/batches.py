"""Work on many datasets or releases: a failure of one does not stop the others; the run ends with the gravest."""

import contextlib
import logging
from collections.abc import Iterator

from data_registry.stage.errors import (
    ChecksumMismatch,
    CorruptFile,
    DatabaseUnreachable,
    DiskFull,
    Incomplete,
    LockHeld,
    NetworkFailed,
    OutOfMemory,
    PushFailed,
    StageError,
    TagExists,
    VerificationFailed,
    translated,
)

log = logging.getLogger(__name__)

WRONG = {error.code for error in (VerificationFailed, ChecksumMismatch, CorruptFile, TagExists)}  # wrong data
RETRIED = {error.code for error in (NetworkFailed, DatabaseUnreachable, LockHeld, PushFailed)}  # a rerun may help


class Failed(StageError):
    """A failure with the exit code of another one."""

    def __init__(self, code: int, where: object, what: str, fix: str) -> None:
        self.code = code
        super().__init__(where, what, fix)


class Failures:
    """The failures of a batch, in order."""

    def __init__(self) -> None:
        self.errors: list[StageError] = []

    def add(self, error: StageError) -> None:
        """Log a failure, and keep it for the end."""
        log.warning("%s: %s", error.where, error.what)
        self.errors.append(error)

    @contextlib.contextmanager
    def collected(self, item: str = "") -> Iterator[None]:
        """Collect a failure under the name of its ``item``; without a name, raise it.

        A full disk and a lack of memory are raised in any case: they concern the whole batch.
        """
        try:
            yield
        except (StageError, OSError) as error:
            failure = error if isinstance(error, StageError) else translated(error)
            if not item or failure is None or isinstance(failure, DiskFull | OutOfMemory):
                raise
            if item not in failure.where:
                failure = Failed(failure.code, f"{item}: {failure.where}", failure.what, failure.fix)
                failure.__cause__ = error
            self.add(failure)

    def end(self) -> None:
        """Raise the gravest failure, if there was one, with the number of failures."""
        if self.errors:
            gravest = max(self.errors, key=_gravity)
            what = f"{gravest.what} ({len(self.errors)} in all)"
            raise Failed(gravest.code, gravest.where, what, gravest.fix) from gravest


def _gravity(error: StageError) -> int:
    if error.code in WRONG:
        return 3
    if error.code in RETRIED:
        return 1
    return 0 if error.code == Incomplete.code else 2

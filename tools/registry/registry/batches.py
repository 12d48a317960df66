"""Work on many datasets or releases: a failure of one does not stop the others; the run ends with the gravest."""

import contextlib
import logging
from collections.abc import Iterator

from data_registry.stage import errors
from data_registry.stage.errors import StageError

log = logging.getLogger(__name__)

WRONG_DATA = (errors.VerificationFailed, errors.ChecksumMismatch, errors.CorruptFile, errors.TagExists)
MAY_PASS = (errors.NetworkFailed, errors.DatabaseUnreachable, errors.LockHeld, errors.PushFailed)  # with a rerun
WRONG = {error.code for error in WRONG_DATA}
GRAVITY = {**dict.fromkeys(WRONG, 3), **{error.code: 1 for error in MAY_PASS}, errors.Incomplete.code: 0}  # others: 2


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
            failure = error if isinstance(error, StageError) else errors.translated(error)
            if not item or failure is None or isinstance(failure, errors.DiskFull | errors.OutOfMemory):
                raise
            if item not in failure.where:
                failure = Failed(failure.code, f"{item}: {failure.where}", failure.what, failure.fix)
                failure.__cause__ = error
            self.add(failure)

    def end(self) -> None:
        """Raise the gravest failure, if there was one, with the number of failures."""
        if self.errors:
            gravest = max(self.errors, key=lambda error: GRAVITY.get(error.code, 2))
            what = f"{gravest.what} ({len(self.errors)} in all)"
            raise Failed(gravest.code, gravest.where, what, gravest.fix) from gravest

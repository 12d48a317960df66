"""Work on many datasets or releases: a failure of one stops no other, and the gravest is what the run ends with."""

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

WRONG = {each.code for each in (VerificationFailed, ChecksumMismatch, CorruptFile, TagExists)}  # data is not as it was
LATER = {each.code for each in (NetworkFailed, DatabaseUnreachable, LockHeld, PushFailed)}  # what a rerun may mend


class Several(StageError):
    """The gravest failure of a batch, with its code, and how many there are."""

    def __init__(self, gravest: StageError, number: int) -> None:
        self.code = gravest.code
        super().__init__(gravest.where, f"{gravest.what} ({number} in all)", gravest.fix)


class _Of(StageError):
    """A failure that does not name the item it is of."""

    def __init__(self, item: str, error: StageError) -> None:
        self.code = error.code
        super().__init__(f"{item}: {error.where}", error.what, error.fix)
        self.__cause__ = error


class Failures:
    """What went wrong in a batch, in order."""

    def __init__(self) -> None:
        self.errors: list[StageError] = []
        self._is_logged = False

    def add(self, error: StageError) -> None:
        """Log a failure, and keep it for the end."""
        log.warning("%s: %s", error.where, error.what)
        self.errors.append(error)
        self._is_logged = True

    @contextlib.contextmanager
    def collected(self, item: str = "") -> Iterator[None]:
        """Go on after a failure, which gets the name of its ``item``; a full disk or memory ends the batch, for all.

        Without a name there is one item alone: what is raised by it is raised at once.
        """
        try:
            yield
        except (DiskFull, OutOfMemory):
            raise
        except StageError as error:
            if not item:
                raise
            self.add(error if item in error.where else _Of(item, error))
        except OSError as error:
            known = translated(error)
            if not item or known is None or isinstance(known, DiskFull):
                raise
            self.add(known if item in known.where else _Of(item, known))

    def end(self) -> None:
        """Raise the gravest failure, if there was any; with their number, unless it is one that was not logged."""
        if not self.errors:
            return
        gravest = max(self.errors, key=_gravity)
        if len(self.errors) == 1 and not self._is_logged:
            raise gravest
        raise Several(gravest, len(self.errors)) from gravest


def _gravity(error: StageError) -> int:
    if error.code in WRONG:
        return 3
    if error.code in LATER:
        return 1
    return 0 if error.code == Incomplete.code else 2

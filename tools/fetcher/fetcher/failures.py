"""Failures inside one download, and how those of a whole set become one."""

from pathlib import Path

from stage.errors import (
    ChecksumMismatch,
    EmptyInput,
    NetworkFailed,
    PolicyViolation,
    SourceRefused,
    StageError,
)

# Of several failures, the one to report. Of one file at several places: first what a retry may mend. Of a set:
# first what must be looked at, last what may be gone the next time.
OF_PLACES = (NetworkFailed, ChecksumMismatch, EmptyInput, PolicyViolation, SourceRefused)
OF_A_SET = (PolicyViolation, ChecksumMismatch, EmptyInput, SourceRefused, NetworkFailed)
NAMED = 20  # failed files that a message names


class Transient(Exception):
    """A failure that another try may mend; ``wait`` is how many seconds the server asks us to stay away."""

    def __init__(self, what: str, wait: float | None = None) -> None:
        super().__init__(what)
        self.wait = wait


class Absent(SourceRefused):
    """The place answered, and holds no such file: for a mirror no failure at all."""


class Conflict(SourceRefused):
    """The place answered that its state does not allow an answer (409): on GitHub, that a repository is empty."""


class Stopped(Exception):
    """The run is ending; this download gives way."""


def gravest(failures: list[StageError], order: tuple[type[StageError], ...]) -> StageError:
    """Return the first failure of the first kind in ``order`` that there is."""
    return next(failure for kind in (*order, StageError) for failure in failures if isinstance(failure, kind))


def summed_up(sources: Path, failures: list[tuple[str, StageError]], landed: int, total: int) -> StageError:
    """Return one failure that names all files that failed."""
    worst = gravest([failure for _, failure in failures], OF_A_SET)
    if len(failures) == 1 and landed == total - 1:
        return type(worst)(worst.where, f"{failures[0][0]}: {worst.what}", worst.fix)
    names = ", ".join(name for name, _ in failures[:NAMED])
    if len(failures) > NAMED:
        names += f" and {len(failures) - NAMED} more"
    untried = total - landed - len(failures)
    what = f"{len(failures)} of {total} files failed" + (f", {untried} not tried" if untried else "")
    return type(worst)(sources, f"{what}: {names}; {worst.where}: {worst.what}", worst.fix)

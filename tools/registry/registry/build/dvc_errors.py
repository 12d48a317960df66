"""What DVC says when it fails, as the error that it means."""

import errno
import os
import re
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from data_registry.stage.errors import (
    CorruptFile,
    DiskFull,
    InputMissing,
    LockHeld,
    NetworkFailed,
    StageError,
    UsageError,
    translated,
)
from launcher.containers import engine_answers

from registry.datasets import Dataset

STAGE = re.compile(r"failed to reproduce '(?:.*:)?([^':]+)'$")
EXITED = re.compile(r"exited with (-?\d+)$")
LINKS = re.compile(r"\s*(?:Check the page|See|Learn more)\b.*?(?:<|https?:).*", re.DOTALL)
PLACE = re.compile(r"'(/.+)'")
LEAST = 65_536  # bytes that are free on a disk that is not full
FIX = "correct dvc.yaml or params.yaml"
LOCK = "remove it, or git checkout it, then run again"
# By the names of DVC's exceptions: what the caller should do.
MEANINGS: dict[str, tuple[type[StageError], str]] = {
    "LockError": (LockHeld, "wait until the other DVC has ended, then run again"),
    "RWLockFileCorruptedError": (CorruptFile, "remove .dvc/tmp/rwlock, then run again"),
    "RWLockFileFormatError": (CorruptFile, "remove .dvc/tmp/rwlock, then run again"),
    "DependencyDoesNotExistError": (InputMissing, "make the file, or correct deps in dvc.yaml"),
    "MissingDataSource": (InputMissing, "make the file, or correct deps in dvc.yaml"),
    "OutputDoesNotExistError": (UsageError, "correct outs in dvc.yaml, or the stage's settings in params.yaml"),
    "MissingParamsError": (UsageError, "add the section to params.yaml, or correct params in dvc.yaml"),
    "MissingParamsFile": (UsageError, "git checkout the file, or correct params in dvc.yaml"),
    "FileMissingError": (InputMissing, "make pull, or build it again"),
    "CheckoutError": (InputMissing, "make pull, or build it again"),
    "CacheLinkError": (UsageError, "correct cache.type in .dvc/config or .dvc/config.local"),
    "ConfigError": (UsageError, "correct .dvc/config or .dvc/config.local"),
    "NotDvcRepoError": (UsageError, "git checkout -- .dvc"),
    "SCMError": (UsageError, "run it in a git clone of the registry"),
    "FileIsGitIgnored": (UsageError, "remove the pattern from .gitignore (git check-ignore -v names it)"),
}

DOCKER_FAILED = 125  # the exit code of docker itself, not of what is in the container


class StageFailed(StageError):
    """The command of a stage ended with an exit code of its own, which is passed on; negative for a signal."""

    def __init__(self, dataset: Dataset, code: int, stage: str = "") -> None:
        number = -code if code < 0 else code - 128
        self.code = 128 + number if number > 0 else code
        name = f"stage {stage}" if stage else "a stage"
        if number in set(signal.Signals):
            what = f"{name} was ended by {signal.Signals(number).name} (exit {self.code})"
            kill = "free some memory or raise its limit (dmesg says whether that was it), then run again"
            fix = kill if number == signal.SIGKILL else "run again"
        else:
            what, fix = f"{name} failed with exit {code}", "see its error line above"
        super().__init__(dataset.name, what, fix)


def meaning_of(error: BaseException, where: object, dataset: Dataset | None = None) -> StageError:
    """Return the error that an exception of DVC means; the one beneath it that says most decides."""
    causes = list(_causes(error))
    stage = next((match[1] for cause in causes if (match := STAGE.search(str(cause)))), "")
    for cause in causes:
        if dataset and type(cause).__name__ == "StageCmdFailedError" and (match := EXITED.search(str(cause))):
            if int(match[1]) == DOCKER_FAILED and os.environ.get("RUNTIME") != "host" and not engine_answers():
                name = f"{dataset.name} stage {stage}"
                return NetworkFailed(name, "the Docker engine no longer answers", "start Docker, or RUNTIME=host")
            return StageFailed(dataset, int(match[1]), stage)
    for cause in reversed(causes):
        if isinstance(cause, StageError):
            return cause
        if isinstance(cause, sqlite3.Error):
            return _of_sqlite(cause)
        cause = with_place(cause, where) if isinstance(cause, OSError) else cause
        if isinstance(cause, OSError | MemoryError) and (found := translated(cause)):
            return found
    place = f"{where} stage {stage}" if stage else where
    for cause in reversed(causes):
        if type(cause).__name__ == "CacheLinkError" and (full := _of_links(str(cause))):
            return full
        if found_meaning := MEANINGS.get(type(cause).__name__):
            kind, fix = found_meaning
            return kind(place, _words(cause), fix)
    told = {_words(cause): type(cause).__module__ for cause in causes if not STAGE.search(str(cause))}
    what = ": ".join(filter(None, told)) or str(error)
    if not any(module.startswith("dvc.") for module in told.values()):
        return StageError(place, what, "run again with -v to see where it comes from")
    return UsageError(place, what, LOCK if "dvc.lock" in what else FIX)


def with_place(error: OSError, where: object) -> OSError:
    """Return an error of the system with the place where it was, if it says none."""
    return error if error.filename or not error.errno else OSError(error.errno, error.strerror, str(where))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those beneath it; DVC keeps the reader's own in an attribute, ``exc``."""
    current: BaseException | None = error
    while current:
        yield current
        beneath = getattr(current, "exc", None)
        current = current.__cause__ or (beneath if isinstance(beneath, BaseException) else None)


def _words(error: BaseException) -> str:
    """Return what an exception says, without addresses of pages about it."""
    return LINKS.sub("", str(error)).strip()


def _of_links(text: str) -> StageError | None:
    """Return why DVC, which tries with a file of its own, has no way to put an output in its place; None: its types."""
    if not (found := PLACE.search(text)):
        return None
    folder = next(folder for folder in Path(found[1]).parents if folder.exists())
    if shutil.disk_usage(folder).free < LEAST:
        return DiskFull(folder, "cannot write: no space left", "free some disk space (df -h), then run again")
    if not os.access(folder, os.W_OK | os.X_OK):
        return translated(PermissionError(errno.EACCES, "", str(folder)))
    return None


def _of_sqlite(error: sqlite3.Error) -> StageError:
    """Return what an error of the databases in which DVC remembers hashes means."""
    where, text = ".dvc/tmp", str(error)
    if "full" in text or "I/O" in text:
        return DiskFull(where, f"cannot write: {text}", "free some disk space (df -h), then run again")
    if "locked" in text or "busy" in text:
        return LockHeld(where, text, "wait until the other DVC has ended, then run again")
    if "readonly" in text or "unable to open" in text:
        return UsageError(where, f"cannot write: {text}", "run as the owner of this clone, or change its mode")
    return CorruptFile(where, text, "remove .dvc/tmp, then run again")

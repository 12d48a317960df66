"""Translate the exceptions of DVC into errors with exit codes."""

import errno
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from data_registry.stage.errors import (
    ChildFailed,
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
LEAST = 65_536  # bytes; a disk with less free space is full
FIX = "correct dvc.yaml or params.yaml"
LOCK = "remove it, or git checkout it, then run again"
# By the names of DVC's exceptions.
MEANINGS: dict[str, tuple[type[StageError], str]] = {
    "LockError": (LockHeld, "wait for the other DVC process, then run again"),
    "RWLockFileCorruptedError": (CorruptFile, "remove .dvc/tmp/rwlock, then run again"),
    "RWLockFileFormatError": (CorruptFile, "remove .dvc/tmp/rwlock, then run again"),
    "DependencyDoesNotExistError": (InputMissing, "create the file, or correct deps in dvc.yaml"),
    "MissingDataSource": (InputMissing, "create the file, or correct deps in dvc.yaml"),
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

DOCKER_FAILED = 125  # exit code of docker itself, not of the container


def translate(error: BaseException, where: object, dataset: Dataset | None = None) -> StageError:
    """Return the StageError for an exception of DVC, by the most specific of its causes."""
    causes = list(_causes(error))
    stage = next((match[1] for cause in causes if (match := STAGE.search(str(cause)))), "")
    for cause in causes:
        if dataset and type(cause).__name__ == "StageCmdFailedError" and (match := EXITED.search(str(cause))):
            if int(match[1]) == DOCKER_FAILED and os.environ.get("RUNTIME") != "host" and not engine_answers():
                name = f"{dataset.name} stage {stage}"
                return NetworkFailed(name, "the Docker engine no longer answers", "start Docker, or use RUNTIME=host")
            return ChildFailed(dataset.name, f"stage {stage}", int(match[1]))
    for cause in reversed(causes):
        if isinstance(cause, StageError):
            return cause
        if isinstance(cause, sqlite3.Error):
            return _of_sqlite(cause)
        cause = with_place(cause, where) if isinstance(cause, OSError) else cause
        if isinstance(cause, OSError | MemoryError) and (failure := translated(cause)):
            return failure
    place = f"{where} stage {stage}" if stage else where
    for cause in reversed(causes):
        if type(cause).__name__ == "CacheLinkError" and (full := _of_links(str(cause))):
            return full
        if type(cause).__name__ in MEANINGS:
            kind, fix = MEANINGS[type(cause).__name__]
            return kind(place, _message(cause), fix)
    messages = {_message(cause): type(cause).__module__ for cause in causes if not STAGE.search(str(cause))}
    what = ": ".join(filter(None, messages)) or str(error)
    if not any(module.startswith("dvc.") for module in messages.values()):
        return StageError(place, what, "run again with -v for the traceback")
    return UsageError(place, what, LOCK if "dvc.lock" in what else FIX)


def with_place(error: OSError, where: object) -> OSError:
    """Return an error of the system with ``where`` as its path, if it has none."""
    return error if error.filename or not error.errno else OSError(error.errno, error.strerror, str(where))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and its causes; DVC keeps the error of a parser in an attribute, ``exc``."""
    current: BaseException | None = error
    while current:
        yield current
        cause = getattr(current, "exc", None)
        current = current.__cause__ or (cause if isinstance(cause, BaseException) else None)


def _message(error: BaseException) -> str:
    """Return the message of an exception without links to documentation."""
    return LINKS.sub("", str(error)).strip()


def _of_links(text: str) -> StageError | None:
    """Return why DVC cannot link an output from its cache; None: the link types of the configuration do not work."""
    if not (match := PLACE.search(text)):
        return None
    folder = next(folder for folder in Path(match[1]).parents if folder.exists())
    if shutil.disk_usage(folder).free < LEAST:
        return DiskFull(folder, "cannot write: no space left", "free some disk space (df -h), then run again")
    if not os.access(folder, os.W_OK | os.X_OK):
        return translated(PermissionError(errno.EACCES, "", str(folder)))
    return None


def _of_sqlite(error: sqlite3.Error) -> StageError:
    """Return the StageError for an error of DVC's SQLite databases of hashes."""
    where, text = ".dvc/tmp", str(error)
    if "full" in text or "I/O" in text:
        return DiskFull(where, f"cannot write: {text}", "free some disk space (df -h), then run again")
    if "locked" in text or "busy" in text:
        return LockHeld(where, text, "wait for the other DVC process, then run again")
    if "readonly" in text or "unable to open" in text:
        return UsageError(where, f"cannot write: {text}", "run as the owner of this clone, or change its mode")
    return CorruptFile(where, text, "remove .dvc/tmp, then run again")

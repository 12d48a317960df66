"""Build datasets with DVC."""

import contextlib
import fcntl
import logging
import os
import pwd
import re
import sqlite3
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from data_registry.git_settings import neutral_process
from data_registry.stage.errors import CorruptFile

from registry.build.dvc_errors import LOCK, meaning_of, with_place
from registry.build.evaluation import start_evaluation
from registry.datasets import WORKSPACE, Dataset, find_datasets

if TYPE_CHECKING:
    from dvc.repo import Repo

log = logging.getLogger(__name__)


def reproduce(dataset: Dataset, root: Path, force: bool = False) -> dict[str, float]:
    """Run the stages of a dataset whose inputs have changed (``force``: all of them), and return the seconds of each.

    Raises StageFailed where one fails, and what dvc_repository does.
    """
    start_evaluation(dataset)
    with _timed(dataset) as started, dvc_repository(root, dataset) as repo:
        if dataset.parent == WORKSPACE:  # DVC does not see that it has changed
            repo.reproduce(targets=[f"{dataset.pipeline}:registry"], force=True, single_item=True)
        stages = repo.reproduce(targets=[str(dataset.pipeline)], force=force)
        ends = [*started.values(), time.monotonic()][1:]
    dataset.check_lock()
    took = {stage: end - begun for (stage, begun), end in zip(started.items(), ends, strict=True)}
    # Those that did not run are ones that DVC has taken from its cache, as it had made them before.
    return {stage.name: 0.0 for stage in stages} | took


@contextlib.contextmanager
def _timed(dataset: Dataset) -> Iterator[dict[str, float]]:
    """Let DVC say in a short line which stage it runs, and yield when each began."""
    started: dict[str, float] = {}

    def shortened(record: logging.LogRecord) -> bool:
        if record.msg.startswith("Running stage"):
            stage = re.findall(r"[^ :']+", record.getMessage())[-1]
            started[stage] = time.monotonic()
            record.msg, record.args = "%s: %s", (dataset.name, stage)
        return not record.msg.startswith("%s %s") or log.isEnabledFor(logging.DEBUG)  # the command itself

    stages = logging.getLogger("dvc.stage.run")
    stages.addFilter(shortened)
    try:
        yield started
    finally:
        stages.removeFilter(shortened)


@contextlib.contextmanager
def dvc_repository(root: Path, dataset: Dataset | None = None) -> "Iterator[Repo]":
    """Open the clone in DVC, alone; what DVC and the stages print on stdout is shown on stderr by -v alone.

    Raises, for what DVC raises here and within, the StageError that it means.
    """
    # Before DVC is imported: its index of hashes holds pickles, so nobody else may write it.
    os.environ.setdefault("DVC_SITE_CACHE_DIR", str(_private(_made(root) / f"site-{os.getuid()}")))
    _name_the_user()
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    _quieten()
    _check_files(root)
    try:
        with neutral_process(), exclusive(root), _stdout_elsewhere(), Repo(str(root)) as repo:
            yield repo
    except (DvcException, sqlite3.Error) as error:
        raise meaning_of(error, dataset.name if dataset else "DVC", dataset) from error
    except OSError as error:
        if (placed := with_place(error, dataset.name if dataset else root / ".dvc")) is not error:
            raise placed from error
        raise


def _check_files(root: Path) -> None:
    """Read what DVC is about to read of every dataset: it does not look at depth, size and shape.

    Raises UsageError or CorruptFile for an invalid file.
    """
    for dataset in find_datasets(root, "all"):
        dataset.params()
        dataset.stages()
        try:
            dataset.locked()
        except CorruptFile as error:
            raise CorruptFile(error.where, error.what, LOCK) from error


@contextlib.contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold the clone's lock: DVC is not made for two writers in one clone."""
    # Opened to read, so that a lock which another user of the clone has made is theirs too.
    lock = os.open(_made(root) / "registry.lock", os.O_RDONLY | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another run in %s", root)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _quieten() -> None:
    """Let DVC say only which stages it runs, once; our summary says the rest."""
    logging.getLogger("dvc").handlers.clear()
    for name in ("aiobotocore", "botocore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if not log.isEnabledFor(logging.DEBUG):
        logging.getLogger("dvc").setLevel(logging.WARNING)
        logging.getLogger("dvc.stage.run").setLevel(logging.INFO)


@contextlib.contextmanager
def _stdout_elsewhere() -> Iterator[None]:
    """Keep stdout for the summary, which says to people what the stages say to programs."""
    sys.stdout.flush()
    kept = os.dup(1)
    with open(os.devnull, "w") as nothing:
        os.dup2(2 if log.isEnabledFor(logging.DEBUG) else nothing.fileno(), 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


def _name_the_user() -> None:
    """Give a user whom the system has no name for, as in a container under any uid, the one that DVC asks for."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("USER", f"uid-{os.getuid()}")


def _made(root: Path) -> Path:
    """Return the folder that DVC and all users of the clone share, made where it is missing."""
    folder = root / ".dvc" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder

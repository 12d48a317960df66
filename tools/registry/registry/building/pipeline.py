"""Build datasets with DVC."""

import contextlib
import fcntl
import logging
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stage.errors import StageError

from registry.datasets import WORKSPACE, Dataset
from registry.git_settings import no_locations

if TYPE_CHECKING:
    from dvc.repo import Repo

log = logging.getLogger(__name__)


class StageFailed(StageError):
    """A stage ended with an exit code of its own, which is passed on."""

    def __init__(self, dataset: Dataset, code: int) -> None:
        self.code = code
        super().__init__(dataset.name, f"a stage failed with exit {code}", "see its error line above")


def reproduce(dataset: Dataset, root: Path, force: bool = False) -> dict[str, float]:
    """Run the stages of a dataset whose inputs have changed (``force``: all of them), and return the seconds of each.

    Raises StageFailed where one fails.
    """
    with _timed(dataset) as started, dvc_repository(root) as repo:
        from dvc.exceptions import DvcException, ReproductionError

        try:
            if dataset.parent == WORKSPACE:  # DVC does not see that it has changed
                repo.reproduce(targets=[f"{dataset.pipeline}:registry"], force=True, single_item=True)
            stages = repo.reproduce(targets=[str(dataset.pipeline)], force=force)
        except ReproductionError as error:
            raise StageFailed(dataset, _exit_code(error)) from error
        except DvcException as error:
            raise StageError(dataset.name, str(error), "correct dvc.yaml or params.yaml") from error
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
def dvc_repository(root: Path) -> "Iterator[Repo]":
    """Open the clone in DVC, alone; what DVC and the stages print on stdout is shown on stderr by -v alone."""
    # Before DVC is imported: its index of hashes holds pickles, so nobody else may write it.
    os.environ.setdefault("DVC_SITE_CACHE_DIR", str(_private(root / ".dvc" / "tmp" / "site")))
    from dvc.repo import Repo

    _quieten()
    with no_locations(), exclusive(root), _stdout_elsewhere(), Repo(str(root)) as repo:
        yield repo


@contextlib.contextmanager
def exclusive(root: Path) -> Iterator[None]:
    """Hold the clone's lock: DVC is not made for two writers in one clone."""
    with (_private(root / ".dvc" / "tmp") / "registry.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.info("waiting for another run in %s", root)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


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


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _exit_code(error: BaseException) -> int:
    """Return the exit code of the stage that failed; DVC has it only in the text of its error."""
    cause: BaseException | None = error
    while cause:
        if found := re.search(r"exited with (-?\d+)$", str(cause)):
            code = int(found[1])
            return code if code > 0 else 128 - code  # as a shell says that a signal ended it
        cause = cause.__cause__
    return 1

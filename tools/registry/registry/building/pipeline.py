"""Build datasets with DVC."""

import contextlib
import fcntl
import logging
import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from stage.errors import StageError

from registry.datasets import WORKSPACE, Dataset

if TYPE_CHECKING:
    from dvc.repo import Repo

log = logging.getLogger(__name__)


class StageFailed(StageError):
    """A stage ended with an exit code of its own, which is passed on."""

    def __init__(self, dataset: Dataset, code: int) -> None:
        self.code = code
        super().__init__(dataset.name, f"a stage failed with exit {code}", "see its error line above")


def reproduce(dataset: Dataset, root: Path, force: bool = False) -> list[str]:
    """Run the stages of a dataset whose inputs have changed (``force``: all of them), and return their names.

    Raises StageFailed where one fails.
    """
    with dvc_repository(root) as repo:
        from dvc.exceptions import DvcException, ReproductionError

        try:
            if dataset.parent == WORKSPACE:  # DVC does not see that it has changed
                repo.reproduce(targets=[f"{dataset.pipeline}:registry"], force=True, single_item=True)
            stages = repo.reproduce(targets=[str(dataset.pipeline)], force=force)
        except ReproductionError as error:
            raise StageFailed(dataset, _exit_code(error)) from error
        except DvcException as error:
            raise StageError(dataset.name, str(error), "correct dvc.yaml or params.yaml") from error
    dataset.check_lock()
    return [stage.name for stage in stages]


@contextlib.contextmanager
def dvc_repository(root: Path) -> "Iterator[Repo]":
    """Open the clone in DVC, alone; what DVC and the stages print goes to stderr."""
    # Before DVC is imported: its index of hashes holds pickles, so nobody else may write it.
    os.environ.setdefault("DVC_SITE_CACHE_DIR", str(_private(root / ".dvc" / "tmp" / "site")))
    from dvc.repo import Repo

    _quieten()
    with exclusive(root), _stdout_to_stderr(), Repo(str(root)) as repo:
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
def _stdout_to_stderr() -> Iterator[None]:
    """Send what DVC and the stages print to stderr: stdout is for the summary."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
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
        if found := re.search(r"exited with (\d+)$", str(cause)):
            return int(found[1])
        cause = cause.__cause__
    return 1

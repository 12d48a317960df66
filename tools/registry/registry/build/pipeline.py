"""Run the stages of datasets with DVC."""

import contextlib
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
from data_registry.stage.errors import ChildFailed, CorruptFile
from data_registry.stage.locks import locked
from data_registry.stage.output import replacing

from registry.build.copies import FETCHER, Copies
from registry.build.dvc_errors import LOCK, translate, with_place
from registry.build.s3_access import s3_variables
from registry.build.source_list import SOURCES
from registry.datasets import WORKSPACE, Dataset, find_datasets

if TYPE_CHECKING:
    from dvc.repo import Repo

log = logging.getLogger(__name__)

EVALUATION = "evaluation.json"  # the measures of a vector index, which exist only once it is built


def reproduce(dataset: Dataset, root: Path, remote: str = "", force: bool = False) -> dict[str, float]:
    """Run the stages of a dataset whose inputs have changed (``force``: all of them); return the seconds of each.

    Raw files that no source sends are taken from the cache or the ``remote``, if earlier builds fetched them.

    Raises ChildFailed where a stage fails, what ``dvc_repository`` raises, and InputMissing where a file without a
    public address has no copy.
    """
    start_evaluation(dataset)
    with Copies(dataset, root, remote) as copies:
        try:
            return _reproduce(dataset, root, force, copies)
        except ChildFailed as error:
            if not copies.replace_sources(error):
                raise
        return _reproduce(dataset, root, force, copies)


def _reproduce(dataset: Dataset, root: Path, force: bool, copies: Copies) -> dict[str, float]:
    with _timed(dataset) as started, _s3_variables(dataset), dvc_repository(root, dataset) as repo:
        if dataset.parent == WORKSPACE:  # DVC does not see that it has changed
            repo.reproduce(targets=[f"{dataset.pipeline}:registry"], force=True, single_item=True)
        if copies.lacks_local_files and (force or repo.status(targets=[f"{dataset.pipeline}:{FETCHER}"])):
            copies.store_local_files()
        stages = repo.reproduce(targets=[str(dataset.pipeline)], force=force)
        ends = [*started.values(), time.monotonic()][1:]
    dataset.check_lock()
    seconds = {stage: end - start for (stage, start), end in zip(started.items(), ends, strict=True)}
    return {stage.name: 0.0 for stage in stages} | seconds  # DVC takes the others from its cache of runs


@contextlib.contextmanager
def _s3_variables(dataset: Dataset) -> Iterator[None]:
    """Let ``fetcher`` read the s3 URLs in sources.csv as the user may."""
    path = dataset.folder / SOURCES
    variables = s3_variables(path.read_text(encoding="utf-8", errors="replace") if path.is_file() else "")
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _timed(dataset: Dataset) -> Iterator[dict[str, float]]:
    """Let DVC log one short line per stage, and yield the start time of each."""
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
    """Open the clone in DVC, under its lock; stdout of DVC and the stages goes to stderr with -v, else nowhere.

    Raises the StageError for what DVC raises here and within.
    """
    # Before DVC is imported: its index of hashes holds pickles, so other users must not write it.
    site = temporary_folder(root) / f"site-{os.getuid()}"
    site.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.environ.setdefault("DVC_SITE_CACHE_DIR", str(site))
    _set_user()
    from dvc.exceptions import DvcException  # lazy: DVC takes seconds to load
    from dvc.repo import Repo

    _quieten()
    _check_files(root)
    lock = locked(site.with_name("registry.lock"), lambda: log.info("waiting for another run in %s", root))
    try:  # under the lock: DVC does not support two writers in one clone
        with neutral_process(), lock, _redirected_stdout(), Repo(str(root)) as repo:
            yield repo
    except (DvcException, sqlite3.Error) as error:
        raise translate(error, dataset.name if dataset else "DVC", dataset) from error
    except OSError as error:
        if (placed := with_place(error, dataset.name if dataset else root / ".dvc")) is not error:
            raise placed from error
        raise


def _check_files(root: Path) -> None:
    """Check size, depth and shape of the files that DVC reads, of every dataset.

    Raises UsageError or CorruptFile for an invalid file.
    """
    for dataset in find_datasets(root, "all"):
        dataset.params()
        dataset.stages()
        try:
            dataset.locked()
        except CorruptFile as error:
            raise CorruptFile(error.where, error.what, LOCK) from error


def start_evaluation(dataset: Dataset) -> None:
    """Write an empty evaluation.json where a stage reads it and the index has never been measured."""
    path = dataset.folder / EVALUATION
    if not path.exists() and EVALUATION in dataset.pipeline.read_text(encoding="utf-8", errors="replace"):
        with replacing(path) as (temporary,):
            temporary.write_text("{}\n", encoding="utf-8")


def _quieten() -> None:
    """Let DVC log only the stages that it runs; the summary has the rest."""
    logging.getLogger("dvc").handlers.clear()
    for name in ("aiobotocore", "botocore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    if not log.isEnabledFor(logging.DEBUG):
        logging.getLogger("dvc").setLevel(logging.WARNING)
        logging.getLogger("dvc.stage.run").setLevel(logging.INFO)


@contextlib.contextmanager
def _redirected_stdout() -> Iterator[None]:
    """Keep stdout for the summary: stages print JSON there."""
    sys.stdout.flush()
    stdout = os.dup(1)
    with open(os.devnull, "w") as nothing:
        os.dup2(2 if log.isEnabledFor(logging.DEBUG) else nothing.fileno(), 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def _set_user() -> None:
    """Set USER, which DVC needs, for a uid without a name, as in a container under any uid."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        os.environ.setdefault("USER", f"uid-{os.getuid()}")


def temporary_folder(root: Path) -> Path:
    """Return the folder that DVC and all users of the clone share, created if missing."""
    folder = root / ".dvc" / "tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return folder

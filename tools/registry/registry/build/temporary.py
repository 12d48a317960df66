"""Folders in the clone that exist for the length of one command."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

SCRATCH = Path(".local") / "scratch"


@contextlib.contextmanager
def scratch_folder(root: Path, name: str) -> Iterator[Path]:
    """Yield a folder in the repository, where containers can see it, that is removed at the end.

    It is locked meanwhile, so that ``registry doctor`` can tell what a killed run has left.
    """
    (root / SCRATCH).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root / SCRATCH))
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(descriptor)
        shutil.rmtree(folder, ignore_errors=True)

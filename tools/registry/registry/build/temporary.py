"""Folders in the clone that exist for the duration of a command."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from data_registry.stage.locks import locked

SCRATCH = Path(".local") / "scratch"


@contextlib.contextmanager
def scratch_folder(root: Path, name: str) -> Iterator[Path]:
    """Yield a folder in the repository, which containers can see, and remove it at the end.

    It is locked, so that ``registry doctor`` can tell the leftovers of killed runs from folders in use.
    """
    (root / SCRATCH).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root / SCRATCH))
    try:
        with locked(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)

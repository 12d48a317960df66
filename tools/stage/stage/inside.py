"""Files that settings name: they stay in the folder of their stage's input."""

import re
from pathlib import Path

from .errors import PolicyViolation

CACHED = re.compile(
    r".*/files/md5/[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?"
)  # where DVC has what cache.type = symlink links to


def inside(folder: Path, name: str, where: str) -> Path:
    """Return the path of what a setting names in a folder, which need not exist.

    Raises PolicyViolation for a path that leaves the folder: absolute, with ``..``, or by a link that is not one of
    DVC's into its cache.
    """
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts or not name.isprintable():
        raise PolicyViolation(where, f"path {name[:80]!r} is not inside {folder}", f"name a file in {folder}")
    path = folder / name
    if leaves(path, folder):
        raise PolicyViolation(path, f"is a link to outside {folder}", "put a copy of the file there")
    return path


def leaves(path: Path, folder: Path) -> bool:
    """Say whether a path in a folder leads out of it by a link that DVC has not made."""
    return not (path.resolve().is_relative_to(folder.resolve()) or is_cached(path))


def is_regular(path: Path) -> bool:
    """Say whether a path is a regular file, or the link that DVC has put in its place."""
    return path.is_file() and (not path.is_symlink() or is_cached(path))


def is_cached(path: Path) -> bool:
    """Say whether a path leads to an object in DVC's cache."""
    return bool(CACHED.fullmatch(path.resolve().as_posix()))

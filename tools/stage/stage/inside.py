"""Paths in settings: they must stay inside the input folder of their stage."""

import re
from pathlib import Path

from .errors import PolicyViolation

CACHED = re.compile(r".*/files/md5/[0-9a-f]{2}/[0-9a-f]{30}(\.dir)?")  # target of links of cache.type = symlink


def inside(folder: Path, name: str, where: str) -> Path:
    """Return the path of ``name`` in a folder; it need not exist.

    Raises PolicyViolation for a path that leaves the folder: absolute, with ``..``, or by a link other than those of
    DVC into its cache.
    """
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts or not name.isprintable():
        raise PolicyViolation(where, f"path {name[:80]!r} is outside {folder}", f"use a relative path inside {folder}")
    path = folder / name
    if leaves(path, folder):
        raise PolicyViolation(path, f"is a symbolic link to outside {folder}", "replace it with a copy of the file")
    return path


def leaves(path: Path, folder: Path) -> bool:
    """Say whether a path leads out of its folder by a link other than those of DVC."""
    return not (path.resolve().is_relative_to(folder.resolve()) or is_cached(path))


def is_regular(path: Path) -> bool:
    """Say whether a path is a regular file, or a link of DVC to one."""
    return path.is_file() and (not path.is_symlink() or is_cached(path))


def is_cached(path: Path) -> bool:
    """Say whether a path resolves to an object in the DVC cache."""
    return bool(CACHED.fullmatch(path.resolve().as_posix()))

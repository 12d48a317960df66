"""DVC's configuration, resolved as DVC does: system, user, ``.dvc/config``, ``.dvc/config.local``; later ones win."""

import dataclasses
import os
import re
from pathlib import Path
from typing import Any

import platformdirs

from data_registry.git import Git
from data_registry.stage.errors import UsageError
from data_registry.stage.foreign import read_bytes

Section = dict[str, str]
MAX_BYTES = 1 << 20
MOST_COMMAS = 5  # of a line: ConfigObj takes a time for lists that grows exponentially, and DVC has none
NAMED = re.compile(r'\s*remote\s*"(.*)"\s*')
PATHS = {"url", "credentialpath", "configpath"}  # relative ones start at the file's folder
WORKING = "HEAD"  # the clone as it stands: its working tree's file where there is one


@dataclasses.dataclass(frozen=True)
class Config:
    """The sections that matter here; paths are absolute."""

    core: Section
    cache: Section
    remotes: dict[str, Section]


def read_config(git: Git, revision: str, folder: Path | None = None) -> Config:
    """Return the configuration of a clone, with ``.dvc/config`` as it is at a revision; at HEAD, as it stands.

    Where ``folder`` is given, the repository is somebody else's: its ``.dvc/config`` counts alone, and relative paths
    start there. Raises UsageError for a file that is invalid.
    """
    dvc = git.folder / ".dvc"
    if folder is not None:
        return _merged([_at(git, revision, folder / ".dvc")])
    found = [_read(Path(level) / "config") for level in _levels()]
    standing = revision == WORKING and (dvc / "config").exists()
    found.append(_read(dvc / "config") if standing else _at(git, revision, dvc))
    return _merged([*found, _read(dvc / "config.local")])


def _levels() -> tuple[str, str]:
    """Return the folders of the machine's and the user's configuration (dvc.dirs)."""
    system = os.environ.get("DVC_SYSTEM_CONFIG_DIR") or platformdirs.site_config_dir("dvc", "iterative")
    return system, os.environ.get("DVC_GLOBAL_CONFIG_DIR") or platformdirs.user_config_dir("dvc", "iterative")


def _at(git: Git, revision: str, base: Path) -> Config:
    return _parsed(git.show(revision, ".dvc/config") or b"", ".dvc/config", base)


def _read(path: Path) -> Config:
    try:
        content = read_bytes(path, MAX_BYTES, UsageError)
    except (FileNotFoundError, NotADirectoryError):
        content = b""
    except PermissionError as error:
        raise UsageError(path, "permission denied", "change its owner or mode") from error
    return _parsed(content, path, path.parent)


def _parsed(content: bytes, where: object, base: Path) -> Config:
    # lazy, as above; it is what DVC reads its files with
    from configobj import ConfigObj, ConfigObjError

    fix = "correct it, or the files that DVC reads beside it"
    if len(content) > MAX_BYTES:
        raise UsageError(where, f"cannot be read: larger than {MAX_BYTES} bytes", fix)
    try:
        lines = content.decode("utf-8-sig").split("\n")
        if any(line.count(",") > MOST_COMMAS for line in lines):
            raise UsageError(where, f"cannot be read: a line with more than {MOST_COMMAS} commas", fix)
        sections: dict[str, Any] = ConfigObj(lines, interpolation=False).dict()
    except (ConfigObjError, ValueError, RecursionError) as error:
        raise UsageError(where, f"cannot be read: {error}", fix) from error
    found = Config({}, {}, {})
    for name, section in sections.items():
        lowered = name.lower()
        named = NAMED.fullmatch(lowered)
        if not named and lowered not in {"core", "cache"}:
            continue
        if not isinstance(section, dict):
            raise UsageError(where, f"{lowered}: expected a section, got a value", fix)
        for key, value in section.items():
            if not isinstance(value, str):
                raise UsageError(where, f"{lowered}: {key}: expected a text, got a list or section", fix)
        values = {key.lower(): _absolute(key.lower(), value, base, bool(named)) for key, value in section.items()}
        if named:
            found.remotes[named[1]] = values
        else:
            (found.core if lowered == "core" else found.cache).update(values)
    return found


def _absolute(key: str, value: str, base: Path, named: bool) -> str:
    """Return a value whose path is absolute, where it is one (dvc.config.Config._resolve)."""
    if key not in (PATHS if named else {"dir"}) or re.match(r"\w+://", value) or "\0" in value:
        return value
    return os.path.abspath(base / os.path.expanduser(value))  # noqa: PTH100, PTH111  # as DVC: links are not followed


def _merged(levels: list[Config]) -> Config:
    found = Config({}, {}, {})
    for level in levels:
        found.core.update(level.core)
        found.cache.update(level.cache)
        for name, section in level.remotes.items():
            found.remotes.setdefault(name, {}).update(section)
    return found

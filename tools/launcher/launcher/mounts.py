"""What of the machine a container sees, as options of ``docker run``. Standard library only."""

import os
from collections.abc import Iterator
from pathlib import Path

from launcher.failure import CannotRun

DATA = "/data"  # where a tool's container has the folder of the dataset
OBJECTS = "/files/md5/"  # below it, DVC's cache has its objects
MOST = 32  # places outside the dataset's folder


def bind(source: object, target: str, readonly: bool = False) -> list[str]:
    """Return the options that mount a file or folder; its path may have spaces, commas, colons and quotes."""
    fields = ["type=bind", f"source={source}", f"target={target}", *["readonly"] * readonly]
    return ["--mount", ",".join(_quoted(field) for field in fields)]


def _quoted(field: str) -> str:
    """Quote as CSV does, which is how docker reads the option."""
    return '"' + field.replace('"', '""') + '"' if any(mark in field for mark in ',"\n\r') else field


def behind_links(folder: Path) -> list[str]:
    """Return the options that mount, read-only, what symbolic links in a dataset's folder lead to outside of it.

    With ``cache.type = symlink`` DVC's outputs are links into its cache, wherever that is. A link is followed by its
    own text, so each place is mounted at the path that the links name. Raises CannotRun where that cannot be.
    """
    places: dict[str, str] = {}
    for link in _links(folder):
        text = link.readlink()
        source = os.path.normpath(os.path.join(link.parent, text))
        target = os.path.normpath(os.path.join(DATA, link.parent.relative_to(folder), text))
        if not Path(source).exists() or (not text.is_absolute() and _is_below(target, DATA)):
            continue
        if _is_below(target, DATA):
            cure = "dvc config cache.type copy and dvc checkout --relink, or RUNTIME=host"
            raise CannotRun(2, link, f"leads to {source}, and {DATA} is another folder in a container", cure)
        if OBJECTS in target:
            end = len(target) - target.rindex(OBJECTS)
            source, target = source[:-end], target[:-end]
        places[target] = source
    if len(places) > MOST:
        fix = "put the files there, or RUNTIME=host"
        raise CannotRun(2, folder, f"has links to {len(places)} places outside of it", fix)
    return [option for target, source in places.items() for option in bind(source, target, readonly=True)]


def _links(folder: str | Path) -> Iterator[Path]:
    """Yield the symbolic links in a folder and those below it."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                yield Path(entry.path)
            elif entry.is_dir(follow_symlinks=False):
                yield from _links(entry.path)


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")

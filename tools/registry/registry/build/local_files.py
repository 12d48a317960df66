"""Files without a public address: stored next to sources.csv under their SHA-256, and pinned in it.

A build copies them into ``raw/``, an output, with which they reach the remote: git has only their names and hashes.
"""

import hashlib
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from data_registry.stage.errors import EmptyInput, InputMissing, PolicyViolation
from data_registry.stage.output import replacing
from data_registry.stage.progress import progress

from registry.build.source_list import LOCAL, Row

log = logging.getLogger(__name__)

STORAGE = ".sources"  # in a dataset's folder, ignored by git; fetcher looks there
BLOCK = 1 << 20  # bytes


def store_files(path: Path, folder: Path) -> list[Row]:
    """Copy a file, or all files of a folder, into the storage of the dataset in ``folder``; return their rows, by name.

    Hidden and empty files are left out. Raises InputMissing, EmptyInput if no file is left, and PolicyViolation for
    symbolic links and special files.
    """
    if not path.exists():
        raise InputMissing(
            "FROM", f"{path.name} not found", "correct the path; a relative one starts at the repository"
        )
    files = dict(_files_in(path)) if path.is_dir() else {path.name: path}
    with_content = {name: file for name, file in files.items() if file.stat().st_size}
    if omitted := len(files) - len(with_content):
        log.info("%s: %d empty files left out", path.name, omitted)
    if not with_content:
        raise EmptyInput("FROM", f"no files with content in {path.name}", "name another file or folder")
    with progress(f"storing {path.name}", sum(file.stat().st_size for file in with_content.values()), "bytes") as count:
        return [_store(name, file, folder / STORAGE, count) for name, file in sorted(with_content.items())]


def _files_in(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files below a folder by relative name, hidden ones left out."""
    hidden = 0
    for parent, folders, names in os.walk(folder):
        hidden += sum(name.startswith(".") for name in (*folders, *names))
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in (*folders, *names):
            path = Path(parent, name)
            if name.startswith("."):
                continue
            mode = path.lstat().st_mode
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                fix = "copy the folder with the files that links lead to (cp -rL), and use the copy"
                raise PolicyViolation(path.relative_to(folder.parent), "symbolic link or special file", fix)
            if stat.S_ISREG(mode):
                yield path.relative_to(folder).as_posix(), path
    if hidden:
        log.info("%s: %d hidden files and folders left out", folder.name, hidden)


def _store(name: str, path: Path, storage: Path, advance: Callable[[int], None]) -> Row:
    """Copy a file into the storage; what is copied is what is pinned, even if the file is changing."""
    digest, size = hashlib.sha256(), 0
    incoming = storage / "incoming"
    with replacing(incoming) as (temporary,), path.open("rb") as source, temporary.open("wb") as target:
        while block := source.read(BLOCK):
            digest.update(block)
            target.write(block)
            size += len(block)
            advance(len(block))
    os.replace(incoming, storage / digest.hexdigest())
    return Row(name, f"{LOCAL}{digest.hexdigest()}", digest.hexdigest(), size)

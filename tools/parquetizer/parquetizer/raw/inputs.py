"""Find the raw files of an input: a file, those of a pattern, or the members of archives."""

from collections.abc import Iterator
from pathlib import Path

from stage.errors import BadRows, InputMissing

from parquetizer.raw.compression import MAX_RATIO
from parquetizer.raw.files import RawFile, find_files
from parquetizer.raw.globs import matcher
from parquetizer.raw.tar_archive import tar_members
from parquetizer.raw.zip_archive import zip_members

TAR_MAGIC = slice(257, 262)  # "ustar", in the first header


def raw_files(raw: Path, file: str, members: str = "", max_ratio: int = MAX_RATIO) -> Iterator[RawFile]:
    """Yield the raw files of an input: ``file`` may be a pattern, ``members`` one for members of archives.

    Files are sorted by name, so are the members of an archive unless it is a compressed tar. Read each before the next.

    Raises InputMissing without any, PolicyViolation for one outside ``raw``, and the errors of archives.
    """
    for path in find_files(raw, file, max_ratio):
        yield from members_of(path, members) if members else (path,)


def members_of(archive: RawFile, pattern: str) -> Iterator[RawFile]:
    """Yield the members of a zip or tar archive whose names match a pattern.

    Raises BadRows for another file, InputMissing without such members, CorruptFile for a damaged archive,
    PolicyViolation for an unsafe one.
    """
    is_zip = _is_zip(archive)
    if not is_zip and not _is_tar(archive):
        raise BadRows(archive, "is not a zip or tar archive", "remove members from this input")
    member = None
    for member in (zip_members if is_zip else tar_members)(archive, matcher(pattern)):
        yield member
    if member is None:
        raise InputMissing(archive, f"no member matches {pattern!r:.200}", "correct members of this input")


def is_archive(file: RawFile) -> bool:
    """Say whether a file is a zip or tar archive, by its first bytes."""
    return _is_zip(file) or _is_tar(file)


def _is_zip(file: RawFile) -> bool:
    with file.open_stored() as stored:
        return stored.read(4) in (b"PK\3\4", b"PK\5\6")


def _is_tar(file: RawFile) -> bool:
    return file.head(512)[TAR_MAGIC] == b"ustar"

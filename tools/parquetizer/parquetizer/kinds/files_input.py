"""Find the raw files that are samples: in folders and archives, by patterns."""

import dataclasses
import functools
from collections.abc import Iterator
from pathlib import Path

from stage.errors import BadRows, UsageError

from parquetizer.kinds.files_settings import FilesInput, FilesSettings
from parquetizer.raw.files import RawFile, find_files
from parquetizer.raw.globs import is_pattern, matcher
from parquetizer.raw.inputs import members_of
from parquetizer.splits import check_split

cached_matcher = functools.cache(matcher)


@dataclasses.dataclass(frozen=True)
class MediaFile:
    """A raw file with its bytes, of which there may be one more than allowed.

    ``path`` begins where the wildcards of its pattern do, ``inner`` where its archive or the folder of raw files does,
    ``source`` includes the archive, ``where`` is for messages.
    """

    path: str
    inner: str
    source: str
    where: str
    split: str | None
    below_split: str  # the path without the folder that names the split
    data: bytes


def media_files(raw: Path, settings: FilesSettings) -> Iterator[MediaFile]:
    """Yield the files of all inputs, in their order, without the metadata files.

    Raises BadRows for a file that two inputs have, or one outside the folders of the splits.
    """
    is_metadata = matcher(f"**/{settings.metadata}") if settings.labels == "metadata" else lambda _: False
    for number, source in enumerate(settings.inputs):
        for file, inner in _input_files(raw, source, settings):
            if is_metadata(inner):
                continue
            if any(_has(earlier, source, file, inner) for earlier in settings.inputs[:number]):
                raise BadRows(file, "is in two inputs", "correct the patterns in parquetizer.inputs")
            path = inner.removeprefix(_root(source.members or source.file))
            split, below = _split(path, file, settings) if settings.split_folders else (source.split, path)
            with file.open_stored() as stored:  # at once: a compressed archive is read from start to end
                data = stored.read(settings.max_file_bytes + 1)
            yield MediaFile(path, inner, file.name, str(file), split, below, data)


def _input_files(raw: Path, source: FilesInput, settings: FilesSettings) -> Iterator[tuple[RawFile, str]]:
    """Yield the files of an input, and their names within the archive, or else the folder."""
    for file in find_files(raw, source.file, settings.max_ratio):
        if not source.members:
            yield file, file.name
            continue
        for member in members_of(file, source.members):
            yield member, member.name.removeprefix(f"{file.name}/")


def _has(earlier: FilesInput, source: FilesInput, file: RawFile, inner: str) -> bool:
    """Say whether an earlier input has a file of ``source`` too."""
    if bool(earlier.members) != bool(source.members):
        return False
    outer = file.name.removesuffix(f"/{inner}") if source.members else inner
    has_outer = outer == earlier.file or cached_matcher(earlier.file)(outer)
    return has_outer and (not source.members or cached_matcher(earlier.members)(inner))


def _root(pattern: str) -> str:
    """Return the folders of a pattern before its first wildcard, with a slash at the end."""
    folders = pattern.split("/")[:-1]
    fixed = next((at for at, folder in enumerate(folders) if is_pattern(folder)), len(folders))
    return "".join(f"{folder}/" for folder in folders[:fixed])


def _split(path: str, file: RawFile, settings: FilesSettings) -> tuple[str, str]:
    """Return the first folder of a path, which names the split, and the rest."""
    folder, _, below = path.partition("/")
    if not below:
        raise BadRows(file, "is in no folder of a split", "correct the pattern, or remove split-folders")
    try:
        check_split(folder, path)
    except UsageError as error:
        raise BadRows(file, error.what, "list its folder as an input with its split") from error
    return folder, below

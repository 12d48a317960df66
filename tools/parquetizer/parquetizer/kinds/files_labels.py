"""What is known of files besides their content: the class by their folder, or the columns of metadata files."""

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

import pyarrow as pa
from samples import Column
from stage.errors import BadRows
from stage.redaction import listed

from parquetizer.kinds.files_input import MediaFile
from parquetizer.kinds.files_metadata import Metadata
from parquetizer.kinds.files_settings import FilesSettings


class Described(Protocol):
    """Rows of values that belong to files."""

    def rows_of(self, file: MediaFile) -> Sequence[int]:
        """Return the numbers of the rows of a file, each of which is a sample. Raises BadRows if there is none."""

    def columns(self, rows: Sequence[int]) -> dict[str, pa.Array]:
        """Return the values of rows by column."""

    def check_all_used(self) -> None:
        """Raise BadRows if rows belong to no file."""


def described(raw: Path, settings: FilesSettings) -> Described:
    """Return the labels or the metadata that the settings name."""
    if settings.labels == "metadata":
        return Metadata(raw, settings)
    return FolderLabels(settings.described[0]) if settings.labels == "folder" else FolderLabels(None)


class FolderLabels:
    """The class of a file is its folder; without a column, there are no classes."""

    def __init__(self, column: Column | None) -> None:
        self._column = column
        self._numbers = {name: number for number, name in enumerate(column.classes if column else ())}

    def rows_of(self, file: MediaFile) -> Sequence[int]:
        if not self._column:
            return (0,)
        folder = PurePosixPath(file.below_split).parent.name
        if folder in self._numbers:
            return (self._numbers[folder],)
        if not folder:
            raise BadRows(file.where, "is in no folder of a class", "correct the pattern, or set labels: none")
        what = f"unknown class {folder!r:.80}; expected one of {listed(self._column.classes)}"
        raise BadRows(file.where, what, "add its folder to the classes in dataset.columns, or correct the pattern")

    def columns(self, rows: Sequence[int]) -> dict[str, pa.Array]:
        if not self._column:
            return {}
        if self._column.arrow == pa.string():
            return {self._column.name: pa.array(self._column.classes, pa.string()).take(pa.array(rows, pa.int64()))}
        return {self._column.name: pa.array(rows, self._column.arrow)}

    def check_all_used(self) -> None:
        pass

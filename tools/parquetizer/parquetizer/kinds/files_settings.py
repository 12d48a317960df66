"""Settings for files that are samples: images, audio or any bytes; their labels, metadata and splits."""

import dataclasses
from pathlib import Path
from typing import Final

import pyarrow as pa
from samples import Column, schema_of
from stage import params
from stage.errors import UsageError

from parquetizer.columns import read_columns
from parquetizer.formats.csv_dialect import CsvDialect
from parquetizer.raw.compression import MAX_RATIO
from parquetizer.split_settings import SplitSettings, Where
from parquetizer.splits import Numbers

MEDIA: Final = ("image", "audio", "binary")
LABELS: Final = ("none", "folder", "metadata")
MAX_FILE_BYTES: Final = 1 << 30
MAX_SECONDS: Final = 24 * 3600
FILE_NAME: Final = "file_name"  # the column with the path of a file, as Hugging Face names it
SOURCE: Final = "\0source"  # the column of a batch with the raw file of each row; no column can have this name
TRAIN: Final = "train"  # the split of files without another


@dataclasses.dataclass(frozen=True)
class FilesInput:
    """Raw files, or members of archives, by patterns of their paths, and their official split."""

    file: str
    members: str = ""
    split: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class FilesSettings(CsvDialect, SplitSettings):
    """Which files, what is in them, and where labels, further columns and splits come from.

    The dialect is that of ``metadata``, if it is CSV; ``ignore`` are columns of it that are not taken.
    """

    media: str
    inputs: tuple[FilesInput, ...]
    columns: tuple[Column, ...] = ()
    labels: str = "none"
    metadata: str = "metadata.csv"
    max_ratio: int = MAX_RATIO
    split_folders: bool = False
    normalise: bool = False
    rate: int | None = None
    channels: int | None = None
    max_seconds: float = 3600.0
    max_file_bytes: int = 1 << 26

    @classmethod
    def read(cls, path: Path) -> "FilesSettings":
        """Read the sections ``parquetizer`` and ``dataset`` of a params file.

        Raises UsageError unless they describe files with labels or metadata.
        """
        where = f"{path} parquetizer"
        settings = params.build(cls, params.section(path, "parquetizer"), where)
        settings = dataclasses.replace(settings, columns=read_columns(path))
        settings._check(where, f"{path} dataset.columns")
        return settings

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the files of the splits."""
        return schema_of(self.columns)

    @property
    def read_schema(self) -> pa.Schema:
        """The schema with the column that names the split, where it is not one of the output."""
        return schema_of(self._read_columns)

    @property
    def has_ways(self) -> bool:
        """Whether samples are divided into splits by anything but their input or folder."""
        return bool(self._ways())

    @property
    def content(self) -> Column:
        """The column with the files."""
        return next(column for column in self.columns if column.type == self.media)

    @property
    def described(self) -> list[Column]:
        """The columns to read besides the files and their paths: the class, or what the metadata has."""
        return [column for column in self._read_columns if column.type != self.media and column.name != FILE_NAME]

    @property
    def _read_columns(self) -> list[Column]:
        return self.with_split_column(self.columns)

    def split_rows(self, batch: pa.RecordBatch, where: Where = str) -> tuple[list[str], Numbers]:
        """Return the names of splits, and the number of each row's, by the columns besides the source."""
        return super().split_rows(batch.select(self.read_schema.names), where)

    def _check(self, where: str, columns: str) -> None:
        for name, value, allowed in (("media", self.media, MEDIA), ("labels", self.labels, LABELS)):
            if value not in allowed:
                raise UsageError(where, f"unknown {name} {value}", f"use one of: {', '.join(allowed)}")
        if not self.inputs:
            raise UsageError(where, "no inputs", "list the raw files in inputs")
        if [column.type for column in self.columns].count(self.media) != 1:
            fix = f"declare it, as {{name: {self.media}, type: {self.media}}}"
            raise UsageError(columns, f"expected one column of type {self.media}", fix)
        if any(column.name == FILE_NAME and column.arrow != pa.string() for column in self.columns):
            raise UsageError(columns, f"expected type string for {FILE_NAME}", "it has the paths of the files")
        self._check_limits(where)
        splits = [source.split for source in self.inputs]
        if self.split_folders and any(splits):
            raise UsageError(where, "both split-folders and official splits", "remove one of them")
        if self.split_folders or not (any(splits) or self.has_ways):  # by folder, or all in one
            splits = [TRAIN] * len(splits)
        self.check_splits(splits, self.schema, where)
        if self.split_column is not None and self.labels != "metadata":
            raise UsageError(where, "split-column without metadata", "set labels: metadata, or remove split-column")
        self._check_described(columns)
        if self.labels == "metadata":
            self.check_dialect(where)
        if self.max_ratio < 1:
            raise UsageError(where, f"invalid max-ratio {self.max_ratio}: expected 1 or more", "correct it")

    def _check_described(self, columns: str) -> None:
        described = self.described
        if self.labels == "folder" and (len(described) != 1 or not described[0].classes or described[0].shape):
            fix = "declare it, as {name: label, type: int64, classes: [cat, dog]}"
            raise UsageError(columns, "expected one column with the classes, which are the names of the folders", fix)
        if self.labels == "metadata" and not described:
            raise UsageError(columns, "no columns of the metadata", "declare them, or set labels: none")
        if self.labels == "none" and described:
            fix = "set labels: folder or metadata, or remove the column"
            raise UsageError(columns, f"no source of column {described[0].name}", fix)

    def _check_limits(self, where: str) -> None:
        if not 0 < self.max_file_bytes <= MAX_FILE_BYTES:
            what = f"invalid max-file-bytes {self.max_file_bytes}: expected 1 to {MAX_FILE_BYTES}"
            raise UsageError(where, what, "correct it")
        if not 0 < self.max_seconds <= MAX_SECONDS:
            what = f"invalid max-seconds {self.max_seconds}: expected more than 0, up to {MAX_SECONDS}"
            raise UsageError(where, what, "correct it")
        for name, media in (("normalise", "image"), ("rate", "audio"), ("channels", "audio")):
            if getattr(self, name) and self.media != media:
                raise UsageError(where, f"{name} is for media: {media}", "remove it")

"""Read the metadata files beside images or audio, as Hugging Face's ImageFolder and AudioFolder define them.

The column ``file_name`` has the path of a file, relative to the folder of the metadata file; the others describe it. A
file may have several rows. Source: https://huggingface.co/docs/datasets/image_dataset.
"""

import dataclasses
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from samples import Column
from stage.errors import BadRows, InputMissing, PolicyViolation, SchemaMismatch, UsageError
from stage.redaction import listed

from parquetizer.formats.csv_dialect import CsvDialect
from parquetizer.formats.reading import read_rows
from parquetizer.formats.settings import FormatSettings
from parquetizer.kinds.files_input import MediaFile
from parquetizer.kinds.files_settings import FILE_NAME, FilesSettings
from parquetizer.raw.files import RawFile, files_in, find_files
from parquetizer.raw.globs import matcher
from parquetizer.raw.inputs import members_of

FORMATS: Final = {".csv": "csv", ".tsv": "csv", ".jsonl": "json", ".json": "json", ".parquet": "parquet"}
LEAVES: Final = r"^/|\\|(^|/)\.\.(/|$)|://|[\x00-\x1f\x7f]"  # a path that leaves its folder, or is none
MAX_NAMES: Final = 20  # in a message


class Metadata:
    """The rows of all metadata files, by the file that they describe."""

    def __init__(self, raw: Path, settings: FilesSettings) -> None:
        """Read them. Raises InputMissing without any, BadRows or SchemaMismatch if they are not as declared."""
        rows = pa.Table.from_batches(list(_batches(raw, settings))).combine_chunks()
        self._rows = rows.take(pc.sort_indices(rows[FILE_NAME])).combine_chunks()
        self._paths = self._rows[FILE_NAME].combine_chunks()
        self._used = np.zeros(len(self._rows), np.bool_)
        self._name = settings.metadata

    def rows_of(self, file: MediaFile) -> Sequence[int]:
        """Return the numbers of the rows of a file. Raises BadRows if there is none."""
        rows = next(filter(None, map(self._equal, (file.source, file.inner, file.path))), None)
        if rows is None:
            fix = "add its row, or correct the patterns in parquetizer.inputs"
            raise BadRows(file.where, f"has no row in {self._name}", fix)
        self._used[rows.start : rows.stop] = True
        return rows

    def columns(self, rows: Sequence[int]) -> dict[str, pa.Array]:
        """Return the values of rows by column."""
        taken = self._rows.take(pa.array(rows, pa.int64())).combine_chunks()
        return {name: taken[name].combine_chunks() for name in taken.schema.names if name != FILE_NAME}

    def check_all_used(self) -> None:
        """Raise BadRows if rows belong to no file."""
        unused = np.flatnonzero(~self._used)
        if len(unused):
            first = self._paths.take(pa.array(unused[:MAX_NAMES])).to_pylist()
            names = listed([*first, *[""] * (len(unused) - len(first))], MAX_NAMES)
            fix = "correct the rows, or the patterns in parquetizer.inputs"
            raise BadRows(self._name, f"{len(unused)} rows without a file: {names}", fix)

    def _equal(self, path: str) -> range:
        """Return the rows of a path."""
        rows = range(len(self._paths))

        def at(row: int) -> str:
            return str(self._paths[row])

        return range(bisect_left(rows, path, key=at), bisect_right(rows, path, key=at))


def _batches(raw: Path, settings: FilesSettings) -> Iterator[pa.RecordBatch]:
    """Yield the rows of all metadata files, whose paths are below the folder of raw files or in an archive."""
    schema = None
    for file in _metadata_files(raw, settings):
        folder = file.name.rpartition("/")[0]
        for batch in _read(file, settings.described, settings):
            paths = _checked_paths(batch[FILE_NAME], file)
            if folder:
                paths = pc.binary_join_element_wise(f"{folder}/", paths, "")
            schema = schema or pa.schema([(FILE_NAME, pa.string()), *batch.schema.remove(0)])
            yield pa.record_batch([paths, *batch.columns[1:]], schema=schema)
    if schema is None:
        raise InputMissing(raw, f"no {settings.metadata} found", "run the fetcher, or correct parquetizer.metadata")


def _metadata_files(raw: Path, settings: FilesSettings) -> Iterator[RawFile]:
    """Yield the metadata files in the folder, sorted by name, and in the archives."""
    matches = matcher(f"**/{settings.metadata}")
    for name in sorted(filter(matches, (path.relative_to(raw).as_posix() for path in files_in(raw)))):
        yield from find_files(raw, name, settings.max_ratio)
    archives = {source.file: None for source in settings.inputs if source.members}
    for archive in (file for pattern in archives for file in find_files(raw, pattern, settings.max_ratio)):
        with suppress(InputMissing):  # it may be beside the archive
            yield from members_of(archive, f"**/{settings.metadata}")


def _read(file: RawFile, columns: Sequence[Column], settings: FilesSettings) -> Iterator[pa.RecordBatch]:
    """Yield the path and the declared columns of one metadata file, with classes by number or name as declared."""
    suffix = PurePosixPath(file.name).suffix
    if suffix not in FORMATS:
        raise UsageError(file, f"unsupported format {suffix}", f"use one of: {', '.join(FORMATS)}")
    dialect = {field.name: getattr(settings, field.name) for field in dataclasses.fields(CsvDialect)}
    format = FormatSettings(**dialect, format=FORMATS[suffix], max_ratio=settings.max_ratio)
    named = [Column(column.name, "string") if _is_class(column) else column for column in columns]
    path = Column(FILE_NAME, "string")
    try:
        batches = list(read_rows(file, [path, *named], format))
    except (BadRows, SchemaMismatch):
        if named == columns or format.format == "csv":
            raise
        batches = list(read_rows(file, [path, *columns], format))  # classes by number
    first = 1
    for batch in batches:
        arrays = [
            _classes(batch[column.name], column, file, first) if column.classes else batch[column.name]
            for column in columns
        ]
        fields = [(column.name, column.arrow) for column in columns]
        yield pa.record_batch([batch[FILE_NAME], *arrays], schema=pa.schema([(FILE_NAME, pa.string()), *fields]))
        first += len(batch)


def _is_class(column: Column) -> bool:
    return bool(column.classes) and pa.types.is_integer(column.arrow)


def _classes(labels: pa.Array, column: Column, file: RawFile, first: int) -> pa.Array:
    """Return labels as the declared type; a raw label is the name of a class, or its number. Null stays null.

    The number -1 is that of no class in Hugging Face's ``ClassLabel``.
    """
    names = list(column.classes)
    first_number = -1 if _is_class(column) else 0
    numbers = [str(number) for number in range(first_number, len(names)) if str(number) not in names]
    codes = pc.index_in(labels.cast(pa.string()), value_set=pa.array([*names, *numbers], pa.string()))
    unknown = pc.and_(codes.is_null(), labels.is_valid())
    if unknown.true_count:
        row = pc.index(unknown, True).as_py()
        what = f"unknown class {labels[row].as_py()!r:.60} of {column.name}; expected one of {listed(names)}"
        raise BadRows(f"{file} row {first + row}", what, "add it to the classes in dataset.columns, or correct it")
    positions = pa.array([*range(len(names)), *map(int, numbers)], pa.int64()).take(codes)
    return positions.cast(column.arrow) if _is_class(column) else pa.array(names, pa.string()).take(positions)


def _checked_paths(paths: pa.Array, file: RawFile) -> pa.Array:
    """Return paths without a leading ``./``. Raises BadRows for null or none, PolicyViolation for one that leaves."""
    if (empty := pc.equal(pc.fill_null(paths, ""), "")).true_count:
        row = pc.index(empty, True).as_py() + 1
        raise BadRows(f"{file} row {row}", f"{FILE_NAME} is empty", "correct the row")
    if (leaves := pc.match_substring_regex(paths, LEAVES)).true_count:
        row = pc.index(leaves, True).as_py()
        what = f"invalid {FILE_NAME} {paths[row].as_py()!r:.80}"
        raise PolicyViolation(f"{file} row {row + 1}", what, "use a path below the folder of the metadata file")
    return pc.replace_substring_regex(paths, r"^(\./)+", "")

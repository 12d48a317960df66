"""Stream the rows of a dataset's files, a few megabytes at a time; and the types that their columns have."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from data_registry.samples.arrow_types import is_file, is_list
from data_registry.stage.errors import CorruptFile

BLOCK_BYTES = 1 << 21  # read at once; Arrow needs twenty times as much memory to read images
RECORD_BYTES = 1 << 23  # the longest record of a CSV file
BLOCK_ROWS = 1 << 16
READ_ERRORS = (OSError, ValueError, KeyError, pa.ArrowException)  # what Arrow raises for a corrupt file


@dataclasses.dataclass(frozen=True)
class Rows:
    """The files of each split in order, their paths, the declared columns, and class names by column and value.

    ``types`` are those of metadata.json, which say what files are: ``image`` or ``audio``.
    """

    splits: Mapping[str, Sequence[str]]
    paths: Mapping[str, Path]
    declared: pa.Schema
    classes: Mapping[str, Mapping[str, str]]
    types: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def read(self, split: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the given columns of a split's rows, in order. Raises CorruptFile."""
        for file in self.splits[split]:
            try:
                yield from _batches(file, self.paths[file], self.declared, columns)
            except READ_ERRORS as error:
                raise unreadable(file, error) from error

    def schema(self) -> pa.Schema:
        """Return the declared columns, or those of the first Parquet file, which may have more. Raises CorruptFile."""
        file = next(itertools.chain.from_iterable(self.splits.values()), "")
        if not file.endswith(".parquet"):
            return self.declared
        try:
            return pq.read_schema(self.paths[file])
        except READ_ERRORS as error:
            raise unreadable(file, error) from error

    def columns_of(self, media: str) -> list[str]:
        """Return the columns whose values are image or audio files. Raises CorruptFile."""
        return [field.name for field in self.schema() if self.types.get(field.name) == media and is_file(field.type)]


def unreadable(file: str, error: Exception) -> CorruptFile:
    """Return the error for a file that cannot be read."""
    return CorruptFile(file, f"does not match its manifest: {error}", "get the release again")


def innermost(kind: pa.DataType) -> pa.DataType:
    """Return the value type of nested lists."""
    return innermost(kind.value_type) if is_list(kind) else kind


def is_image(kind: pa.DataType) -> bool:
    """Return whether a type is that of images: lists of lists of uint8, nested once more for colours."""
    return is_list(kind) and is_list(kind.value_type) and bool(pa.types.is_uint8(innermost(kind)))


def is_number(kind: pa.DataType) -> bool:
    """Return whether a type is numeric or boolean."""
    is_binary_number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
    return bool(is_binary_number or pa.types.is_decimal(kind) or pa.types.is_boolean(kind))


def file_of(value: pa.Scalar) -> tuple[bytes | None, str]:
    """Return content and name of an image or audio file; the name may be empty."""
    if not value.is_valid:
        return None, ""
    data, name = value.values()
    encoded = name.as_buffer()
    return data.as_py(), encoded.to_pybytes().decode(errors="replace") if encoded else ""


def flat(column: pa.Array) -> pa.Array:
    """Return the innermost values of nested lists."""
    return flat(column.flatten()) if is_list(column.type) else column


def dimensions(values: pa.Array) -> list[int]:
    """Return the shape of nested lists; empty if they are ragged or some are null."""
    shape = [len(values)]
    while is_list(values.type):
        lengths: list[Any] = pc.unique(pc.list_value_length(values)).to_pylist()
        if len(lengths) != 1 or lengths[0] is None:
            return []
        shape.append(lengths[0])
        values = values.flatten()
    return shape


def _batches(file: str, path: Path, declared: pa.Schema, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    if file.endswith(".parquet"):
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20) as parquet:
            yield from parquet.iter_batches(_rows_per_block(parquet.metadata, columns), columns=list(columns))
    elif file.endswith(".csv"):
        types = pa_csv.ConvertOptions(column_types=declared, strings_can_be_null=False, include_columns=list(columns))
        parse = pa_csv.ParseOptions(newlines_in_values=True)
        with pa_csv.open_csv(path, pa_csv.ReadOptions(block_size=RECORD_BYTES), parse, types) as reader:
            yield from reader
    else:
        name = file.partition("/")[2]  # below raw/
        text = path.read_bytes().decode(errors="replace")
        yield pa.record_batch({"name": [name], "text": [text]}, schema=declared).select(list(columns))


def _rows_per_block(footer: pq.FileMetaData, columns: Sequence[str]) -> int:
    """Return how many rows of these columns make a block, by the sizes in the footer."""
    names = set(columns)
    size = 0
    for group in map(footer.row_group, range(footer.num_row_groups)):
        chunks = map(group.column, range(group.num_columns))
        size += sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in names)
    return int(max(1, min(BLOCK_ROWS, BLOCK_BYTES * footer.num_rows // max(1, size))))

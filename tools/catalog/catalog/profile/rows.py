"""The rows of a dataset's files, some megabytes at a time: of Parquet, CSV, and whole documents."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from data_registry.stage.errors import CorruptFile

BLOCK = 1 << 21  # bytes read at once; images take twenty times the room while Arrow reads them
RECORD = 1 << 23  # bytes of a CSV file that a record must fit into
ROWS = 1 << 16
CORRUPT = (OSError, ValueError, KeyError, pa.ArrowException)  # what a file that is broken makes Arrow raise


@dataclasses.dataclass(frozen=True)
class Rows:
    """The files of the splits, where they are, the columns that all have, and the names of classes by column and value.

    A class whose label is a text is its own name.
    """

    splits: Mapping[str, Sequence[str]]
    paths: Mapping[str, Path]
    declared: pa.Schema
    classes: Mapping[str, Mapping[str, str]]

    def read(self, split: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a split in their order, those columns alone.

        Raises CorruptFile for a file that does not hold them.
        """
        for file in self.splits[split]:
            try:
                yield from _batches(file, self.paths[file], self.declared, columns)
            except CORRUPT as error:
                raise corrupt(file, error) from error

    def schema(self) -> pa.Schema:
        """Return the columns: those declared, and what else Parquet files have, as the vectors of embedded chunks.

        Raises CorruptFile for a file that is none.
        """
        file = next(itertools.chain.from_iterable(self.splits.values()), "")
        if not file.endswith(".parquet"):
            return self.declared
        try:
            return pq.read_schema(self.paths[file])
        except CORRUPT as error:
            raise corrupt(file, error) from error


def _batches(file: str, path: Path, declared: pa.Schema, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    if file.endswith(".parquet"):
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False, buffer_size=1 << 20) as parquet:
            yield from parquet.iter_batches(_rows(parquet.metadata, columns), columns=list(columns))
    elif file.endswith(".csv"):
        kinds = pa_csv.ConvertOptions(column_types=declared, strings_can_be_null=False, include_columns=list(columns))
        parse = pa_csv.ParseOptions(newlines_in_values=True)
        with pa_csv.open_csv(path, pa_csv.ReadOptions(block_size=RECORD), parse, kinds) as reader:
            yield from reader
    else:
        name = file.partition("/")[2]  # below raw/
        text = path.read_bytes().decode(errors="replace")
        yield pa.record_batch({"name": [name], "text": [text]}, schema=declared).select(list(columns))


def _rows(footer: pq.FileMetaData, columns: Sequence[str]) -> int:
    """Return how many rows of those columns make a block, by the sizes in the footer."""
    chosen = set(columns)
    size = 0
    for group in map(footer.row_group, range(footer.num_row_groups)):
        chunks = map(group.column, range(group.num_columns))
        size += sum(each.total_uncompressed_size for each in chunks if each.path_in_schema.split(".")[0] in chosen)
    return int(max(1, min(ROWS, BLOCK * footer.num_rows // max(1, size))))


def corrupt(file: str, error: Exception) -> CorruptFile:
    """Return what is raised for a file that cannot be read."""
    return CorruptFile(file, f"does not hold what its manifest says: {error}", "get the release again")

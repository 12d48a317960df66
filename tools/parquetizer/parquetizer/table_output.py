"""Write a table of Arrow batches as CSV or Parquet."""

from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from samples.arrow_types import is_binary, is_file

ROWS = 1 << 17  # of a row group
BYTES, FILE_BYTES = 1 << 26, 1 << 24  # of the rows in memory: of all splits, and of those with files or binary columns
TABLE_BYTES = 1 << 25  # of one table
SPECIAL = '[",\r\n]'  # characters that need quotes
LEADING = SPECIAL + "|^[ \t]"  # pandas skips blank lines, and may strip leading space of others


class TableWriter(Protocol):
    """A writer of batches."""

    def write(self, batch: pa.RecordBatch) -> None: ...
    def close(self) -> None: ...


class ParquetTable:
    """A Parquet file with page checksums, in row groups of ``group_rows`` rows or just over ``max_pending`` bytes."""

    def __init__(self, path: Path, schema: pa.Schema, group_rows: int, max_pending: int) -> None:
        self._schema, self._group_rows, self._max_pending = schema, group_rows, max_pending
        self._file = path.open("wb")  # Arrow's own files lose the error code of close
        options = {"compression": "zstd", "write_page_checksum": True}
        self._writer = pq.ParquetWriter(self._file, schema, use_dictionary=_repeating(schema), **options)
        self._pending: list[pa.RecordBatch] = []
        self._rows = 0
        self.pending_bytes = 0  # of rows that are not a row group yet

    def write(self, batch: pa.RecordBatch) -> None:
        self._pending.append(batch)
        self._rows += batch.num_rows
        self.pending_bytes += batch.nbytes
        size = self._group_rows
        while self._rows >= size:
            table = pa.Table.from_batches(self._pending, self._schema)
            self._writer.write_table(table.slice(0, size), size)
            self._pending = table.slice(size).to_batches()
            self._rows -= size
            _release_memory()
            self.pending_bytes = sum(batch.nbytes for batch in self._pending)
        if self.pending_bytes > self._max_pending:
            self.flush()

    def flush(self) -> None:
        """Write the rows in memory as a row group of their own."""
        if self._rows:
            self._writer.write_table(pa.Table.from_batches(self._pending, self._schema), self._group_rows)
            self._pending, self._rows, self.pending_bytes = [], 0, 0
            _release_memory()

    def close(self) -> None:
        with self._file:
            self.flush()
            self._writer.close()


def _release_memory() -> None:
    """Return to the system what Arrow's allocator keeps: it would add up over row groups."""
    pa.default_memory_pool().release_unused()


def max_pending(schema: pa.Schema) -> int:
    """Return how many bytes of rows may be in memory, and so in a row group, which is what readers hold."""
    return FILE_BYTES if _has_files(schema) else BYTES


def _has_files(schema: pa.Schema) -> bool:
    return any(is_file(field.type) or is_binary(field.type) for field in schema)


def _repeating(schema: pa.Schema) -> bool | list[str]:
    """Return the columns to encode with a dictionary: all, or those besides files, which would all be in memory."""
    if not _has_files(schema):
        return True
    return [field.name for field in schema if not is_binary(field.type) and not pa.types.is_nested(field.type)]


class CsvTable:
    """A CSV file (RFC 4180, but lines end in ``\\n``): floats as the shortest string with the same value.

    Strings are quoted only if necessary; null is an empty field.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._file = path.open("wb")
        names = pa.record_batch([pa.array([name]) for name in schema.names], schema.names)
        self._write_lines(pc.binary_join_element_wise(*_fields(names), ","))

    def write(self, batch: pa.RecordBatch) -> None:
        fields = _fields(batch)
        if len(fields) == 1:  # readers skip an empty line
            fields = [pc.if_else(pc.equal(fields[0], ""), '""', fields[0])]
        self._write_lines(pc.binary_join_element_wise(*fields, ","))

    def close(self) -> None:
        self._file.close()

    def _write_lines(self, lines: pa.StringArray) -> None:
        if len(lines):
            joined = pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "\n")
            self._file.write(joined.buffers()[2])
            self._file.write(b"\n")


def open_table(path: Path, suffix: str, schema: pa.Schema) -> AbstractContextManager[TableWriter]:
    """Open a writer for the format of ``suffix``: CSV for ``.csv``, else Parquet."""
    if suffix == ".csv":
        return closing(CsvTable(path, schema))
    return closing(ParquetTable(path, schema, ROWS, min(TABLE_BYTES, max_pending(schema))))


def _fields(batch: pa.RecordBatch) -> list[pa.Array]:
    specials = [LEADING, *[SPECIAL] * (batch.num_columns - 1)]
    return [_to_strings(column, special).fill_null("") for column, special in zip(batch.columns, specials, strict=True)]


def _to_strings(column: pa.Array, special: str) -> pa.Array:
    if pa.types.is_string(column.type):
        return _quoted(column, special)
    if pa.types.is_floating(column.type):
        # Python's repr is the shortest string; each distinct value of a batch is formatted once.
        distinct = column.dictionary_encode()
        return pa.array([repr(value) for value in distinct.dictionary.to_pylist()], pa.string()).take(distinct.indices)
    return column.cast(pa.string())


def _quoted(column: pa.Array, special: str) -> pa.Array:
    doubled = pc.binary_join_element_wise('"', pc.replace_substring(column, '"', '""'), '"', "")
    return pc.if_else(pc.match_substring_regex(column, special), doubled, column)

"""Read Parquet and Arrow files as batches of declared types, cast only where nothing is lost."""

import io
import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from samples import Column, schema_of
from samples.arrow_types import storage_type, type_text
from stage.errors import BadRows, CorruptFile, EmptyInput, SchemaMismatch
from stage.progress import progress
from stage.redaction import listed

from parquetizer.formats.lossless import cast, is_castable
from parquetizer.formats.nested import first_failing, first_row
from parquetizer.formats.settings import NAN, FormatSettings
from parquetizer.raw.file_kinds import kind_error
from parquetizer.raw.files import RawFile

BLOCK: Final = 1 << 20
BATCH_BYTES: Final = 1 << 23  # of encoded data in a batch of Parquet, about
LARGE_GROUP: Final = 1 << 25  # bytes before compression
MAX_ROWS: Final = 1 << 14
CORRUPT: Final = (OSError, ValueError, LookupError, TypeError, pa.ArrowException)  # raised by pyarrow for damage
ADD: Final = "add it to dataset.columns, or to ignore"


def read_columnar(
    raw: RawFile, columns: Sequence[Column], settings: FormatSettings, integers: tuple[str, ...] = ()
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a Parquet or Arrow file in batches of the given columns, in the order of the file.

    Arrow files may be files (Feather) or streams. ``integers`` are string columns that may be integers in the file.

    Raises SchemaMismatch for other columns or types, BadRows for a value that the type does not have, is not finite or
    contains NUL, EmptyInput, CorruptFile; PolicyViolation for a large file in an archive, see ``open_seekable``.
    """
    rows, schema = 0, schema_of(columns)
    batches = (_parquet if settings.format == "parquet" else _arrow)(raw, schema, settings, integers)
    for batch in batches:
        arrays = [_column(raw, batch[field.name], field, rows, settings, field.name in integers) for field in schema]
        if batch.num_rows:
            yield pa.record_batch(arrays, schema=schema)
        rows += batch.num_rows
    if not rows:
        raise EmptyInput(raw, "no rows", "check that the source sent the whole file")


def _parquet(
    raw: RawFile, schema: pa.Schema, settings: FormatSettings, integers: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    with (
        _damage_named(raw, "Parquet", b"PAR1"),
        raw.open_seekable() as source,
        _open_parquet(source) as file,
    ):
        _check_schema(raw, file.schema_arrow, schema, settings, integers)
        with progress(f"reading {raw.name}", file.metadata.num_rows, "rows") as advance:
            for number in range(file.num_row_groups):
                group = file.metadata.row_group(number)
                size = BATCH_BYTES * group.num_rows // max(group.total_byte_size, 1)
                rows = max(1, min(size, MAX_ROWS))
                for batch in file.iter_batches(rows, [number], schema.names, use_threads=False):
                    batch.validate(full=True)
                    yield batch
                    advance(batch.num_rows)


def _open_parquet(source: pa.NativeFile) -> pq.ParquetFile:
    """Open a Parquet file; its row groups are read whole if they are small, else by pages in bounded memory.

    By pages, Arrow allocates as much as a damaged header says.
    """
    metadata = pq.read_metadata(source)
    groups = [metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups)]
    source.seek(0)
    return pq.ParquetFile(
        source,
        metadata=metadata,
        page_checksum_verification=True,
        pre_buffer=False,
        buffer_size=BLOCK if min(max(groups, default=0), source.size()) > LARGE_GROUP else 0,
    )


def _arrow(
    raw: RawFile, schema: pa.Schema, settings: FormatSettings, integers: tuple[str, ...]
) -> Iterator[pa.RecordBatch]:
    head = raw.head(8)
    if head.startswith(b"FEA1"):
        raise SchemaMismatch(raw, "is a Feather file of version 1", "write it with version 2, the default of pandas")
    with _damage_named(raw, "Arrow", b"\xff\xff\xff\xff" if head[:4] == b"\xff\xff\xff\xff" else b"ARROW1"):
        if head.startswith(b"ARROW1"):
            with raw.open_seekable() as source, pa.ipc.open_file(source) as file:
                _check_schema(raw, file.schema, schema, settings, integers)
                with progress(f"reading {raw.name}", file.num_record_batches, "batches") as advance:
                    for number in range(file.num_record_batches):
                        yield from _validated(file.get_batch(number))
                        advance(1)
            return
        ended = EndOfStream(raw.open())
        with pa.PythonFile(ended, "r") as source, pa.ipc.open_stream(source) as stream:
            _check_schema(raw, stream.schema, schema, settings, integers)
            with progress(f"reading {raw.name}", 0, "batches") as advance:
                for batch in stream:
                    yield from _validated(batch)
                    advance(1)
            ended.check()


def _validated(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    """Yield some rows of a batch at a time: what is made of them takes several times their size."""
    batch.validate(full=True)
    for first in range(0, batch.num_rows, MAX_ROWS):
        yield batch.slice(first, MAX_ROWS)


class EndOfStream(io.RawIOBase):
    """The bytes of an Arrow stream, whose end is checked: Arrow takes the end of the file for it."""

    MARK: Final = b"\xff\xff\xff\xff\0\0\0\0"

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._last = file, b""

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._file.close()
        super().close()

    def read(self, size: int = -1, /) -> bytes:
        parts = []  # a damaged size is larger than memory, and read(size) allocates it
        while size and (part := self._file.read(min(size, BLOCK) if size > 0 else BLOCK)):
            parts.append(part)
            size -= len(part) * (size > 0)
        data = b"".join(parts)
        self._last = (self._last + data)[-len(self.MARK) :]
        return data

    def check(self) -> None:
        """Raise ValueError unless the mark of the end was read last, and nothing follows."""
        if self._last != self.MARK:
            raise ValueError("truncated")
        if self._file.read(1):
            raise ValueError("data after the end")


@contextmanager
def _damage_named(raw: RawFile, name: str, signature: bytes) -> Iterator[None]:
    """Raise CorruptFile for what pyarrow raises, or say which other format the file has."""
    if not (head := raw.head(len(signature))):
        raise EmptyInput(raw, "the file is empty", "check that the source sent the whole file")
    if head != signature:
        what = f"damaged {name} file: truncated" if signature.startswith(head) else f"not a file of format {name}"
        error = CorruptFile(raw, what, "fetch it again")
        raise kind_error(raw, error, "utf-8", name.lower())
    try:
        yield
    except CORRUPT as error:
        raise CorruptFile(raw, f"damaged {name} file: {error}", "fetch it again") from error


def _check_schema(
    raw: RawFile, present: pa.Schema, schema: pa.Schema, settings: FormatSettings, integers: tuple[str, ...]
) -> None:
    for field in schema:
        if (count := present.names.count(field.name)) != 1:
            names = listed([repr(name) for name in present.names])
            what = (
                f"duplicate column {field.name!r:.80}" if count else f"column {field.name!r:.80} not found in {names}"
            )
            raise SchemaMismatch(raw, what, "correct dataset.columns")
        kind = present.field(field.name).type
        is_number = field.name in integers and pa.types.is_integer(storage_type(kind))
        if not is_number and not is_castable(kind, field.type):
            what = f"column {field.name!r:.80}: expected {type_text(field.type)}, got {kind!s:.200}"
            raise SchemaMismatch(raw, what, "correct its type in dataset.columns")
    if extra := sorted({*present.names} - {*schema.names, *settings.ignore}):
        raise SchemaMismatch(raw, f"unknown column {extra[0]!r:.80}", ADD)


def _column(
    raw: RawFile, column: pa.Array, field: pa.Field, before: int, settings: FormatSettings, integers: bool
) -> pa.Array:
    """Return a column as its declared type; ``before`` is the number of rows before it."""
    if integers and pa.types.is_integer(storage_type(column.type)):
        return cast(column, storage_type(column.type)).cast(field.type)
    if pa.types.is_floating(column.type) and not {*NAN}.isdisjoint(settings.null_values):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    try:
        result = cast(column, field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, UnicodeDecodeError) as error:
        row = first_failing(column, lambda part: cast(part, field.type))
        shown = reprlib.repr(column[row].as_py())
        what = f"{field.name:.80}: expected {type_text(field.type)}, got {shown:.80}"
        raise BadRows(f"{raw} row {before + row + 1}", what, "correct its type in dataset.columns") from error
    for is_wrong, what, fix in (
        (_infinite, "contains a number that is not finite", "correct it, or add nan to null-values"),
        (_with_nul, "contains a NUL character", "remove it"),
    ):
        if (wrong := first_row(result, is_wrong)) is not None:
            raise BadRows(f"{raw} row {before + wrong + 1}", f"{field.name:.80} {what}", fix)
    return result


def _infinite(column: pa.Array) -> pa.Array | None:
    return pc.invert(pc.is_finite(column)) if pa.types.is_floating(column.type) else None


def _with_nul(column: pa.Array) -> pa.Array | None:
    return pc.match_substring(column, "\0") if pa.types.is_string(column.type) else None

"""Read a raw file of any format as batches of the declared columns."""

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
from samples import Column
from stage.errors import BadRows

from parquetizer.formats.columnar_input import read_columnar
from parquetizer.formats.csv_input import read_csv
from parquetizer.formats.json_input import read_json
from parquetizer.formats.settings import FormatSettings
from parquetizer.raw.files import RawFile

READERS: Final[dict[str, Callable[[RawFile, Sequence[Column], FormatSettings], Iterator[pa.RecordBatch]]]] = {
    "csv": read_csv,
    "json": read_json,
    "parquet": read_columnar,
    "arrow": read_columnar,
}


def read_rows(raw: RawFile, columns: Sequence[Column], settings: FormatSettings) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a raw file in batches of the given columns, in the order of the file.

    Raises BadRows, SchemaMismatch, EmptyInput or CorruptFile if the file is not as declared.
    """
    labels = [column for column in columns if column.classes and not column.shape]
    before = 0
    for batch in READERS[settings.format](raw, columns, settings):
        for column in labels:
            _check_labels(raw, batch[column.name], column, before)
        yield batch
        before += batch.num_rows


def _check_labels(raw: RawFile, labels: pa.Array, column: Column, before: int) -> None:
    """Raise BadRows for a label that is no class, nor the number of one or -1, which ``datasets`` has for no label."""
    count = len(column.classes)
    if pa.types.is_string(labels.type):
        known = pc.is_in(labels, value_set=pa.array([*column.classes, None]))
    elif pa.types.is_integer(labels.type):
        numbers = labels.cast(pa.decimal128(20, 0))  # of any integer type
        known = pc.and_(pc.greater_equal(numbers, -1), pc.less(numbers, count)).fill_null(True)
    else:
        return
    if known.false_count:
        at = pc.index(known, False).as_py()
        what = f"{column.name:.80}: unknown label {labels[at].as_py()!r:.60}"
        fix = f"use one of the {count} classes, or add it to dataset.columns"
        raise BadRows(f"{raw} row {before + at + 1}", what, fix)

"""How the values of columns are spread: of numbers, the lengths of texts, the values of images."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from catalog.profile.histograms import Histogram, Measured, count, edges_of, extents
from catalog.profile.nested import flat, is_image, is_list, is_number
from catalog.profile.rows import Rows

NUMBERS = 24  # columns of numbers that are measured
NAMES = 10  # texts so many times shorter than others are names and headings, whose length says nothing
GREY = tuple(float(edge) for edge in range(0, 257, 8))


def histograms_of(rows: Rows) -> tuple[Histogram, ...]:
    """Return the histograms of columns that are no classes, by column. Raises CorruptFile."""
    kinds = _kinds(rows)
    images = [name for name, kind in kinds.items() if is_image(kind)][:1]
    numbers = [name for name, kind in kinds.items() if is_number(kind)][:NUMBERS]
    texts = [name for name, kind in kinds.items() if _is_text(kind)]

    def measured(split: str, columns: Sequence[str]) -> Iterator[Measured]:
        return map(_measured, rows.read(split, columns)) if columns else iter(())

    found = extents(itertools.chain.from_iterable(measured(split, numbers + texts) for split in rows.splits))
    longest = max((found[name].high for name in texts if name in found), default=0)
    names = [name for name in texts if name in found and not found[name].low < found[name].high > longest / NAMES]
    edges = dict.fromkeys(images, GREY) | {
        name: edges_of(extent) for name, extent in found.items() if name not in names
    }
    titles = (
        {name: name for name in numbers}
        | {name: f"characters of {name}" for name in texts}
        | {name: "colour value" if is_list(kinds[name].value_type.value_type) else "grey value" for name in images}
    )
    parts = [count(split, measured(split, list(edges)), edges) for split in rows.splits]
    return tuple(
        dataclasses.replace(each, name=titles[name])
        for name in edges
        for each in itertools.chain.from_iterable(parts)
        if each.name == name
    )


def left_out(rows: Rows) -> int:
    """Return how many columns of numbers there are beyond those measured. Raises CorruptFile."""
    return max(0, sum(map(is_number, _kinds(rows).values())) - NUMBERS)


def _kinds(rows: Rows) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in rows.schema() if field.name not in rows.classes}


def _measured(batch: pa.RecordBatch) -> Measured:
    return {
        name: _numbers(flat(column).drop_null()).to_numpy(zero_copy_only=False)
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }


def _numbers(column: pa.Array) -> pa.Array:
    if _is_text(column.type):
        return pc.utf8_length(column)
    if pa.types.is_boolean(column.type):
        return column.cast(pa.uint8())
    return column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))

"""Examples of images and sounds to show: rows of each class, or the first ones."""

import itertools
from collections.abc import Iterator, Sequence

import pyarrow as pa

from catalog.profile.rows import Rows

PER_CLASS, WITHOUT_CLASSES = 4, 24


def example_rows(rows: Rows, split: str, most: int) -> dict[int, str]:
    """Return the numbers of up to ``most`` rows with their classes: the first of each class of the first label.

    Without classes, these are the first rows and the texts are empty. Raises CorruptFile.
    """
    labels = [name for name in rows.schema().names if name in rows.classes]
    return _rows_by_class(rows, split, labels, most) if labels else dict.fromkeys(range(min(most, WITHOUT_CLASSES)), "")


def read_rows(rows: Rows, split: str, column: str, numbers: Sequence[int]) -> Iterator[tuple[int, pa.Scalar]]:
    """Yield the values of the given rows, whose numbers ascend. Raises CorruptFile."""
    first = 0
    for batch in rows.read(split, [column]) if numbers else ():
        block = range(first, first + batch.num_rows)
        for row in (row for row in numbers if row in block):
            yield row, batch[0][row - first]
        first = block.stop
        if first > numbers[-1]:
            break


def _rows_by_class(rows: Rows, split: str, labels: Sequence[str], most: int) -> dict[int, str]:
    """Return the first rows of each class of the first label, in the order of classes."""
    classes = rows.classes[labels[0]]
    per_class = min(PER_CLASS, max(1, most // len(classes)))
    captions: dict[str | None, dict[int, str]] = {value: {} for value in classes}
    first = 0
    for batch in rows.read(split, labels):
        columns = [batch[name].cast(pa.string()).to_pylist() for name in labels]
        for row, values in enumerate(zip(*columns, strict=True), first):
            of_class = captions.get(values[0])
            if of_class is not None and len(of_class) < per_class:
                named = zip(labels, values, strict=True)
                of_class[row] = ", ".join(rows.classes[name].get(value, value or "") for name, value in named)
        first += batch.num_rows
        if all(len(of_class) == per_class for of_class in captions.values()):
            break
    return dict(itertools.islice(itertools.chain(*(of_class.items() for of_class in captions.values())), most))

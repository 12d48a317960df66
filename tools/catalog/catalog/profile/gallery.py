"""Which images of a dataset's rows are pictured: some of each class, or the first ones."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from catalog.facts import training_split
from catalog.profile.nested import dimensions, flat, is_image
from catalog.profile.pictures import MOST_PIXELS, Picture, drawn
from catalog.profile.rows import Rows

MOST, PER_CLASS, WITHOUT_CLASSES = 60, 4, 24


def pictures_of(rows: Rows) -> tuple[Picture, ...]:
    """Return images of the split ``train``, or the first, by class; those that are none are left out.

    Raises CorruptFile.
    """
    schema = rows.schema()
    images = [field.name for field in schema if is_image(field.type)]
    if not images or not rows.splits:
        return ()
    split = training_split(rows.splits)
    labels = [name for name in schema.names if name in rows.classes]
    captions = _chosen(rows, split, labels) if labels else {row: f"image {row + 1}" for row in range(WITHOUT_CLASSES)}
    found = {row: drawn(pixels) for row, pixels in _read(rows, split, images[0], sorted(captions))}
    return tuple(Picture(found[row], ".png", split, caption) for row, caption in captions.items() if row in found)


def _chosen(rows: Rows, split: str, labels: Sequence[str]) -> dict[int, str]:
    """Return the first rows of each class of the first label, in the order of the classes, and what they show."""
    classes = rows.classes[labels[0]]
    each_has = min(PER_CLASS, max(1, MOST // len(classes)))
    chosen: dict[str | None, dict[int, str]] = {value: {} for value in classes}
    first = 0
    for batch in rows.read(split, labels):
        columns = [batch[name].cast(pa.string()).to_pylist() for name in labels]
        for row, values in enumerate(zip(*columns, strict=True), first):
            of_class = chosen.get(values[0])
            if of_class is not None and len(of_class) < each_has:
                named = zip(labels, values, strict=True)
                of_class[row] = ", ".join(rows.classes[name].get(value, value or "") for name, value in named)
        first += batch.num_rows
        if all(len(of_class) == each_has for of_class in chosen.values()):
            break
    found = itertools.chain.from_iterable(of_class.items() for of_class in chosen.values())
    return dict(itertools.islice(found, MOST))


def _read(rows: Rows, split: str, column: str, wanted: Sequence[int]) -> Iterator[tuple[int, npt.NDArray[Any]]]:
    """Yield the images of some rows, as far as they are rectangular and not too large."""
    first = 0
    for batch in rows.read(split, [column]) if wanted else ():
        here = range(first, first + batch.num_rows)
        for row in (row for row in wanted if row in here):
            if (pixels := _pixels(batch[0][row - first])) is not None:
                yield row, pixels
        first = here.stop
        if first > wanted[-1]:
            break


def _pixels(image: pa.Scalar) -> npt.NDArray[Any] | None:
    shape = dimensions(image.values) if image.is_valid else []
    is_rectangle = len(shape) == 2 or (len(shape) == 3 and shape[2] in {1, 3})
    if not is_rectangle or not all(shape) or math.prod(shape[:2]) > MOST_PIXELS or flat(image.values).null_count:
        return None
    pixels = np.asarray(flat(image.values).to_numpy()).reshape(shape)
    return pixels.squeeze(2) if shape[2:] == [1] else pixels

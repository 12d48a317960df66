"""Measure images and their labels: pixel values, and how many images each class has."""

import functools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import SchemaMismatch, UsageError

from stats.histogram import Histogram
from stats.metadata import rounded
from stats.provenance import Provenance
from stats.report import Summary, write_report
from stats.settings import Column, Dataset
from stats.splits import absent_classes, checked_splits, labelled, measured

BATCH = 1 << 18  # pixels read at once
WHITE = 255


def summarise_images(processed: Path, samples: Path, output: Path, dataset: Dataset, provenance: Provenance) -> Summary:
    """Write ``metadata.json`` for images of unsigned bytes and their labels, in one pass over each split.

    Pixel values are between 0 (black) and 1 (white); their standard deviation is that of all pixels (ddof = 0).

    Raises CorruptFile, ChecksumMismatch, EmptyInput, or SchemaMismatch where files, manifest and params disagree.
    """
    kinds = [(each.type, min(each.shape, default=0) > 0) for each in dataset.columns]
    if kinds != [("uint8", True), ("uint8", False)] or not dataset.columns[1].classes:
        raise UsageError("dataset.columns", "not images and their labels", "declare both, as in fashion-mnist")
    image, label = dataset.columns
    size = math.prod(image.shape)
    manifest, parts = checked_splits(processed, samples, schema := dataset.schema())
    splits, metrics, distributions = {}, {}, {}
    for split, part in parts.items():
        measure = functools.partial(_measure, image=image, label=label, path=part.path)
        pixels, labels = Histogram(), np.zeros(len(label.classes), np.int64)
        for of_group, counts in measured(part, manifest, schema, max(1, BATCH // size), measure):
            pixels.merge(of_group)
            labels += counts
        distributions[split] = {str(place): int(count) for place, count in enumerate(labels)}
        splits[split] = {
            "num_samples": int(labels.sum()),
            "num_features": size,
            "class_distribution": distributions[split],
        }
        metrics[split] = _metrics(pixels)
    classes = {str(place): name for place, name in enumerate(label.classes)}
    features: dict[str, Any] = {
        image.name: {"dtype": image.type, "shape": list(image.shape), "description": image.description},
        label.name: {**labelled(label), "classes": classes},
    }
    return write_report(
        output,
        dataset,
        manifest,
        {"schema": {"features": features}, "splits": splits, "metrics": metrics},
        provenance,
        warnings=list(absent_classes(distributions, classes)),
    )


def _measure(
    batches: Iterator[pa.RecordBatch], image: Column, label: Column, path: Path
) -> tuple[Histogram, npt.NDArray[np.int64]]:
    """Count the pixels and labels of some images."""
    pixels, labels = Histogram(), np.zeros(len(label.classes), np.int64)
    for batch in batches:
        pixels.add(_pixels(batch[image.name], image, path))
        labels += _counts(batch[label.name], label, path)
    return pixels, labels


def _pixels(column: pa.Array, image: Column, path: Path) -> npt.NDArray[np.uint8]:
    """Return all pixels of a batch; every image must have the declared shape, and no pixel may be missing."""
    for size in image.shape:
        if column.null_count or pc.any(pc.not_equal(pc.list_value_length(column), size)).as_py():
            raise SchemaMismatch(path, f"an image has not the shape {image.shape}", "run the parquetizer again")
        column = column.flatten()
    if column.null_count:
        raise SchemaMismatch(path, "a pixel is missing", "run the parquetizer again")
    return np.asarray(column.to_numpy())


def _counts(column: pa.Array, label: Column, path: Path) -> npt.NDArray[np.int64]:
    if column.null_count or (pc.max(column).as_py() or 0) >= len(label.classes):
        raise SchemaMismatch(path, "a label is none of the classes", "run the parquetizer again")
    return np.bincount(column.to_numpy(), minlength=len(label.classes))


def _metrics(pixels: Histogram) -> dict[str, float | None]:
    figures = {
        "mean": pixels.mean,
        "std": pixels.std(ddof=0),
        "min": pixels.min,
        "max": pixels.max,
        "median": pixels.median,
    }
    return {f"pixel_{name}": rounded(value / WHITE) for name, value in figures.items() if value is not None}

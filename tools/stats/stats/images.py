"""Measure labelled images: pixel values, and the number of images per class."""

import functools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from samples import Column
from stage.errors import SchemaMismatch, UsageError

from stats.histogram import Histogram
from stats.manifests import RERUN
from stats.provenance import Provenance
from stats.report import Summary, rounded, write_report
from stats.settings import Dataset
from stats.splits import measure_split, missing_classes, verified_splits

BATCH_PIXELS = 1 << 18
WHITE = 255


def summarise_images(processed: Path, samples: Path, output: Path, dataset: Dataset, provenance: Provenance) -> Summary:
    """Write ``metadata.json`` for images of unsigned bytes and their labels, in one pass over each split.

    Pixel values are between 0 (black) and 1 (white); their standard deviation is that of all pixels (ddof = 0).

    Raises CorruptFile, ChecksumMismatch, EmptyInput, or SchemaMismatch if files, manifest and params do not match.
    """
    types = [(column.type, min(column.shape, default=0) > 0) for column in dataset.columns]
    if types != [("uint8", True), ("uint8", False)] or not dataset.columns[1].classes:
        fix = "declare both, as in fashion-mnist"
        raise UsageError("dataset.columns", "expected a column of images and one of labels", fix)
    image, label = dataset.columns
    size = math.prod(image.shape)
    manifest, files = verified_splits(processed, samples, schema := dataset.schema())
    splits, metrics, distributions = {}, {}, {}
    for split, file in files.items():
        measure = functools.partial(_measure, image=image, label=label, path=file.path)
        pixels, labels = Histogram(), np.zeros(len(label.classes), np.int64)
        for group_pixels, counts in measure_split(file, manifest, schema, max(1, BATCH_PIXELS // size), measure):
            pixels.merge(group_pixels)
            labels += counts
        distributions[split] = {str(number): int(count) for number, count in enumerate(labels)}
        splits[split] = {
            "num_samples": int(labels.sum()),
            "num_features": size,
            "class_distribution": distributions[split],
        }
        metrics[split] = _metrics(pixels)
    classes = {str(number): name for number, name in enumerate(label.classes)}
    features: dict[str, Any] = {
        image.name: {"dtype": image.type, "shape": list(image.shape), "description": image.description},
        label.name: {"dtype": label.type, "shape": [], "description": label.description, "classes": classes},
    }
    return write_report(
        output,
        dataset,
        manifest,
        {"schema": {"features": features}, "splits": splits, "metrics": metrics},
        provenance,
        warnings=list(missing_classes(distributions, classes)),
    )


def _measure(
    batches: Iterator[pa.RecordBatch], image: Column, label: Column, path: Path
) -> tuple[Histogram, npt.NDArray[np.int64]]:
    """Count the pixels and labels of the batches."""
    pixels, labels = Histogram(), np.zeros(len(label.classes), np.int64)
    for batch in batches:
        pixels.add(_pixels(batch[image.name], image, path))
        labels += _counts(batch[label.name], label, path)
    return pixels, labels


def _pixels(column: pa.Array, image: Column, path: Path) -> npt.NDArray[np.uint8]:
    """Return all pixels of a batch. Raises SchemaMismatch for another shape than declared, or a null."""
    for size in image.shape:
        if column.null_count or pc.any(pc.not_equal(pc.list_value_length(column), size)).as_py():
            raise SchemaMismatch(path, f"expected images of shape {image.shape}", RERUN)
        column = column.flatten()
    if column.null_count:
        raise SchemaMismatch(path, "a pixel is null", RERUN)
    return np.asarray(column.to_numpy())


def _counts(column: pa.Array, label: Column, path: Path) -> npt.NDArray[np.int64]:
    if column.null_count or (pc.max(column).as_py() or 0) >= len(label.classes):
        raise SchemaMismatch(path, "unknown label, or null", RERUN)
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

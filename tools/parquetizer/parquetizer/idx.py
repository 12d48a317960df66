"""Turn pairs of IDX files, images and labels, into the Parquet files of the splits and their manifest."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from stage import params
from stage.errors import BadRows, InputMissing, UsageError
from stage.inside import inside
from stage.progress import progress

from parquetizer.columns import Column, check_key, read_columns
from parquetizer.idx_input import IdxFile, Items, open_idx
from parquetizer.split_files import SplitsResult, check_split, split_files

BATCH = 1 << 20  # bytes of images read at once
GROUP = 1 << 22  # bytes of images in a row group


@dataclasses.dataclass(frozen=True)
class IdxInput:
    """Two raw files, and the split that they make."""

    images: str
    labels: str
    split: str


@dataclasses.dataclass(frozen=True)
class IdxSettings:
    """Which files make which split, and how much of them is taken."""

    inputs: tuple[IdxInput, ...]
    columns: tuple[Column, ...] = ()
    fraction: float = 1.0
    seed: int = 42
    key: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "IdxSettings":
        """Read the sections ``parquetizer`` and ``dataset`` of a params file.

        Raises UsageError where they do not describe images and their labels.
        """
        where = f"{path} parquetizer"
        settings = params.build(cls, params.section(path, "parquetizer"), where)
        columns = read_columns(path)
        kinds = [(column.type, bool(column.shape)) for column in columns]
        if kinds != [("uint8", True), ("uint8", False)] or not columns[1].classes:
            fix = "declare the images (type uint8, with a shape), then the labels (type uint8, with their classes)"
            raise UsageError(f"{path} dataset.columns", "not images and their labels", fix)
        if not settings.inputs:
            raise UsageError(where, "no inputs", "list images, labels and split of each in inputs")
        for given in settings.inputs:
            check_split(given.split, f"{where}.inputs")
        if len({given.split for given in settings.inputs}) < len(settings.inputs):
            raise UsageError(f"{where}.inputs", "a split stands twice", "give each split one input")
        if not 0 < settings.fraction <= 1:
            raise UsageError(where, f"fraction {settings.fraction} is not above 0 and at most 1", "correct it")
        if not 0 <= settings.seed < 1 << 32:
            raise UsageError(where, f"seed {settings.seed} is not 0 to {(1 << 32) - 1}", "correct it")
        check_key(settings.key, [column.name for column in columns], where)
        return dataclasses.replace(settings, columns=columns)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the files of the splits."""
        return pa.schema([(column.name, column.arrow) for column in self.columns])


def parquetize_idx(raw: Path, output: Path, samples: Path, settings: IdxSettings) -> SplitsResult:
    """Write the splits into the folder ``output``, in the order of the files, and the manifest ``samples``.

    A ``fraction`` below 1 takes the samples that ``RandomState(seed).choice`` draws without replacement.

    Raises InputMissing, CorruptFile, SchemaMismatch, EmptyInput, BadRows where images and labels do not fit, or
    PolicyViolation for a file that is not in ``raw``.
    """
    for given in settings.inputs:
        for name in (given.images, given.labels):
            if not inside(raw, name, "parquetizer.inputs").is_file():
                raise InputMissing(raw / name, "no such file", "run the fetcher, or correct parquetizer.inputs")
    shape = settings.columns[0].shape
    group_rows = max(1, GROUP // math.prod(shape))
    with split_files(raw, output, samples, settings.schema, settings.key, group_rows) as files:
        for given in settings.inputs:
            with open_idx(raw / given.images, shape) as images, open_idx(raw / given.labels, ()) as labels:
                if images.count != labels.count:
                    what = f"has {labels.count} labels for {images.count} images"
                    raise BadRows(raw / given.labels, what, "fetch both again, or correct parquetizer.inputs")
                for chosen, pixels, marks in _batches(given, images, labels, raw / given.labels, settings):
                    batch = _batch(pixels[chosen], marks[chosen], settings)
                    files.write(given.split, batch, given.images)
        return files.finish()


def _batches(
    given: IdxInput, images: IdxFile, labels: IdxFile, path: Path, settings: IdxSettings
) -> Iterator[tuple[npt.NDArray[np.int64], Items, Items]]:
    """Yield images and labels in turn, with the places of those that are taken."""
    classes = len(settings.columns[1].classes)
    taken = _taken(images.count, settings)
    step = max(1, BATCH // math.prod(images.shape))
    with progress(f"reading {given.images}", images.count, "images") as advance:
        for start in range(0, images.count, step):
            count = min(step, images.count - start)
            marks = labels.read(count).ravel()
            if (wrong := marks >= classes).any():
                at = int(np.argmax(wrong))
                what = f"label {marks[at]} is none of the {classes} classes"
                raise BadRows(f"{path} item {start + at}", what, "correct the file, or dataset.columns")
            chosen = taken[np.searchsorted(taken, start) : np.searchsorted(taken, start + count)] - start
            yield chosen, images.read(count), marks
            advance(count)
    images.check_end()
    labels.check_end()


def _taken(count: int, settings: IdxSettings) -> npt.NDArray[np.int64]:
    """Return the places of the samples that are taken, in order."""
    if settings.fraction == 1:
        return np.arange(count)
    # RandomState, unlike NumPy's newer generators, draws the same in every version (NEP 19).
    drawn = np.random.RandomState(settings.seed).choice(count, max(1, int(count * settings.fraction)), replace=False)
    return np.sort(drawn)


def _batch(pixels: Items, labels: Items, settings: IdxSettings) -> pa.RecordBatch:
    array = pa.array(np.ascontiguousarray(pixels).ravel())
    for size in reversed(settings.columns[0].shape):
        array = pa.ListArray.from_arrays(pa.array(np.arange(0, len(array) + 1, size, dtype=np.int32)), array)
    return pa.record_batch([array, pa.array(labels)], schema=settings.schema)

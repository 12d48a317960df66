"""Convert pairs of IDX files, images and labels, into the Parquet files of the splits and their manifest."""

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from samples import Column, schema_of
from stage import params
from stage.errors import BadRows, InputMissing, UsageError
from stage.inside import inside
from stage.progress import progress

from parquetizer.columns import check_key, read_columns
from parquetizer.kinds.idx_input import IdxFile, Items, open_idx
from parquetizer.split_files import SplitsResult, split_files
from parquetizer.splits import check_split

BATCH = 1 << 20  # bytes of images read at once
GROUP = 1 << 22  # bytes of images in a row group


@dataclasses.dataclass(frozen=True)
class IdxInput:
    """Two raw files, and the split they become."""

    images: str
    labels: str
    split: str


@dataclasses.dataclass(frozen=True)
class IdxSettings:
    """The raw files of each split, and the fraction of samples to take."""

    inputs: tuple[IdxInput, ...]
    columns: tuple[Column, ...] = ()
    fraction: float = 1.0
    seed: int = 42
    key: tuple[str, ...] = ()

    @classmethod
    def read(cls, path: Path) -> "IdxSettings":
        """Read the sections ``parquetizer`` and ``dataset`` of a params file.

        Raises UsageError unless they describe images and their labels.
        """
        where = f"{path} parquetizer"
        settings = params.build(cls, params.section(path, "parquetizer"), where)
        columns = read_columns(path)
        kinds = [(column.type, bool(column.shape)) for column in columns]
        if kinds != [("uint8", True), ("uint8", False)] or not columns[1].classes:
            fix = "declare the images (type uint8, with a shape), then the labels (type uint8, with their classes)"
            raise UsageError(f"{path} dataset.columns", "expected images and their labels", fix)
        if not settings.inputs:
            raise UsageError(where, "no inputs", "list images, labels and split of each in inputs")
        for source in settings.inputs:
            check_split(source.split, f"{where}.inputs")
        if len({source.split for source in settings.inputs}) < len(settings.inputs):
            raise UsageError(f"{where}.inputs", "duplicate split", "use one input per split")
        if not 0 < settings.fraction <= 1:
            raise UsageError(where, f"invalid fraction {settings.fraction}: expected 0 < fraction <= 1", "correct it")
        if not 0 <= settings.seed < 1 << 32:
            raise UsageError(where, f"invalid seed {settings.seed}: expected 0 to {(1 << 32) - 1}", "correct it")
        check_key(settings.key, [column.name for column in columns], where)
        return dataclasses.replace(settings, columns=columns)

    @property
    def schema(self) -> pa.Schema:
        """The Arrow schema of the files of the splits."""
        return schema_of(self.columns)


def parquetize_idx(raw: Path, output: Path, samples: Path, settings: IdxSettings) -> SplitsResult:
    """Write the splits into the folder ``output``, in the order of the files, and the manifest ``samples``.

    A ``fraction`` below 1 takes the samples that ``RandomState(seed).choice`` draws without replacement.

    Raises InputMissing, CorruptFile, SchemaMismatch, EmptyInput, BadRows if images and labels do not match, or
    PolicyViolation for a file outside ``raw``.
    """
    for source in settings.inputs:
        for name in (source.images, source.labels):
            if not inside(raw, name, "parquetizer.inputs").is_file():
                raise InputMissing(raw / name, "not found", "run the fetcher, or correct parquetizer.inputs")
    shape = settings.columns[0].shape
    group_rows = max(1, GROUP // math.prod(shape))
    with split_files(raw, output, samples, settings.schema, settings.key, group_rows) as files:
        for source in settings.inputs:
            with open_idx(raw / source.images, shape) as images, open_idx(raw / source.labels, ()) as labels:
                if images.count != labels.count:
                    what = f"{labels.count} labels for {images.count} images"
                    raise BadRows(raw / source.labels, what, "fetch both again, or correct parquetizer.inputs")
                for positions, pixels, codes in _batches(source, images, labels, raw / source.labels, settings):
                    batch = _batch(pixels[positions], codes[positions], settings)
                    files.write(source.split, batch, source.images)
        return files.finish()


def _batches(
    source: IdxInput, images: IdxFile, labels: IdxFile, path: Path, settings: IdxSettings
) -> Iterator[tuple[npt.NDArray[np.int64], Items, Items]]:
    """Yield batches of images and labels, with the positions of the samples to take."""
    classes = len(settings.columns[1].classes)
    taken = _taken(images.count, settings)
    step = max(1, BATCH // math.prod(images.shape))
    with progress(f"reading {source.images}", images.count, "images") as advance:
        for start in range(0, images.count, step):
            count = min(step, images.count - start)
            codes = labels.read(count).ravel()
            if (unknown := codes >= classes).any():
                at = int(np.argmax(unknown))
                what = f"unknown label {codes[at]}: there are {classes} classes"
                raise BadRows(f"{path} item {start + at}", what, "correct the file, or dataset.columns")
            positions = taken[np.searchsorted(taken, start) : np.searchsorted(taken, start + count)] - start
            yield positions, images.read(count), codes
            advance(count)
    images.check_end()
    labels.check_end()


def _taken(count: int, settings: IdxSettings) -> npt.NDArray[np.int64]:
    """Return the positions of the samples to take, in order."""
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

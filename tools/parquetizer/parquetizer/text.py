"""Convert files of labelled texts into the Parquet files of the splits and their manifest."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import BadRows, EmptyInput, InputMissing
from stage.inside import inside

from parquetizer.split_files import SplitsResult, split_files
from parquetizer.splits import assigned
from parquetizer.text_input import read_texts
from parquetizer.text_settings import TextSettings

ROWS = 1 << 14  # of a row group, which is held in memory: texts may be long


def parquetize_text(raw: Path, output: Path, samples: Path, settings: TextSettings) -> SplitsResult:
    """Write the splits into the folder ``output``, in the order of the inputs, and the manifest ``samples``.

    Official splits are preserved; otherwise ``splits`` are drawn by a seeded hash of the key columns.

    Raises InputMissing, BadRows, EmptyInput, SchemaMismatch or CorruptFile if the raw files are not as declared,
    PolicyViolation for a file outside ``raw``.
    """
    for source in settings.inputs:
        if not inside(raw, source.file, "parquetizer.inputs").is_file():
            raise InputMissing(raw / source.file, "not found", "run the fetcher, or correct parquetizer.inputs")
    with split_files(raw, output, samples, settings.schema, settings.key, ROWS) as files:
        for source in settings.inputs:
            rows = 0
            for batch in _checked(raw / source.file, settings):
                rows += len(batch)
                for split, part in _parts(batch, source.split, settings):
                    files.write(split, part, source.file)
            if not rows:
                raise EmptyInput(raw / source.file, "no texts", "check that the source sent the whole file")
        for split in settings.splits:
            if split not in files.rows:
                what = f"got none of the {sum(files.rows.values())} samples"
                raise EmptyInput(f"split {split}", what, "give it a larger share, or use another seed")
        return files.finish()


def _parts(batch: pa.RecordBatch, official: str | None, settings: TextSettings) -> Iterator[tuple[str, pa.RecordBatch]]:
    if official is not None:
        yield official, batch
        return
    keys = batch.select(list(settings.key)) if settings.key else batch
    numbers = assigned(keys, settings.splits, settings.seed)
    for number, split in enumerate(settings.splits):
        yield split, batch.filter(pa.array(numbers == number))


def _checked(path: Path, settings: TextSettings) -> Iterator[pa.RecordBatch]:
    """Yield batches of the processed schema; raise BadRows with the line or row of an invalid text or label."""
    classes = settings.classes
    labels = [*classes, *(str(number) for number in range(len(classes)) if str(number) not in classes)]
    names = pa.array([*classes, *(classes[int(label)] for label in labels[len(classes) :])])
    for batch in read_texts(path, settings):
        text = batch["text"]
        codes = pc.index_in(batch["label"], value_set=pa.array(labels))
        limit = settings.max_text_bytes
        for invalid, what, fix in (
            (text.is_null(), "the text is null", "correct it, or parquetizer.text"),
            (pc.equal(pc.utf8_trim_whitespace(text), ""), "the text is empty", "correct or remove it"),
            (pc.match_substring(text, "\0"), "NUL character in the text", "remove it"),
            (pc.greater(pc.binary_length(text), limit), f"the text is longer than {limit} bytes", "shorten it"),
            (codes.is_null(), "unknown label", f"use one of the {len(classes)} classes, or add it to dataset.columns"),
        ):
            mask = invalid.fill_null(False).to_numpy(zero_copy_only=False)
            if mask.any():
                at = int(np.argmax(mask))
                label = f" {batch['label'][at].as_py()!r:.60}" if "label" in what else ""
                where = f"{path}:{batch['number'][at]}" if settings.by_line else f"{path} row {batch['number'][at]}"
                raise BadRows(where, what + label, fix)
        yield pa.record_batch([text, names.take(codes)], schema=settings.schema)

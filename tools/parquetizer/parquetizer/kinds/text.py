"""Convert files of labelled texts into the Parquet files of the splits and their manifest."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import BadRows, EmptyInput

from parquetizer.kinds.text_input import read_texts
from parquetizer.kinds.text_settings import TextSettings
from parquetizer.raw.files import RawFile, find_files
from parquetizer.raw.inputs import raw_files
from parquetizer.split_files import SplitsResult, split_files

ROWS = 1 << 14  # of a row group, which is held in memory: texts may be long


def parquetize_text(raw: Path, output: Path, samples: Path, settings: TextSettings) -> SplitsResult:
    """Write the splits into the folder ``output``, in the order of the inputs, and the manifest ``samples``.

    Official splits are preserved; otherwise ``splits`` are drawn by a seeded hash of the key columns.

    Raises InputMissing, BadRows, EmptyInput, SchemaMismatch or CorruptFile if the raw files are not as declared,
    PolicyViolation for a file outside ``raw``.
    """
    for source in settings.inputs:
        find_files(raw, source.file)
    with split_files(raw, output, samples, settings.schema, settings.key, ROWS) as files:
        for source in settings.inputs:
            for file in raw_files(raw, source.file, source.members, settings.max_ratio):
                rows = 0
                for batch in _checked(file, settings):
                    rows += len(batch)
                    for split, part in settings.parts(batch, source.split):
                        files.write(split, part, file.name)
                if not rows:
                    raise EmptyInput(file, "no texts", "check that the source sent the whole file")
        settings.check_counts(files.rows)
        return files.finish()


def _checked(path: RawFile, settings: TextSettings) -> Iterator[pa.RecordBatch]:
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

"""Turn files of labelled texts into the Parquet files of the splits and their manifest."""

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

    Official splits are kept; otherwise the shares in ``splits`` are made by a seeded hash of the key columns.

    Raises InputMissing, BadRows, EmptyInput, SchemaMismatch or CorruptFile where the raw files are not as declared,
    PolicyViolation for one that is not in ``raw``.
    """
    for given in settings.inputs:
        if not inside(raw, given.file, "parquetizer.inputs").is_file():
            raise InputMissing(raw / given.file, "no such file", "run the fetcher, or correct parquetizer.inputs")
    with split_files(raw, output, samples, settings.schema, settings.key, ROWS) as files:
        for given in settings.inputs:
            rows = 0
            for batch in _checked(raw / given.file, settings):
                rows += len(batch)
                for split, part in _parts(batch, given.split, settings):
                    files.write(split, part, given.file)
            if not rows:
                raise EmptyInput(raw / given.file, "no texts", "check that the source sent the whole file")
        for split in settings.splits:
            if split not in files.rows:
                fix = "give it a larger share, or another seed"
                raise EmptyInput(f"split {split}", f"none of the {sum(files.rows.values())} samples fell into it", fix)
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
    """Yield batches of the processed schema; raise BadRows with the line or row of what has no place in it."""
    classes = settings.classes
    known = [*classes, *(str(place) for place in range(len(classes)) if str(place) not in classes)]
    named = pa.array([*classes, *(classes[int(name)] for name in known[len(classes) :])])
    for batch in read_texts(path, settings):
        text = batch["text"]
        codes = pc.index_in(batch["label"], value_set=pa.array(known))
        longest = settings.max_text_bytes
        for wrong, what, fix in (
            (text.is_null(), "the text is missing", "correct it, or parquetizer.text"),
            (pc.equal(pc.utf8_trim_whitespace(text), ""), "the text is empty", "correct or remove it"),
            (pc.match_substring(text, "\0"), "NUL character in the text", "remove it"),
            (pc.greater(pc.binary_length(text), longest), f"the text is longer than {longest} bytes", "shorten it"),
            (codes.is_null(), f"its label is none of the {len(classes)} classes", "correct it, or dataset.columns"),
        ):
            found = wrong.fill_null(False).to_numpy(zero_copy_only=False)
            if found.any():
                at = int(np.argmax(found))
                said = f" ({batch['label'][at].as_py()!r:.60})" if "label" in what else ""
                place = f"{path}:{batch['place'][at]}" if settings.by_line else f"{path} row {batch['place'][at]}"
                raise BadRows(place, what + said, fix)
        yield pa.record_batch([text, named.take(codes)], schema=settings.schema)

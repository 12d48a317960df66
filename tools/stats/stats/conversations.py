"""Measure images with conversations: lengths of the captions, sizes of the images; and check each against its hash."""

import dataclasses
import io
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from samples import digests, encode
from stage.errors import ChecksumMismatch, CorruptFile, InputMissing
from stage.foreign import MAX_BYTES, read_bytes, read_json
from stage.progress import progress

from stats.checked import CORRUPT, check_count
from stats.histogram import Histogram
from stats.metadata import rounded
from stats.provenance import Provenance
from stats.report import Summary, write_report
from stats.settings import Dataset
from stats.splits import checked_splits

TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
SCHEMA = pa.schema([("image", pa.binary()), ("conversations", pa.list_(TURN))])
AGAIN = "run the parquetizer again"
MOST_PIXELS, MOST_BYTES = 1 << 25, 1 << 26  # of an image: the parquetizer lets none be larger


@dataclasses.dataclass(frozen=True)
class _Entry:
    """An element of annotations.json: an image, what is asked about it, and the caption that answers."""

    image: Path
    question: str
    caption: str


def summarise_conversations(
    processed: Path, samples: Path, output: Path, dataset: Dataset, provenance: Provenance
) -> Summary:
    """Write ``metadata.json`` for ``<split>/annotations.json`` and images below ``processed``, in one pass.

    Lengths are in characters, sizes in pixels. The prompt is that of ``process_stats.json`` and of every conversation.

    Raises InputMissing, CorruptFile, EmptyInput, SchemaMismatch, or ChecksumMismatch where an image or conversation is
    not the manifest's.
    """
    manifest, parts = checked_splits(processed, samples, SCHEMA, "write it with parquetizer conversations")
    prompt = _prompt(processed / "process_stats.json")
    splits, metrics = {}, {}
    hashes = _content_hashes(samples)
    for split, part in parts.items():
        entries = _entries(part.path)
        check_count(manifest, part.samples, part.path, len(entries))
        present = {path for path in (part.path.parent / "images").glob("*") if path.is_file()}
        if missing := [entry.image for entry in entries if entry.image not in present]:
            raise InputMissing(missing[0], "no such file", "run the parquetizer")
        sizes = []
        with progress(f"measuring {split}", len(entries), "images") as advance:
            for entry in entries:
                sizes.append(_size(entry, next(hashes), f"<image>\n{prompt['prompt_text']}"))
                advance(1)
        captions, widths, heights = Histogram(), Histogram(), Histogram()
        captions.add(np.array([len(entry.caption) for entry in entries]))
        widths.add(np.array([width for width, _ in sizes]))
        heights.add(np.array([height for _, height in sizes]))
        splits[split] = {"num_samples": captions.count}
        metrics[split] = {
            "caption_length_mean": rounded(captions.mean),
            "caption_length_min": captions.min,
            "caption_length_max": captions.max,
            "image_width_mean": rounded(widths.mean),
            "image_height_mean": rounded(heights.mean),
        }
    features = {
        "image": {"dtype": "jpeg", "description": "the image, by its file's name below images/"},
        "conversations": {
            "dtype": str(SCHEMA.field("conversations").type),
            "description": "the prompt, and the caption",
        },
    }
    figures: dict[str, Any] = {"prompt": prompt, "schema": {"features": features}, "splits": splits, "metrics": metrics}
    return write_report(output, dataset, manifest, figures, provenance)


def _size(entry: _Entry, wanted: bytes, question: str) -> tuple[int, int]:
    """Return width and height of an image, once it, its question and its caption are found to be the manifest's."""
    with entry.image.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise CorruptFile(entry.image, f"larger than {MOST_BYTES} bytes", AGAIN)
    turns = [{"from": "human", "value": entry.question}, {"from": "gpt", "value": entry.caption}]
    sample = pa.record_batch([pa.array([data]), pa.array([turns], SCHEMA.field("conversations").type)], schema=SCHEMA)
    if digests(encode(sample)).tobytes() != wanted:
        raise ChecksumMismatch(entry.image, "image or conversation is not the manifest's", AGAIN)
    if entry.question != question:
        raise ChecksumMismatch(entry.image, "the prompt of its conversation is not that of process_stats.json", AGAIN)
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(io.BytesIO(data), formats=("JPEG",)) as image:
            width, height = image.size
    except (OSError, Image.DecompressionBombError) as error:
        raise CorruptFile(entry.image, f"not a JPEG image: {error}", AGAIN) from error
    if width * height > MOST_PIXELS:
        raise CorruptFile(entry.image, f"{width} x {height} pixels are more than {MOST_PIXELS}", AGAIN)
    return width, height


def _content_hashes(samples: Path) -> Iterator[bytes]:
    try:
        with pq.ParquetFile(samples, page_checksum_verification=True, pre_buffer=False) as file:
            for batch in file.iter_batches(columns=["content_hash"]):
                yield from batch["content_hash"].to_pylist()
    except CORRUPT as error:
        raise CorruptFile(samples, str(error), AGAIN) from error


def _entries(path: Path) -> list[_Entry]:
    document, entries = _json(path), []
    if not isinstance(document, list):
        raise CorruptFile(path, "not a JSON array", AGAIN)
    for number, element in enumerate(document):
        match element:
            case {
                "image": str(image),
                "conversations": [{"from": "human", "value": str(question)}, {"from": "gpt", "value": str(caption)}],
            } if Path(image).name == image:
                entries.append(_Entry(path.parent / "images" / image, question, caption))
            case _:
                raise CorruptFile(f"{path} entry {number}", "not an image with a question and its caption", AGAIN)
    return entries


def _prompt(path: Path) -> dict[str, Any]:
    match _json(path):
        case {"prompt": {"prompt_name": str(), "prompt_version": int(), "prompt_text": str()} as prompt}:
            return dict(prompt)
        case _:
            raise CorruptFile(path, "holds no prompt with its name, version and text", AGAIN)


def _json(path: Path) -> Any:
    if not path.is_file():
        raise InputMissing(path, "no such file", "run the parquetizer")
    limit = max(MAX_BYTES, path.stat().st_size)
    return read_json(read_bytes(path, limit), path, error=CorruptFile, fix=AGAIN, limit=limit)

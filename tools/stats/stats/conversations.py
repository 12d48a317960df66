"""Measure captioned images: lengths of captions and sizes of images, after verifying each against its hash."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from samples import digests, encode
from stage.errors import ChecksumMismatch, CorruptFile, InputMissing
from stage.foreign import MAX_BYTES, read_bytes, read_json
from stage.progress import progress

from stats.histogram import Histogram
from stats.manifests import CORRUPT, RERUN, check_count
from stats.media import image_header
from stats.provenance import Provenance
from stats.report import Summary, rounded, write_report
from stats.settings import Dataset
from stats.splits import verified_splits

TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
SCHEMA = pa.schema([("image", pa.binary()), ("conversations", pa.list_(TURN))])
MAX_PIXELS, MAX_IMAGE_BYTES = 1 << 25, 1 << 26  # as in the parquetizer


@dataclasses.dataclass(frozen=True)
class _Entry:
    """An element of annotations.json: an image, its question and its caption."""

    image: Path
    question: str
    caption: str


def summarise_conversations(
    processed: Path, samples: Path, output: Path, dataset: Dataset, provenance: Provenance
) -> Summary:
    """Write ``metadata.json`` for ``<split>/annotations.json`` and images below ``processed``, in one pass.

    Lengths are in characters, sizes in pixels. The prompt is that of ``process_stats.json`` and of every conversation.

    Raises InputMissing, CorruptFile, EmptyInput, SchemaMismatch, or ChecksumMismatch if an image or conversation
    differs from the manifest.
    """
    manifest, files = verified_splits(processed, samples, SCHEMA, "write it with parquetizer conversations")
    prompt = _prompt(processed / "process_stats.json")
    splits, metrics = {}, {}
    hashes = _content_hashes(samples)
    for split, file in files.items():
        entries = _entries(file.path)
        check_count(manifest, file.samples, file.path, len(entries))
        images = {path for path in (file.path.parent / "images").glob("*") if path.is_file()}
        if missing := [entry.image for entry in entries if entry.image not in images]:
            raise InputMissing(missing[0], "file not found", "run the parquetizer")
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


def _size(entry: _Entry, content_hash: bytes, question: str) -> tuple[int, int]:
    """Return width and height of an image, after verifying it, its question and its caption against the manifest."""
    with entry.image.open("rb") as file:
        data = file.read(MAX_IMAGE_BYTES + 1)
    if len(data) > MAX_IMAGE_BYTES:
        raise CorruptFile(entry.image, f"larger than {MAX_IMAGE_BYTES} bytes", RERUN)
    turns = [{"from": "human", "value": entry.question}, {"from": "gpt", "value": entry.caption}]
    sample = pa.record_batch([pa.array([data]), pa.array([turns], SCHEMA.field("conversations").type)], schema=SCHEMA)
    if digests(encode(sample)).tobytes() != content_hash:
        raise ChecksumMismatch(entry.image, "image or conversation differs from the manifest", RERUN)
    if entry.question != question:
        raise ChecksumMismatch(entry.image, "its prompt differs from process_stats.json", RERUN)
    try:
        _, width, height = image_header(data, ("JPEG",))
    except ValueError as error:
        raise CorruptFile(entry.image, f"invalid JPEG image: {error}", RERUN) from error
    if width * height > MAX_PIXELS:
        raise CorruptFile(entry.image, f"{width} x {height} pixels, more than {MAX_PIXELS}", RERUN)
    return width, height


def _content_hashes(samples: Path) -> Iterator[bytes]:
    try:
        with pq.ParquetFile(samples, page_checksum_verification=True, pre_buffer=False) as file:
            for batch in file.iter_batches(columns=["content_hash"]):
                yield from batch["content_hash"].to_pylist()
    except CORRUPT as error:
        raise CorruptFile(samples, str(error), RERUN) from error


def _entries(path: Path) -> list[_Entry]:
    document, entries = _json(path), []
    if not isinstance(document, list):
        raise CorruptFile(path, "expected a JSON array", RERUN)
    for number, element in enumerate(document):
        match element:
            case {
                "image": str(image),
                "conversations": [{"from": "human", "value": str(question)}, {"from": "gpt", "value": str(caption)}],
            } if Path(image).name == image:
                entries.append(_Entry(path.parent / "images" / image, question, caption))
            case _:
                raise CorruptFile(f"{path} entry {number}", "expected an image with a question and a caption", RERUN)
    return entries


def _prompt(path: Path) -> dict[str, Any]:
    match _json(path):
        case {"prompt": {"prompt_name": str(), "prompt_version": int(), "prompt_text": str()} as prompt}:
            return dict(prompt)
        case _:
            raise CorruptFile(path, "expected a prompt with name, version and text", RERUN)


def _json(path: Path) -> Any:
    if not path.is_file():
        raise InputMissing(path, "file not found", "run the parquetizer")
    limit = max(MAX_BYTES, path.stat().st_size)
    return read_json(read_bytes(path, limit), path, error=CorruptFile, fix=RERUN, limit=limit)

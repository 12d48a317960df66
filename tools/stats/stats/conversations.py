"""Measure images with conversations: lengths of the captions, sizes of the images; and check each against its hash."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image
from samples import digests, encode
from stage.errors import ChecksumMismatch, CorruptFile, InputMissing

from stats.checked import CORRUPT, checked_manifest
from stats.histogram import Histogram
from stats.metadata import rounded
from stats.provenance import Provenance
from stats.report import Summary, write_report
from stats.settings import Dataset
from stats.splits import split_files

TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
SCHEMA = pa.schema([("image", pa.binary()), ("conversations", pa.list_(TURN))])


def summarise_conversations(
    processed: Path, samples: Path, output: Path, dataset: Dataset, provenance: Provenance
) -> Summary:
    """Write ``metadata.json`` for ``<split>/annotations.json`` and images below ``processed``, in one pass.

    Lengths are in characters, sizes in pixels. The prompt is that of ``process_stats.json``.

    Raises InputMissing, CorruptFile, or ChecksumMismatch where an image or conversation is not the manifest's.
    """
    prompt = _json(processed / "process_stats.json")["prompt"]
    files = {split: Path(name) for split, name in split_files(samples).items()} if samples.exists() else {}
    manifest = checked_manifest(samples, *files.values())
    splits, metrics = {}, {}
    hashes = _content_hashes(samples)
    for split, path in files.items():
        captions, widths, heights = Histogram(), Histogram(), Histogram()
        for entry in _json(path):
            image = path.parent / "images" / entry["image"]
            width, height = _size(image, entry, next(hashes, b""))
            for figure, value in (
                (captions, len(entry["conversations"][-1]["value"])),
                (widths, width),
                (heights, height),
            ):
                figure.add(np.array([value]))
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
        "conversations": {"dtype": str(SCHEMA.field("conversations").type), "description": "the prompt, and the caption"},
    }
    figures: dict[str, Any] = {"prompt": prompt, "schema": {"features": features}, "splits": splits, "metrics": metrics}
    return write_report(output, dataset, manifest, figures, provenance)


def _size(path: Path, entry: dict[str, Any], wanted: bytes) -> tuple[int, int]:
    if not path.is_file():
        raise InputMissing(path, "no such file", "run the parquetizer")
    sample = pa.record_batch([pa.array([path.read_bytes()]), pa.array([entry["conversations"]])], schema=SCHEMA)
    if digests(encode(sample)).tobytes() != wanted:
        raise ChecksumMismatch(path, "image or conversation is not the manifest's", "run the parquetizer again")
    with Image.open(path, formats=("JPEG",)) as image:
        return image.size


def _content_hashes(samples: Path) -> Iterator[bytes]:
    try:
        with pq.ParquetFile(samples, page_checksum_verification=True) as file:
            for batch in file.iter_batches(columns=["content_hash"]):
                yield from batch["content_hash"].to_pylist()
    except CORRUPT as error:
        raise CorruptFile(samples, str(error), "run the parquetizer again") from error


def _json(path: Path) -> Any:
    if not path.is_file():
        raise InputMissing(path, "no such file", "run the parquetizer")
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorruptFile(path, f"not JSON: {error}", "run the parquetizer again") from error

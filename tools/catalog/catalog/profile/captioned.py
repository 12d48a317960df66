"""Images with captions: an ``annotations.json`` beside a folder of images."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from data_registry.stage.foreign import MAX_BYTES, read_json

from catalog.facts import training_split
from catalog.profile.first_rows import CHARACTERS, ROWS, FirstRows, limited
from catalog.profile.histograms import Histogram, Measurements, count_values, edges_of, extents
from catalog.profile.pictures import Picture, image_size, thumbnail
from catalog.profile.rows import unreadable
from catalog.profile.value_texts import file_text, truncated

ANNOTATIONS = "/annotations.json"
PICTURES = 500  # of each split
CAPTION_LENGTH = 120  # characters


class Entry(NamedTuple):
    """An image's file name, its path if there is such a file, and the last turn of its conversation."""

    name: str
    path: Path | None
    caption: str


def entries_of(splits: Mapping[str, Sequence[str]], paths: Mapping[str, Path]) -> dict[str, list[Entry]]:
    """Return the images of each split in order. Raises CorruptFile for an invalid ``annotations.json``."""
    return {split: [entry for file in files for entry in _entries(file, paths)] for split, files in splits.items()}


def histograms_of(entries: Mapping[str, Sequence[Entry]]) -> tuple[Histogram, ...]:
    """Return the histograms of caption lengths and image sizes in pixels."""
    measurements = {split: _measurements(of_split) for split, of_split in entries.items()}
    edges = {name: edges_of(extent) for name, extent in extents(measurements.values()).items()}
    histograms = [count_values(split, [of_split], edges) for split, of_split in measurements.items()]
    return tuple(sorted(itertools.chain(*histograms), key=lambda histogram: list(edges).index(histogram.name)))


def tables_of(entries: Mapping[str, Sequence[Entry]]) -> tuple[tuple[Picture, ...], tuple[FirstRows, ...]]:
    """Return thumbnails of the first valid images, and the first rows of each split, which refer to them.

    Those of the split to train on come first.
    """
    pictures: list[Picture] = []
    tables = {}
    training = training_split(entries)
    for split in sorted(entries, key=lambda name: name != training):
        texts = limited(
            [
                (file_text(entry.name, image_size(entry.path) if entry.path else None), truncated(entry.caption))
                for entry in entries[split][:ROWS]
            ],
            CHARACTERS // len(entries),
        )
        indices: list[int | None] = []
        for entry in entries[split][: len(texts)]:
            room = PICTURES - sum(index is not None for index in indices)
            data = thumbnail(entry.path) if entry.path and room else None
            indices.append(len(pictures) if data else None)
            if data:
                caption = truncated(entry.caption or entry.name, CAPTION_LENGTH)
                pictures.append(Picture(data, ".jpg", split, caption))
        if texts:
            tables[split] = FirstRows(("image", "caption"), texts, split, pictures=tuple(indices))
    return tuple(pictures), tuple(tables[split] for split in entries if split in tables)


def _entries(file: str, paths: Mapping[str, Path]) -> Iterator[Entry]:
    try:
        content = paths[file].read_bytes()
    except (OSError, KeyError) as error:
        raise unreadable(file, error) from error
    document = read_json(content, file, list, limit=max(MAX_BYTES, len(content)))
    folder = f"{file.removesuffix(ANNOTATIONS)}/images"
    for entry in document:
        match entry:
            case {"image": str(name), "conversations": [*turns]}:
                yield Entry(name, paths.get(f"{folder}/{name}"), _caption(turns))


def _caption(turns: Sequence[Any]) -> str:
    match turns:
        case [*_, {"value": str(caption)}]:
            return caption
    return ""


def _measurements(entries: Sequence[Entry]) -> Measurements:
    sizes = [size for entry in entries if entry.path and (size := image_size(entry.path))]
    return {
        "characters of the caption": np.array([len(entry.caption) for entry in entries], np.int64),
        "image width": np.array([width for width, _ in sizes], np.int64),
        "image height": np.array([height for _, height in sizes], np.int64),
    }

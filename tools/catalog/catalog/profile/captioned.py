"""What there is to see in images with captions: an ``annotations.json`` beside a folder of images."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from data_registry.stage.foreign import MAX_BYTES, read_json

from catalog.facts import training_split
from catalog.profile.examples import ROWS, Examples, short
from catalog.profile.histograms import Histogram, Measured, count, edges_of, extents
from catalog.profile.pictures import Picture, shrunk, size_of
from catalog.profile.rows import corrupt

ANNOTATIONS = "/annotations.json"
PICTURES = 24
CAPTION = 120  # characters


class Captioned(NamedTuple):
    """An image's name, where it is, and the last thing that is said about it."""

    name: str
    path: Path | None
    caption: str


def entries_of(splits: Mapping[str, Sequence[str]], paths: Mapping[str, Path]) -> dict[str, list[Captioned]]:
    """Return the images of each split in their order. Raises CorruptFile for a list of them that is none."""
    return {split: [each for file in files for each in _entries(file, paths)] for split, files in splits.items()}


def histograms_of(entries: Mapping[str, Sequence[Captioned]]) -> tuple[Histogram, ...]:
    """Return the histograms of the captions' lengths and the images' sizes in pixels."""
    measured = {split: _measured(each) for split, each in entries.items()}
    edges = {name: edges_of(extent) for name, extent in extents(measured.values()).items()}
    parts = [count(split, [each], edges) for split, each in measured.items()]
    return tuple(sorted(itertools.chain.from_iterable(parts), key=lambda each: list(edges).index(each.name)))


def pictures_of(entries: Mapping[str, Sequence[Captioned]]) -> tuple[Picture, ...]:
    """Return the first images that can be read."""
    split = training_split(entries)
    return tuple(itertools.islice(_pictures(split, entries.get(split, ())), PICTURES))


def examples_of(entries: Mapping[str, Sequence[Captioned]]) -> tuple[Examples, ...]:
    """Return the first images of each split, by name and size, with their captions."""
    return tuple(
        Examples(("image", "caption"), tuple((_told(each), short(each.caption)) for each in of[:ROWS]), split)
        for split, of in entries.items()
        if of
    )


def _entries(file: str, paths: Mapping[str, Path]) -> Iterator[Captioned]:
    try:
        content = paths[file].read_bytes()
    except (OSError, KeyError) as error:
        raise corrupt(file, error) from error
    document = read_json(content, file, list, limit=max(MAX_BYTES, len(content)))
    folder = f"{file.removesuffix(ANNOTATIONS)}/images"
    for entry in document:
        match entry:
            case {"image": str(name), "conversations": [*turns]}:
                yield Captioned(name, paths.get(f"{folder}/{name}"), _caption(turns))


def _caption(turns: Sequence[Any]) -> str:
    match turns:
        case [*_, {"value": str(caption)}]:
            return caption
    return ""


def _measured(entries: Sequence[Captioned]) -> Measured:
    sizes = [size for each in entries if each.path and (size := size_of(each.path))]
    return {
        "characters of the caption": np.array([len(each.caption) for each in entries], np.int64),
        "image width": np.array([width for width, _ in sizes], np.int64),
        "image height": np.array([height for _, height in sizes], np.int64),
    }


def _pictures(split: str, entries: Sequence[Captioned]) -> Iterator[Picture]:
    for each in entries:
        if each.path and (data := shrunk(each.path)):
            yield Picture(data, ".jpg", split, short(each.caption or each.name, CAPTION))


def _told(entry: Captioned) -> str:
    size = size_of(entry.path) if entry.path else None
    return short(entry.name) + (f", {size[0]} × {size[1]}" if size else "")

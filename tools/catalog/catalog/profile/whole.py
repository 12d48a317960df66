"""What a dataset's page shows of the data itself: how its values are spread, some of its images, its first samples."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data_registry.samples import read_manifest
from data_registry.training.arrow_types import declared_schema

from catalog import facts
from catalog.profile import captioned, examples, gallery, spreads
from catalog.profile.examples import Examples
from catalog.profile.histograms import Histogram
from catalog.profile.pictures import Picture
from catalog.profile.rows import Rows


@dataclasses.dataclass(frozen=True)
class Profile:
    """What is shown; histograms of the same name follow each other and have the same edges.

    ``without_histogram`` columns of numbers are too many for one.
    """

    histograms: tuple[Histogram, ...] = ()
    pictures: tuple[Picture, ...] = ()
    examples: tuple[Examples, ...] = ()
    without_histogram: int = 0


def profile(
    manifest: Path, splits: Mapping[str, Sequence[str]], paths: Mapping[str, Path], metadata: Mapping[str, Any]
) -> Profile:
    """Look at the samples of a dataset, some megabytes at a time.

    ``splits`` has the files of each split in order, ``paths`` where each file is, and the images beside an
    ``annotations.json``; ``metadata`` is what stats found. A single split has no name in what is returned.
    Values and images that are odd or missing are left out. Raises CorruptFile for a file that cannot be read.
    """
    named = {split if len(splits) > 1 else "": files for split, files in splits.items()}
    if any(file.endswith(captioned.ANNOTATIONS) for file in itertools.chain.from_iterable(named.values())):
        entries = captioned.entries_of(named, paths)
        return Profile(captioned.histograms_of(entries), captioned.pictures_of(entries), captioned.examples_of(entries))
    declared = declared_schema(read_manifest(manifest))
    classes = {each.name: each.classes for each in facts.columns(metadata) if each.classes}
    rows = Rows(named, paths, declared, classes)
    found = spreads.histograms_of(rows), gallery.pictures_of(rows), examples.examples_of(rows)
    return Profile(*found, spreads.left_out(rows))

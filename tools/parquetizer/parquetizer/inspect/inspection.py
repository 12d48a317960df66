"""Propose a dataset for all raw files: its kind by what most of the bytes are."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from stage.errors import EmptyInput, UsageError
from stage.progress import progress
from stage.redaction import listed

from parquetizer.inspect.media import METADATA, inspect_media
from parquetizer.inspect.proposal import Proposal
from parquetizer.inspect.raw_items import Item, Items, list_items
from parquetizer.inspect.tables import inspect_tables

MEDIA: Final = ("image", "audio")
PASSES: Final = 2


def inspect_raw(raw: Path) -> Proposal:
    """Read all files in ``raw``, and propose how to make a dataset of them.

    Raises UsageError if they are of several tables or of no supported format, EmptyInput without any, and the errors
    of the readers for damaged files.
    """
    items = list_items(raw)
    if not items:
        raise EmptyInput(raw, "no files", "check that the source sent them")
    has_media = any(item.kind in MEDIA for item in items)
    sizes: Counter[str] = Counter()
    for item in items:
        if not item.is_about and not (has_media and item.path.rpartition("/")[2] in METADATA):
            sizes[item.kind] += item.size
    kind = max(sizes or {"document": 1}, key=lambda kind: sizes[kind])
    if kind == "other":
        names = listed([item.path for item in items if item.kind == kind], 3)
        fix = "convert them to CSV, JSON lines or Parquet; or make new KIND= for another kind"
        raise UsageError("FROM", f"unsupported format: {names}", fix)
    if kind in MEDIA:
        return inspect_media(raw, items, kind)
    if kind == "document":
        return _documents(items)
    data = [item for item in items if item.kind == kind and not item.is_about]
    with progress(f"inspecting {len(data)} files", PASSES * sizes[kind], "bytes") as advance:
        return inspect_tables(Items(raw, data, advance), kind)


def _documents(items: Sequence[Item]) -> Proposal:
    """Propose text files of the usual suffix, each of which is a sample."""
    (suffix, count), *_ = Counter(item.suffix for item in items if item.kind == "document").most_common(1)
    reason = f"{count:,} of {len(items):,} files end with {suffix}; each is a sample"
    return Proposal("documents", count, (), {"suffix": suffix}, {"suffix": reason})

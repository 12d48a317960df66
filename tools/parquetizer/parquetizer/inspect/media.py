"""Propose how to read images or audio: their labels and splits by the names of folders, or by metadata beside them."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from parquetizer.inspect.labels import SPLIT_ORDER, SPLITS
from parquetizer.inspect.proposal import Proposal, ProposedColumn
from parquetizer.inspect.raw_items import Item, Items
from parquetizer.inspect.tables import READERS

FILE_NAME: Final = "file_name"  # the column of metadata with the path of a file
METADATA: Final = ("metadata.csv", "metadata.jsonl", "metadata.parquet")
MAX_CLASSES: Final = 1000


def inspect_media(raw: Path, items: Sequence[Item], media: str) -> Proposal:
    """Propose the dataset that the files of one kind of media are; ``items`` has all files."""
    files = [item for item in items if item.kind == media]
    root = _common_root([item.path for item in files])
    below = [item.path.removeprefix(root).split("/") for item in files]
    splits = {parts[0] for parts in below if len(parts) > 1}
    has_splits = len(splits) > 1 and splits <= {*SPLITS} and all(len(parts) > 1 for parts in below)
    folders = [parts[-2] if len(parts) > 1 + has_splits else "" for parts in below]
    settings: dict[str, Any] = {"media": media, "inputs": _inputs(files, root)}
    reasons = {
        "media": f"{len(files):,} files: "
        + ", ".join(f"{count:,} {suffix}" for suffix, count in Counter(item.suffix for item in files).most_common(5))
    }
    columns = [ProposedColumn(media, media, "the files")]
    if has_splits:
        settings["split-folders"] = True
        counts = Counter(parts[0] for parts in below)
        reasons["split-folders"] = ", ".join(f"{count:,} in {split}/" for split, count in counts.items())
    classes = sorted({*folders})
    metadata = [item for item in items if item.path.rpartition("/")[2] in METADATA]
    if metadata:
        name = metadata[0].path.rpartition("/")[2]
        settings |= {"labels": "metadata", "metadata": name}
        reasons["labels"] = f"{name} is beside the files"
        table = READERS[metadata[0].kind](Items(raw, [item for item in metadata if item.path.endswith(name)]))
        columns += [column for column in table.columns if column.name != FILE_NAME]
    elif all(folders) and 2 <= len(classes) <= min(MAX_CLASSES, len(files) // 2):
        settings["labels"] = "folder"
        sizes = sorted(Counter(folders).values())
        reasons["labels"] = f"each file is in the folder of one of {len(classes)} classes"
        span = f"{sizes[0]:,} to " if sizes[0] < sizes[-1] else ""
        what = f"{span}{sizes[-1]:,} files of each"
        columns.append(ProposedColumn("label", "int64", what, classes=tuple(classes)))
    names = tuple(sorted(splits, key=lambda split: SPLIT_ORDER.index(SPLITS[split]))) if has_splits else ("train",)
    return Proposal("files", len(files), tuple(columns), settings, reasons, names)


def _inputs(files: Sequence[Item], root: str) -> list[dict[str, str]]:
    """Return an input for each archive, or for the folder, and suffix."""
    inputs: dict[tuple[str, ...], None] = {}
    for item in files:
        suffix = item.path[item.path.rindex(".") :]
        inputs[(item.file, f"{root}**/*{suffix}") if item.member else (f"{root}**/*{suffix}",)] = None
    return [dict(zip(("file", "members"), one, strict=False)) for one in inputs]


def _common_root(paths: Sequence[str]) -> str:
    """Return the folder, with a slash, that all paths begin with, but not that of a class or a split."""
    parts = [path.split("/")[:-1] for path in paths]
    root: list[str] = []
    for level in zip(*parts, strict=False):
        if len({*level}) > 1 or level[0] in SPLITS:
            break
        root.append(level[0])
    return "".join(f"{folder}/" for folder in root)

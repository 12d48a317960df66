"""Propose how to read files of one format as a table, with splits by their names or by a column."""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from typing import Any, Final

from parquetizer.inspect.columnar_table import inspect_columnar
from parquetizer.inspect.csv_table import inspect_csv
from parquetizer.inspect.json_table import inspect_json
from parquetizer.inspect.labels import SPLIT_ORDER, split_of
from parquetizer.inspect.proposal import Proposal, Table
from parquetizer.inspect.raw_items import Item, Items
from parquetizer.raw.globs import is_pattern

LISTED: Final = 20  # files; more are a pattern
READERS: Final[dict[str, Callable[[Items], Table]]] = {
    "csv": inspect_csv,
    "json": inspect_json,
    "parquet": inspect_columnar,
    "arrow": inspect_columnar,
}


def inspect_tables(files: Items, kind: str) -> Proposal:
    """Propose the table that files of one format are. Raises what the readers of the format do."""
    table = READERS[kind](files)
    items = files.items
    splits = [split_of(item.path) for item in items]
    has_splits = all(splits) and len({*splits}) > 1
    columns = table.columns
    reasons = {"format": _by_suffix(items)}
    settings: dict[str, Any] = {"format": kind, "inputs": _inputs(items, splits if has_splits else None)}
    names: list[str] = [name for name in SPLIT_ORDER if name in splits] if has_splits else []
    if has_splits:
        counts = Counter(splits)
        reasons["inputs"] = "splits by name: " + ", ".join(f"{counts[name]} files in {name}" for name in names)
    elif table.split_column:
        names = list(table.split_values)
        settings["split-column"] = table.split_column
        others = tuple(column for column in columns if column.name != table.split_column)
        if table.split_column in table.settings.get("key", ()):
            what = "a column of the samples too, for the key"
        elif not others or table.settings.get("header") is False:
            what = "a column of the samples too, as columns are taken by position"
        else:
            columns, what = others, "no column of the samples, where it would be a feature, unless added to columns"
        reasons["split-column"] = f"all of its values are splits: {', '.join(names)}; {what}"
    elif table.group:
        reasons["group"] = table.group
    return Proposal(
        "table", table.rows, columns, {**settings, **table.settings}, {**reasons, **table.reasons}, tuple(names)
    )


def _by_suffix(items: Sequence[Item]) -> str:
    count = f"{len(items):,} files" if len(items) > 1 else "one file"
    return f"{count} of {sum(item.size for item in items):,} bytes"


def _inputs(items: Sequence[Item], splits: Sequence[str] | None) -> list[dict[str, str]]:
    """Return the inputs: each file, or a pattern for many that are beside each other and of one split.

    Inputs of train come first: what test has in common with it is then a leak into test.
    """
    listed: list[dict[str, str]] = []
    folders: dict[tuple[str, str], list[int]] = defaultdict(list)
    for number, item in enumerate(items):
        folders[item.file if item.member else "", item.path.rpartition("/")[0]].append(number)
    for (archive, folder), numbers in folders.items():
        of_one_split = not splits or len({splits[number] for number in numbers}) == 1
        endings = {items[number].path.rpartition("/")[2].partition(".")[2] for number in numbers}
        if len(numbers) > LISTED and of_one_split and len(endings) == 1 and not is_pattern(folder):
            paths = [f"{folder}/*.{endings.pop()}".lstrip("/")]
        else:
            paths = [items[number].path for number in numbers]
        for path, number in zip(paths, numbers, strict=False):
            one = {"file": archive, "members": path} if archive else {"file": path}
            listed.append(one | ({"split": splits[number]} if splits else {}))
    return sorted(listed, key=lambda one: SPLIT_ORDER.index(one["split"])) if splits else listed

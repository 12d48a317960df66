"""Recognise labels, and the values of a column that names the split of its row."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

LABELS: Final = re.compile(
    r"(?i)(.*[_ .-])?(labels?|class(es)?|target|category|species|sentiment|emotion|intent|outcome)"
)
MAX_CLASSES: Final = 100
ROWS_PER_CLASS: Final = 3  # on average; below that the values are not a set that a model could learn
SPLITS: Final = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "dev", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
SPLIT_ORDER: Final = ("train", "validation", "test")
SPLIT_COLUMNS: Final = {"split", "set", "subset", "partition", "fold", "usage", "phase"}
WORDS: Final = re.compile(r"[a-z]+")


def classes_of(name: str, values: Iterable[str], rows: int) -> tuple[tuple[str, ...], str]:
    """Return the classes of a column of labels and the reason; none if its name is not that of labels.

    A column of another name keeps its strings without classes: a value that is new tomorrow would be an error.
    """
    classes = sorted(values)
    if not LABELS.fullmatch(name) or not 2 <= len(classes) <= MAX_CLASSES or rows < ROWS_PER_CLASS * len(classes):
        return (), ""
    return tuple(classes), f"labels: {rows:,} values of {len(classes)} classes"


def split_of(path: str) -> str:
    """Return the split that a path names, in a folder or in words of its file's name, or ""."""
    *folders, file = path.lower().split("/")
    words = WORDS.findall(file.partition(".")[0])
    for part in (*folders, *words[:1], *words[-1:]):
        if part in SPLITS:
            return SPLITS[part]
    return ""


def split_column(columns: Mapping[str, Sequence[str]]) -> str:
    """Return the column that names the split of its row, as ``split`` with train and test, or "".

    ``columns`` has the distinct strings of those that have few.
    """
    for name, values in columns.items():
        if name.lower() in SPLIT_COLUMNS and len(values) > 1 and "train" in values and {*values} <= {*SPLITS}:
            return name
    return ""

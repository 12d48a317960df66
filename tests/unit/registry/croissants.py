"""What mlcroissant reads, in Python's own types."""

from typing import Any

import mlcroissant


def records(found: mlcroissant.Dataset, name: str) -> list[dict[str, Any]]:
    """Return the records of a set, by the names of their fields without the split; white space in those is ``_``."""
    split = f"{name}/split"
    return [plain({key: value for key, value in each.items() if key != split}) for each in found.records(name)]


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key.rpartition("/")[2]: plain(each) for key, each in value.items()}
    return value

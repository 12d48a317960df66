"""What mlcroissant reads, in Python's own types."""

from typing import Any

import mlcroissant


def records(found: mlcroissant.Dataset, name: str) -> list[dict[str, Any]]:
    """Return the records of a set, by the names of their fields; white space in those is ``_``."""
    return [plain(record) for record in found.records(name)]


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, list):
        return [plain(each) for each in value]
    if isinstance(value, dict):
        return {key.rpartition("/")[2]: plain(each) for key, each in value.items()}
    return value

"""The rows of sources.csv, as far as the registry needs them; ``fetcher`` checks the file."""

import csv
import dataclasses
import io
import re
from collections.abc import Iterable
from pathlib import Path

from data_registry.stage.output import replacing

SOURCES = "sources.csv"
HEADER = ("name", "url", "sha256", "bytes")
LOCAL = "registry:"  # and the SHA-256: the URL of a file without a public address
SHA256 = re.compile(r"[0-9a-f]{64}")
SIZE = re.compile(r"[0-9]{1,18}")


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """A pinned file: its name in ``raw/``, one of its URLs, and what it must be."""

    name: str
    url: str
    sha256: str
    bytes: int

    @property
    def is_local(self) -> bool:
        """Say whether the file has no address outside the registry."""
        return self.url.startswith(LOCAL)


def read_rows(content: bytes) -> list[Row]:
    """Return the pinned rows of a sources.csv; invalid ones are left out."""
    rows = []
    try:
        for fields in csv.reader(io.StringIO(content.decode("utf-8", "replace"), newline="")):
            if len(fields) == len(HEADER) and SHA256.fullmatch(fields[2]) and SIZE.fullmatch(fields[3]):
                rows.append(Row(fields[0], fields[1], fields[2], int(fields[3])))
    except csv.Error:
        return []
    return rows


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write a sources.csv."""
    with replacing(path) as (temporary,), temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HEADER)
        writer.writerows(dataclasses.astuple(row) for row in rows)

"""Keep vectors by the hash of what they are of, so that what has not changed is not embedded again.

A folder of segments, each written once and never changed: writers do not meet, and readers trust nothing. A segment is
a header and records of one size: the key, the vector, and the CRC-32 of both. What is damaged is embedded again.
"""

import hashlib
import json
import logging
import secrets
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from stage.output import replacing

log = logging.getLogger(__name__)
MAGIC: Final = b"VECTORS1"
HEADER: Final = 16  # bytes: the magic, and the width of the vectors
SUFFIX: Final = ".vectors"
SEGMENTS: Final = 16  # that a folder may have before they are made one
MOST_DIMENSIONS: Final = 1 << 16


class VectorCache:
    """The vectors of one model at one precision; without a folder, it holds nothing."""

    def __init__(self, folder: Path | None, made_by: dict[str, str]) -> None:
        name = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:32]
        self._folder = (folder or Path()) / "vectors" / name
        self._is_kept = folder is not None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        """Return the vectors that are there, whole, of those wanted."""
        wanted, found = set(keys), {}
        for path in self._segments():
            for record in _records(path):
                key = record["key"].tobytes()
                if key in wanted and key not in found and _is_whole(record):
                    found[key] = record["vector"].copy()
        return found

    def put(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """Keep vectors; that it cannot be done is said, and is no failure."""
        if not self._is_kept or not keys:
            return
        records = np.zeros(len(keys), _record(vectors.shape[1]))
        records["key"] = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 32)
        records["vector"] = vectors
        for record in records:
            record["crc"] = _crc(record)
        try:
            self._write(records)
            self._merge(vectors.shape[1])
        except OSError as error:
            log.warning("the cache %s takes no more: %s", self._folder, error.strerror)

    def _write(self, records: npt.NDArray[np.void]) -> None:
        width = records["vector"].shape[1]
        with replacing(self._folder / f"{secrets.token_hex(8)}{SUFFIX}") as (temporary,):
            temporary.write_bytes(MAGIC + width.to_bytes(8, "little") + records.tobytes())

    def _merge(self, width: int) -> None:
        """Make many segments one. A neighbour that reads them meanwhile misses some, and embeds those again."""
        paths = self._segments()
        if len(paths) <= SEGMENTS:
            return
        kept: dict[bytes, Any] = {}
        for path in paths:
            for record in _records(path):
                if record["vector"].shape == (width,) and _is_whole(record):
                    kept[record["key"].tobytes()] = record
        self._write(np.array([kept[key] for key in sorted(kept)], _record(width)))
        for path in paths:
            path.unlink(missing_ok=True)

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob(f"[!.]*{SUFFIX}")) if self._is_kept else []


def key_of(text: str) -> bytes:
    """Return what a vector is kept by: the SHA-256 of the text that the model is given."""
    return hashlib.sha256(text.encode()).digest()


def _record(width: int) -> np.dtype[np.void]:
    return np.dtype([("key", "u1", 32), ("vector", "<f4", width), ("crc", "<u4")])


def _records(path: Path) -> npt.NDArray[np.void]:
    """Return the records of a segment; none where it is damaged, gone or unreadable."""
    try:
        data = path.read_bytes()
    except OSError:
        return np.empty(0, _record(1))
    width = int.from_bytes(data[8:16], "little")
    if len(data) < HEADER or not data.startswith(MAGIC) or not 0 < width <= MOST_DIMENSIONS:
        return np.empty(0, _record(1))
    kind = _record(width)
    return np.frombuffer(data, kind, (len(data) - HEADER) // kind.itemsize, HEADER)


def _crc(record: Any) -> int:
    return zlib.crc32(record["vector"].tobytes(), zlib.crc32(record["key"].tobytes()))


def _is_whole(record: Any) -> bool:
    return _crc(record) == int(record["crc"])

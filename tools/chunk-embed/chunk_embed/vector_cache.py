"""A cache of vectors by the hash of the model input, so that unchanged chunks are not embedded again.

A folder of segments that are written once and never changed, so that writers need no lock. A segment is a header and
fixed-size records: key, vector, and CRC-32 of both. Damaged records are ignored, and embedded again.
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
HEADER: Final = 16  # bytes: MAGIC, and the dimension of the vectors
SUFFIX: Final = ".vectors"
MAX_SEGMENTS: Final = 16  # before they are merged
MAX_DIMENSION: Final = 1 << 16


class VectorCache:
    """The vectors of one model at one precision; always empty without a folder."""

    def __init__(self, folder: Path | None, made_by: dict[str, str]) -> None:
        name = hashlib.sha256(json.dumps(made_by, sort_keys=True).encode()).hexdigest()[:32]
        self._folder = folder / "vectors" / name if folder else None

    def get(self, keys: Sequence[bytes]) -> dict[bytes, npt.NDArray[np.float32]]:
        """Return the vectors of those keys that are in the cache."""
        missing, vectors = set(keys), {}
        for path in self._segments():
            for record in _records(path):
                key = record["key"].tobytes()
                if key in missing and _is_valid(record):
                    missing.remove(key)
                    vectors[key] = record["vector"].copy()
        return vectors

    def put(self, keys: Sequence[bytes], vectors: npt.NDArray[np.float32]) -> None:
        """Add vectors, shape (keys, dimension); a failure to write is a warning, not an error."""
        if not self._folder or not keys:
            return
        records = np.zeros(len(keys), _record_type(vectors.shape[1]))
        records["key"] = np.frombuffer(b"".join(keys), np.uint8).reshape(-1, 32)
        records["vector"] = vectors
        for record in records:
            record["crc"] = _crc(record)
        try:
            self._write(self._folder, records)
            self._merge(self._folder, vectors.shape[1])
        except OSError as error:
            log.warning("cannot write to the cache %s: %s", self._folder, error.strerror)

    def _write(self, folder: Path, records: npt.NDArray[np.void]) -> None:
        dimension = records["vector"].shape[1]
        with replacing(folder / f"{secrets.token_hex(8)}{SUFFIX}") as (temporary,):
            temporary.write_bytes(MAGIC + dimension.to_bytes(8, "little") + records.tobytes())

    def _merge(self, folder: Path, dimension: int) -> None:
        """Merge many segments into one. A process that reads them meanwhile may miss vectors, and embeds them again."""
        paths = self._segments()
        if len(paths) <= MAX_SEGMENTS:
            return
        merged: dict[bytes, Any] = {}
        for path in paths:
            for record in _records(path):
                if record["vector"].shape == (dimension,) and _is_valid(record):
                    merged[record["key"].tobytes()] = record
        self._write(folder, np.array([merged[key] for key in sorted(merged)], _record_type(dimension)))
        for path in paths:
            path.unlink(missing_ok=True)

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob(f"[!.]*{SUFFIX}")) if self._folder else []


def vector_key(model_input: str) -> bytes:
    """Return the key of a vector: the SHA-256 of the text that the model is given."""
    return hashlib.sha256(model_input.encode()).digest()


def _record_type(dimension: int) -> np.dtype[np.void]:
    return np.dtype([("key", "u1", 32), ("vector", "<f4", dimension), ("crc", "<u4")])


def _records(path: Path) -> npt.NDArray[np.void]:
    """Return the records of a segment; none if it is damaged, gone or unreadable."""
    try:
        data = path.read_bytes()
    except OSError:
        return np.empty(0, _record_type(1))
    dimension = int.from_bytes(data[8:16], "little")
    if len(data) < HEADER or not data.startswith(MAGIC) or not 0 < dimension <= MAX_DIMENSION:
        return np.empty(0, _record_type(1))
    record_type = _record_type(dimension)
    return np.frombuffer(data, record_type, (len(data) - HEADER) // record_type.itemsize, HEADER)


def _crc(record: Any) -> int:
    return zlib.crc32(record["vector"].tobytes(), zlib.crc32(record["key"].tobytes()))


def _is_valid(record: Any) -> bool:
    return _crc(record) == int(record["crc"])

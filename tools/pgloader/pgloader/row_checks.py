"""Check rows for what the database would refuse, or would store and never find."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import BadRows, SchemaMismatch

TEXTS: Final = ("id", "content", "source_repo", "source_file", "doc_id", "section_h1", "section_h2", "section_h3")
REPEATED: Final = [*TEXTS[2:]]  # read as dictionaries: each value is read, checked and encoded once
NOT_NULL: Final = ("id", "content", "source_repo", "source_file", "doc_id", "chunk_index", "embedding")
UUID: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
MAX_CONTENT: Final = 1 << 20  # bytes; a tsvector cannot be longer
RERUN: Final = "run chunk-embed again"


class RowChecks:
    """Checks the batches of one file; messages name rows, counted from 1."""

    def __init__(self, path: Path, dimension: int) -> None:
        self._path, self._dimension = path, dimension
        self._first_row = 1  # of the next batch
        self._ids: set[str] = set()

    def check(self, batch: pa.RecordBatch) -> None:
        """Raise BadRows or SchemaMismatch for the first invalid row."""
        for name in NOT_NULL:
            if batch[name].null_count:
                kind = SchemaMismatch if name == "embedding" else BadRows
                self._refuse(pc.is_null(batch[name]), kind, f"{name} is null")
        for name in TEXTS:
            self._check_text(name, batch[name])
        self._check_ids(batch["id"])
        self._check_vectors(batch["embedding"])
        self._first_row += len(batch)

    def _check_text(self, name: str, column: pa.Array) -> None:
        if pa.types.is_dictionary(column.type):
            if _is_valid_text(column.dictionary):
                return
            column = column.cast(pa.string())  # to find the row
        try:
            column.validate(full=True)  # reading Parquet does not check for UTF-8
        except pa.ArrowInvalid:
            invalid = [value is not None and not _is_utf8(value) for value in column.cast(pa.binary()).to_pylist()]
            self._refuse(pa.array(invalid), BadRows, f"{name} is not valid UTF-8")
        self._refuse(pc.match_substring(column, "\0"), BadRows, f"{name} contains a NUL character")
        if name == "content":
            too_long = pc.greater(pc.binary_length(column), MAX_CONTENT)
            self._refuse(too_long, BadRows, f"content is longer than {MAX_CONTENT} bytes")

    def _check_ids(self, column: pa.Array) -> None:
        self._refuse(pc.invert(pc.match_substring_regex(column, UUID)), BadRows, "id is not a lower-case UUID")
        ids = column.to_pylist()
        unique_ids = set(ids)
        if len(unique_ids) < len(ids) or not unique_ids.isdisjoint(self._ids):
            repeated = [value in self._ids or value in ids[:index] for index, value in enumerate(ids)]
            self._refuse(pa.array(repeated), BadRows, "duplicate id")
        self._ids |= unique_ids

    def _check_vectors(self, vectors: pa.Array) -> None:
        if vectors.flatten().null_count:
            has_null = pa.array([None in vector for vector in vectors.to_pylist()])
            self._refuse(has_null, SchemaMismatch, "embedding contains a null")
        with np.errstate(over="ignore", invalid="ignore"):
            numbers = matrix(vectors, self._dimension)
            norms = np.einsum("ij,ij->i", numbers, numbers)  # in float32, as pgvector computes them
        if not np.isfinite(norms).all():
            self._refuse(pa.array(np.isnan(norms)), SchemaMismatch, "embedding contains NaN")
            infinite = "embedding is infinite, or its norm overflows float32"
            self._refuse(pa.array(np.isinf(norms)), SchemaMismatch, infinite)
        zero = "embedding has norm 0 in float32, so no cosine search finds it"
        self._refuse(pa.array(norms == 0), SchemaMismatch, zero)

    def _refuse(self, invalid: pa.Array, kind: type[BadRows | SchemaMismatch], what: str) -> None:
        if (index := pc.index(invalid, True).as_py()) >= 0:
            raise kind(f"{self._path}:{self._first_row + index}", what, RERUN)


def matrix(vectors: pa.Array, dimension: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Return vectors without nulls as an array of shape (rows, dimension)."""
    numbers: np.ndarray[Any, np.dtype[np.float32]] = vectors.flatten().to_numpy()
    return numbers.reshape(-1, dimension)


def _is_valid_text(column: pa.Array) -> bool:
    """Return whether all values are valid UTF-8 without NUL."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return not pc.any(pc.match_substring(column, "\0")).as_py()


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True

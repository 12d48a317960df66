"""Refuse rows that the database would refuse, or take and never find again."""

from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from stage.errors import BadRows, SchemaMismatch

TEXTS: Final = ("id", "content", "source_repo", "source_file", "doc_id", "section_h1", "section_h2", "section_h3")
REPEATED: Final = [*TEXTS[2:]]  # the same in many rows: each value is read, checked and written once
NEVER_NULL: Final = ("id", "content", "source_repo", "source_file", "doc_id", "chunk_index", "embedding")
UUID: Final = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
LONGEST: Final = 1 << 20  # bytes of a content; of longer ones no full text index can be made
REMAKE: Final = "run chunk-embed again"


class RowChecks:
    """Checks batches of one file; a message names the row, counted from 1."""

    def __init__(self, path: Path, dimension: int) -> None:
        self._path, self._dimension = path, dimension
        self._row = 1  # the first of the next batch
        self._ids: set[str] = set()

    def check(self, batch: pa.RecordBatch) -> None:
        """Raise BadRows or SchemaMismatch for the first row that should not be loaded."""
        for name in NEVER_NULL:
            if batch[name].null_count:
                kind = SchemaMismatch if name == "embedding" else BadRows
                self._refuse(pc.is_null(batch[name]), kind, f"{name} is missing")
        for name in TEXTS:
            self._check_text(name, batch[name])
        self._check_ids(batch["id"])
        self._check_vectors(batch["embedding"])
        self._row += len(batch)

    def _check_text(self, name: str, column: pa.Array) -> None:
        if pa.types.is_dictionary(column.type):
            if _is_text(column.dictionary):
                return
            column = column.cast(pa.string())  # to say which row
        try:
            column.validate(full=True)  # reading Parquet does not
        except pa.ArrowInvalid:
            faulty = [value is not None and not _is_utf8(value) for value in column.cast(pa.binary()).to_pylist()]
            self._refuse(pa.array(faulty), BadRows, f"{name} is not UTF-8")
        self._refuse(pc.match_substring(column, "\0"), BadRows, f"{name} holds a NUL character")
        if name == "content":
            self._refuse(pc.greater(pc.binary_length(column), LONGEST), BadRows, f"content has over {LONGEST} bytes")

    def _check_ids(self, column: pa.Array) -> None:
        self._refuse(pc.invert(pc.match_substring_regex(column, UUID)), BadRows, "id is no UUID in lower case")
        ids = column.to_pylist()
        different = set(ids)
        if len(different) < len(ids) or not different.isdisjoint(self._ids):
            again = [value in self._ids or value in ids[:at] for at, value in enumerate(ids)]
            self._refuse(pa.array(again), BadRows, "id is that of an earlier row, too")
        self._ids |= different

    def _check_vectors(self, vectors: pa.Array) -> None:
        if vectors.flatten().null_count:
            faulty = pa.array([None in vector for vector in vectors.to_pylist()])
            self._refuse(faulty, SchemaMismatch, "embedding lacks a number")
        numbers = matrix(vectors, self._dimension)
        with np.errstate(over="ignore", invalid="ignore"):
            norms = np.einsum("ij,ij->i", numbers, numbers)  # in float32, as pgvector has them
        if not np.isfinite(norms).all():
            self._refuse(pa.array(np.isnan(norms)), SchemaMismatch, "embedding holds NaN")
            self._refuse(pa.array(np.isinf(norms)), SchemaMismatch, "embedding is infinite, or too long for float32")
        self._refuse(pa.array(norms == 0), SchemaMismatch, "embedding is zero, which no search by cosine finds")

    def _refuse(self, faulty: pa.Array, kind: type[BadRows | SchemaMismatch], what: str) -> None:
        if (first := pc.index(faulty, True).as_py()) >= 0:
            raise kind(f"{self._path}:{self._row + first}", what, REMAKE)


def _is_text(column: pa.Array) -> bool:
    """Say whether no value is other than UTF-8 without NUL."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return not pc.any(pc.match_substring(column, "\0")).as_py()


def matrix(vectors: pa.Array, dimension: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Return vectors, none of which lacks a number, as rows."""
    numbers: np.ndarray[Any, np.dtype[np.float32]] = vectors.flatten().to_numpy()
    return numbers.reshape(-1, dimension)


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True

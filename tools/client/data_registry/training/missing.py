"""Which empty texts of a CSV file are missing: the file does not say it, but the manifest's content hashes do."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data_registry.samples import digests, encode

COLUMNS = 6  # with empty texts, of which every combination is tried


def with_missing(table: pa.Table, manifest: Path, file: str) -> pa.Table:
    """Return the rows of a CSV file, each with those of its empty texts missing by which it has its content hash.

    A row that has it in no way stays as it is, and so does a table of more than six columns with empty texts.
    """
    is_empty = {
        name: pc.equal(table[name], "")
        for name, field in zip(table.column_names, table.schema, strict=True)
        if pa.types.is_string(field.type) and pc.any(pc.equal(table[name], "")).as_py()
    }
    if not 0 < len(is_empty) <= COLUMNS:
        return table
    found = pq.read_table(manifest, columns=["content_hash", "file", "row"], filters=[("file", "=", file)])
    hashes = found.sort_by("row")["content_hash"].combine_chunks()
    chosen = np.any([each.to_numpy() for each in is_empty.values()], axis=0)
    places = np.flatnonzero(chosen)
    rows, wanted = table.filter(pa.array(chosen)), hashes.take(pa.array(places)).to_pylist()
    missing = {name: np.zeros(table.num_rows, bool) for name in is_empty}
    left = np.ones(len(places), bool)
    for names in (names for size in range(len(is_empty) + 1) for names in combinations(is_empty, size)):
        tried = pa.table({n: _emptied(rows[n]) if n in names else rows[n] for n in rows.column_names})
        (batch,) = tried.combine_chunks().to_batches()
        right = left & np.array([a.tobytes() == b for a, b in zip(digests(encode(batch)), wanted, strict=True)])
        for name in names:
            missing[name][places[right]] = True
        left &= ~right
        if not left.any():
            break
    for name, lacks in missing.items():
        values = pc.if_else(pa.array(lacks & is_empty[name].to_numpy()), None, table[name])
        table = table.set_column(table.column_names.index(name), table.field(name), values)
    return table


def _emptied(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)

"""Read the samples of a dataset from its files: Parquet, CSV, annotated images, or whole documents."""

from collections.abc import Iterable, Mapping
from itertools import combinations
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from data_registry.samples import Manifest, digests, encode, read_manifest
from data_registry.stage.errors import CorruptFile
from data_registry.stage.foreign import MAX_BYTES, read_json

ENTRIES = [{"image": str, "conversations": [{"from": str, "value": str}]}]
BLOCK = 1 << 22  # bytes of CSV read at once: stats lets no row be longer

MAX_COLUMNS = 6  # with empty texts, of which every combination is tried


def read_samples(files: Iterable[str], paths: Mapping[str, Path], manifest: Path) -> pa.Table:
    """Return the samples of files in their order; empty texts of CSV files that are null by the manifest are null.

    Raises CorruptFile for a file that does not hold what the manifest declares.
    """
    schema = declared_schema(read_manifest(manifest))
    tables = ((file, read_table([file], paths, schema)) for file in files)
    return pa.concat_tables(
        with_nulls(table, manifest, file) if file.endswith(".csv") else table for file, table in tables
    )


def schema_of(file: str, paths: Mapping[str, Path], manifest: Path) -> pa.Schema:
    """Return the columns that ``read_samples`` gives of a file."""
    schema = declared_schema(read_manifest(manifest))
    if file.endswith(".parquet"):
        for field in pq.read_schema(paths[file]):
            schema = schema if field.name in schema.names else schema.append(field)
    return schema


def declared_schema(manifest: Manifest) -> pa.Schema:
    """Return the columns that a manifest declares. Raises CorruptFile for a type that is unknown."""
    try:
        return manifest.schema
    except ValueError as error:
        raise CorruptFile(manifest.path, f"invalid: {error}", "build and release it again") from error


def are_as_declared(files: Iterable[str], paths: Mapping[str, Path], manifest: Path) -> bool:
    """Say whether files are Parquet files whose columns have the types that the manifest declares."""
    declared = {field.name: field.type for field in declared_schema(read_manifest(manifest))}
    for file in files:
        types = {field.name: field.type for field in pq.read_schema(paths[file])} if file.endswith(".parquet") else {}
        if any(types.get(name) != kind for name, kind in declared.items()):
            return False
    return True


def read_table(files: Iterable[str], paths: Mapping[str, Path], schema: pa.Schema) -> pa.Table:
    """Return the samples of files in their order, with the columns of a schema, that of their manifest.

    Parquet files may have more, as the vectors of embedded chunks are, which come along.
    ``paths`` says where each file is, and the images that an ``annotations.json`` names beside it.
    Raises CorruptFile for a file that does not hold those.
    """
    tables = []
    for file in files:
        try:
            table = _read(file, paths, schema)
            declared = table.select(schema.names).cast(schema)
            for name in table.column_names:
                if file.endswith(".parquet") and name not in schema.names:
                    declared = declared.append_column(table.field(name), table[name])
            tables.append(declared)
        except (ValueError, KeyError, pa.ArrowException) as error:
            what = f"does not match the columns that its manifest declares: {error}"
            raise CorruptFile(file, what, "get the release again") from error
    return pa.concat_tables(tables)


def _read(file: str, paths: Mapping[str, Path], schema: pa.Schema) -> pa.Table:
    path = paths[file]
    if file.endswith(".parquet"):
        with pq.ParquetFile(path, page_checksum_verification=True) as parquet:
            return parquet.read()
    if file.endswith(".csv"):
        options = pa_csv.ConvertOptions(column_types=schema, strings_can_be_null=False)
        parse = pa_csv.ParseOptions(newlines_in_values=True)
        return pa_csv.read_csv(path, pa_csv.ReadOptions(block_size=BLOCK), parse, options)
    if file.endswith("/annotations.json"):
        return _annotated(file, paths, schema)
    name = file.partition("/")[2]  # below raw/
    return pa.table({"name": [name], "text": [path.read_bytes().decode()]}, schema=schema)


def _annotated(file: str, paths: Mapping[str, Path], schema: pa.Schema) -> pa.Table:
    folder = f"{file.rpartition('/')[0]}/images"
    content = paths[file].read_bytes()
    entries = read_json(content, file, ENTRIES, fix="get the release again", limit=max(MAX_BYTES, len(content)))
    images = [paths[f"{folder}/{entry['image']}"].read_bytes() for entry in entries]
    return pa.table({"image": images, "conversations": [entry["conversations"] for entry in entries]}, schema=schema)


def with_nulls(table: pa.Table, manifest: Path, file: str) -> pa.Table:
    """Return the rows of a CSV file, each with those of its empty texts null by which it has its content hash.

    The file itself does not say which are null. A row that matches its hash in no way stays as it is, and so does a
    table of more than six columns with empty texts.
    """
    is_empty = {
        name: pc.equal(table[name], "")
        for name, field in zip(table.column_names, table.schema, strict=True)
        if pa.types.is_string(field.type) and pc.any(pc.equal(table[name], "")).as_py()
    }
    if not 0 < len(is_empty) <= MAX_COLUMNS:
        return table
    samples = pq.read_table(manifest, columns=["content_hash", "file", "row"], filters=[("file", "=", file)])
    hashes = samples.sort_by("row")["content_hash"].combine_chunks()
    has_empty = np.any([mask.to_numpy() for mask in is_empty.values()], axis=0)
    row_numbers = np.flatnonzero(has_empty)
    rows, expected = table.filter(pa.array(has_empty)), hashes.take(pa.array(row_numbers)).to_pylist()
    is_null = {name: np.zeros(table.num_rows, bool) for name in is_empty}
    unmatched = np.ones(len(row_numbers), bool)
    for names in (names for size in range(len(is_empty) + 1) for names in combinations(is_empty, size)):
        candidate = pa.table({name: _nulled(rows[name]) if name in names else rows[name] for name in rows.column_names})
        (batch,) = candidate.combine_chunks().to_batches()
        actual = digests(encode(batch))
        matched = unmatched & np.array([a.tobytes() == b for a, b in zip(actual, expected, strict=True)])
        for name in names:
            is_null[name][row_numbers[matched]] = True
        unmatched &= ~matched
        if not unmatched.any():
            break
    for name, mask in is_null.items():
        values = pc.if_else(pa.array(mask & is_empty[name].to_numpy()), None, table[name])
        table = table.set_column(table.column_names.index(name), table.field(name), values)
    return table


def _nulled(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)

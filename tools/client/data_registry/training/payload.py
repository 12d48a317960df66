"""Read the samples of a dataset from its files: Parquet, CSV, annotated images, or whole documents."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from data_registry.stage.errors import CorruptFile
from data_registry.stage.foreign import MAX_BYTES, read_json
from data_registry.training.arrow_types import parse_type

ENTRIES = [{"image": str, "conversations": [{"from": str, "value": str}]}]
BLOCK = 1 << 22  # bytes of CSV read at once: stats lets no row be longer


def read_table(files: Iterable[str], paths: Mapping[str, Path], columns: list[list[str]]) -> pa.Table:
    """Return the samples of files in their order, with the columns that the manifest declares.

    Parquet files may have more, as the vectors of embedded chunks are, which come along.
    ``paths`` says where each file is, and the images that an ``annotations.json`` names beside it.
    Raises CorruptFile for a file that does not hold those.
    """
    schema = pa.schema([(name, parse_type(kind)) for name, kind in columns])
    tables = []
    for file in files:
        try:
            found = _read(file, paths, schema)
            declared = found.select(schema.names).cast(schema)
            for name in found.column_names:
                if file.endswith(".parquet") and name not in schema.names:
                    declared = declared.append_column(found.field(name), found[name])
            tables.append(declared)
        except (ValueError, KeyError, pa.ArrowException) as error:
            raise CorruptFile(
                file, f"does not hold what its manifest says: {error}", "get the release again"
            ) from error
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

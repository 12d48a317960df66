"""Read the manifest of processed files, and make sure that it is of these very bytes."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from samples import Manifest, read_manifest
from stage.errors import ChecksumMismatch, CorruptFile, InputMissing, SchemaMismatch
from stage.progress import progress

NAMED = 20  # columns that a message names
CORRUPT = (OSError, ValueError, KeyError, pa.ArrowException)  # what a broken Parquet file makes pyarrow raise


def checked_manifest(samples: Path, *files: Path) -> Manifest:
    """Read a manifest and hash every file that it names, which must be among ``files`` or below one of them.

    Raises InputMissing, CorruptFile, or ChecksumMismatch where the two do not belong together.
    """
    for path in (samples, *files):
        if not path.exists():
            raise InputMissing(path, "no such file", "run the parquetizer")
    try:
        manifest = read_manifest(samples)
    except CORRUPT as error:
        raise CorruptFile(samples, f"not a whole manifest: {error}", "run the parquetizer again") from error
    for path in files:
        if not any(path == Path(name) or path in Path(name).parents for name in manifest.files):
            raise ChecksumMismatch(path, f"is not the file that {samples} describes", "run the parquetizer again")
    with progress("checking", len(manifest.files), "files") as advance:
        for name, wanted in manifest.files.items():
            if not any(path == Path(name) or path in Path(name).parents for path in files):
                raise ChecksumMismatch(samples, f"describes {name}, which was not given", "run the parquetizer again")
            if not Path(name).is_file():
                raise InputMissing(name, "no such file", "run the parquetizer")
            with Path(name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != wanted:
                raise ChecksumMismatch(name, f"is not the file that {samples} describes", "run the parquetizer again")
            advance(1)
    return manifest


def check_columns(where: Path, manifest: Manifest, schema: pa.Schema, fix: str = "correct dataset.columns") -> None:
    """Raise SchemaMismatch unless the samples have the declared columns."""
    declared = named(schema)
    if manifest.columns != declared:
        raise SchemaMismatch(
            where, f"its columns are {first_of(manifest.columns)}, declared are {first_of(declared)}", fix
        )


def check_count(manifest: Manifest, samples: int, path: Path, rows: int) -> None:
    """Raise CorruptFile unless the ``samples`` that a manifest has of a file are the ``rows`` that are in it."""
    if samples != rows:
        raise CorruptFile(manifest.path, f"{samples} samples for {rows} rows of {path}", "run the parquetizer again")


def first_of(columns: Sequence[object]) -> str:
    """Return columns for a message, the first of them where they are many."""
    more = f" and {len(columns) - NAMED} more" if len(columns) > NAMED else ""
    return f"{list(columns[:NAMED])}{more}"


def named(schema: pa.Schema) -> list[list[str]]:
    """Return a schema as manifests have it: names and Arrow types."""
    return [[field.name, str(field.type)] for field in schema]

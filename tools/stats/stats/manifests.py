"""Read the manifest of processed files, and verify the files against it."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
from samples import Manifest, read_manifest
from stage.errors import ChecksumMismatch, CorruptFile, InputMissing, SchemaMismatch
from stage.progress import progress

RERUN = "run the parquetizer again"
MAX_NAMES = 20  # columns in a message
CORRUPT = (OSError, ValueError, KeyError, pa.ArrowException)  # raised by pyarrow for a corrupt Parquet file


def verified_manifest(samples: Path, *files: Path) -> Manifest:
    """Read a manifest and verify the SHA-256 of every file in it; each must be one of ``files`` or below one.

    Raises InputMissing, CorruptFile, or ChecksumMismatch if manifest and files differ.
    """
    for path in (samples, *files):
        if not path.exists():
            raise InputMissing(path, "file not found", "run the parquetizer")
    try:
        manifest = read_manifest(samples)
    except CORRUPT as error:
        raise CorruptFile(samples, f"invalid manifest: {error}", RERUN) from error
    for path in files:
        if not any(path == Path(name) or path in Path(name).parents for name in manifest.files):
            raise ChecksumMismatch(path, f"not the file in the manifest {samples}", RERUN)
    with progress("verifying", len(manifest.files), "files") as advance:
        for name, expected in manifest.files.items():
            if not any(path == Path(name) or path in Path(name).parents for path in files):
                raise ChecksumMismatch(samples, f"contains {name}, which is not an input", RERUN)
            if not Path(name).is_file():
                raise InputMissing(name, "file not found", "run the parquetizer")
            with Path(name).open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
            if actual != expected:
                raise ChecksumMismatch(name, f"not the file in the manifest {samples}", RERUN)
            advance(1)
    return manifest


def check_columns(where: Path, manifest: Manifest, schema: pa.Schema, fix: str = "correct dataset.columns") -> None:
    """Raise SchemaMismatch unless the samples have the columns of the schema."""
    expected = names_and_types(schema)
    if manifest.columns != expected:
        what = f"expected columns {shortened(expected)}, got {shortened(manifest.columns)}"
        raise SchemaMismatch(where, what, fix)


def check_count(manifest: Manifest, samples: int, path: Path, rows: int) -> None:
    """Raise CorruptFile unless a manifest has as many ``samples`` of a file as the file has ``rows``."""
    if samples != rows:
        raise CorruptFile(manifest.path, f"{samples} samples for {rows} rows of {path}", RERUN)


def shortened(columns: Sequence[object]) -> str:
    """Return the first columns for a message, and how many more there are."""
    more = f" and {len(columns) - MAX_NAMES} more" if len(columns) > MAX_NAMES else ""
    return f"{list(columns[:MAX_NAMES])}{more}"


def names_and_types(schema: pa.Schema) -> list[list[str]]:
    """Return the columns of a schema in the form of manifests: names and Arrow types."""
    return [[field.name, str(field.type)] for field in schema]

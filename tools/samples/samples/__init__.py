"""Columns of samples, their canonical encoding, ids and hashes, and the manifest of a dataset (see README.md)."""

from .checks import Duplicates, find_duplicates
from .columns import Column, check_columns, schema_of
from .encoding import UnsupportedType, digests, encode
from .logical import logical_hash
from .manifest import Manifest, ManifestWriter, check_manifest, read_manifest

__all__ = [
    "Column",
    "Duplicates",
    "Manifest",
    "ManifestWriter",
    "UnsupportedType",
    "check_columns",
    "check_manifest",
    "digests",
    "encode",
    "find_duplicates",
    "logical_hash",
    "read_manifest",
    "schema_of",
]

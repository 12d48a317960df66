"""Columns of samples, their canonical encoding, ids and hashes, and the manifest of a dataset (see README.md)."""

from .arrow_types import parse_type, same_type, type_text
from .checks import Duplicates, Leak, find_duplicates, find_leaks
from .columns import Column, check_columns, schema_of
from .encoding import UnsupportedType, digests, encode
from .footer import Manifest
from .logical import logical_hash
from .manifest import ManifestWriter, check_manifest, read_manifest

__all__ = [
    "Column",
    "Duplicates",
    "Leak",
    "Manifest",
    "ManifestWriter",
    "UnsupportedType",
    "check_columns",
    "check_manifest",
    "digests",
    "encode",
    "find_duplicates",
    "find_leaks",
    "logical_hash",
    "parse_type",
    "read_manifest",
    "same_type",
    "schema_of",
    "type_text",
]

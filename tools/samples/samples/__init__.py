"""Sample identity: what makes two samples the same, and a data set the same (see README.md)."""

from .checks import Duplicates, find_duplicates
from .encoding import UnsupportedType, digests, encode
from .logical import logical_hash
from .manifest import Manifest, ManifestWriter, check_manifest, read_manifest

__all__ = [
    "Duplicates",
    "Manifest",
    "ManifestWriter",
    "UnsupportedType",
    "check_manifest",
    "digests",
    "encode",
    "find_duplicates",
    "logical_hash",
    "read_manifest",
]

"""Sample identity: what makes two samples the same, and a data set the same (see README.md)."""

from samples.encoding import UnsupportedType, digests, encode
from samples.logical import logical_hash
from samples.manifest import Manifest, ManifestWriter, read_manifest

__all__ = ["Manifest", "ManifestWriter", "UnsupportedType", "digests", "encode", "logical_hash", "read_manifest"]

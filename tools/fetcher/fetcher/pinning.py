"""Read a remote file to compute its pin, without storing it, and verify it against its git blob if there is one."""

import hashlib
from dataclasses import dataclass

from stage.errors import ChecksumMismatch, EmptyInput, PolicyViolation
from stage.redaction import safe_url

from fetcher.api import RETRY
from fetcher.download import Location, warn_if_compressed
from fetcher.failures import Limits, Transient, with_retries
from fetcher.sources import Pin

BLOCK = 1 << 20
POINTER = b"version https://git-lfs.github.com/spec/v1"  # what git has of a file that Git LFS stores elsewhere


@dataclass(frozen=True)
class Blob:
    """A file in git: the SHA-1 of its blob, and its size in bytes."""

    oid: str
    size: int


def compute_pin(location: Location, limits: Limits, where: str, blob: Blob | None = None) -> Pin:
    """Return the pin of the file at ``location``, which must be ``blob`` if that is given.

    Raises ChecksumMismatch for other bytes and for a Git LFS pointer, EmptyInput for an empty file, and PolicyViolation
    for one that exceeds ``limits``.
    """
    return with_retries(lambda: _read(location, limits, where, blob), limits, where, RETRY)


def _read(location: Location, limits: Limits, where: str, blob: Blob | None) -> Pin:
    limit = blob.size if blob else limits.max_bytes
    # https://git-scm.com/book/en/v2/Git-Internals-Git-Objects: the SHA-1 of "blob <size>\0" and the bytes
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % limit, usedforsecurity=False)
    size, head, block = 0, b"", memoryview(bytearray(BLOCK))
    body = location.open(None)
    warn_if_compressed(body, location, where)
    try:
        while read := body.readinto(block):
            limits.watchdog.check()
            size += read
            if size > limit:
                raise _too_large(location, where, blob, size, limit)
            sha256.update(block[:read])
            if blob:
                sha1.update(block[:read])
            head += bytes(block[: min(read, len(POINTER) - len(head))])
        if blob and size < blob.size and not body.framed:
            raise Transient(f"connection closed after {size} of {blob.size} bytes")
    finally:
        body.close()
    if size == 0:
        raise EmptyInput(where, f"{safe_url(location.url)} is an empty file", "remove it from params.yaml")
    if blob and (size, sha1.hexdigest()) != (blob.size, blob.oid):
        raise _mismatch(location, where, blob, f"{sha1.hexdigest()} ({size} bytes)")
    if head == POINTER:
        what = f"{safe_url(location.url)} is a Git LFS pointer, not the file"
        raise ChecksumMismatch(where, what, "contact the publisher of the source: store the file itself")
    return Pin(sha256.hexdigest(), size)


def _too_large(
    location: Location, where: str, blob: Blob | None, size: int, limit: int
) -> ChecksumMismatch | PolicyViolation:
    if blob:
        return _mismatch(location, where, blob, f"at least {size} bytes")
    return PolicyViolation(where, f"{safe_url(location.url)} is larger than {limit} bytes", "use a smaller file")


def _mismatch(location: Location, where: str, blob: Blob, got: str) -> ChecksumMismatch:
    what = (
        f"checksum mismatch for {safe_url(location.url)}: expected git blob {blob.oid} ({blob.size} bytes), got {got}"
    )
    return ChecksumMismatch(where, what, "run again; if it persists, remove the file from params.yaml")

"""Read a file where it is and keep only what pins it, checked against what git says of it where git has it."""

import hashlib
import logging
from dataclasses import dataclass

from stage.errors import ChecksumMismatch, EmptyInput, PolicyViolation
from stage.redaction import safe_url

from fetcher.api import AGAIN
from fetcher.body import Place
from fetcher.failures import Transient
from fetcher.retries import persistently
from fetcher.sources import Pin
from fetcher.transfer import Rules

log = logging.getLogger(__name__)
BLOCK = 1 << 20
POINTER = b"version https://git-lfs.github.com/spec/v1"  # what git has of a file that Git LFS keeps elsewhere


@dataclass(frozen=True)
class Blob:
    """A file as git knows it: the SHA-1 of its blob, and its size."""

    oid: str
    size: int


def pin(place: Place, rules: Rules, where: str, blob: Blob | None = None) -> Pin:
    """Return the pin of the file at ``place``, which must be ``blob``.

    Raises ChecksumMismatch for other bytes and for a Git LFS pointer, EmptyInput for none, and PolicyViolation for
    more than ``rules`` allow.
    """
    return persistently(
        lambda: _read(place, rules, where, blob), rules.tries, rules.backoff, rules.watch.sleep, where, AGAIN
    )


def _read(place: Place, rules: Rules, where: str, blob: Blob | None) -> Pin:
    limit = blob.size if blob else rules.limit
    # https://git-scm.com/book/en/v2/Git-Internals-Git-Objects: the SHA-1 of "blob <size>\0" and the bytes
    sha256, sha1 = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % limit, usedforsecurity=False)
    size, head, block = 0, b"", memoryview(bytearray(BLOCK))
    body = place.open(None)
    if body.encoding:
        log.warning(
            "%s: %s is sent compressed (Content-Encoding: %s), and pinned so",
            where,
            safe_url(place.url),
            body.encoding,
        )
    try:
        while got := body.readinto(block):
            rules.watch.check()
            size += got
            if size > limit:
                raise _too_much(place, where, blob, size, limit)
            sha256.update(block[:got])
            if blob:
                sha1.update(block[:got])
            head += bytes(block[: min(got, len(POINTER) - len(head))])
        if blob and size < blob.size and not body.framed:
            raise Transient(f"connection ended after {size} of {blob.size} bytes")
    finally:
        body.close()
    if size == 0:
        raise EmptyInput(where, f"{safe_url(place.url)} sent an empty file", "leave it out in params.yaml")
    if blob and (size, sha1.hexdigest()) != (blob.size, blob.oid):
        raise _mismatch(place, where, blob, f"{sha1.hexdigest()} ({size} bytes)")
    if head == POINTER:
        what = f"{safe_url(place.url)} sent a Git LFS pointer instead of the file"
        raise ChecksumMismatch(where, what, "ask whoever keeps the source to store the file itself")
    return Pin(sha256.hexdigest(), size)


def _too_much(place: Place, where: str, blob: Blob | None, size: int, limit: int) -> ChecksumMismatch | PolicyViolation:
    if blob:
        return _mismatch(place, where, blob, f"at least {size} bytes")
    return PolicyViolation(where, f"{safe_url(place.url)} sent more than {limit} bytes", "name a smaller file")


def _mismatch(place: Place, where: str, blob: Blob, got: str) -> ChecksumMismatch:
    what = f"{safe_url(place.url)} sent other bytes: want git blob {blob.oid} ({blob.size} bytes), got {got}"
    return ChecksumMismatch(where, what, "run again; if it stays so, leave the file out in params.yaml")

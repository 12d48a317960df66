"""Upstream is a prefix in S3: all objects below it, each read once to pin it.

ListObjectsV2: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from functools import partial
from urllib.parse import quote, unquote_plus, urlencode, urlsplit, urlunsplit
from xml.etree import ElementTree

from stage.errors import PolicyViolation, SourceRefused

from fetcher.api import MAX_PAGES, OPERATOR, RETRY, read_response, unexpected
from fetcher.failures import Limits, with_retries
from fetcher.http import status_error
from fetcher.pinning import compute_pin
from fetcher.s3 import AWS, LIFETIME, S3File, credentials, request_signed, s3_endpoint
from fetcher.upstream import PinnedFile, S3Prefix, Task
from fetcher.web import Network

log = logging.getLogger(__name__)


def list_objects(upstream: S3Prefix, network: Network, limits: Limits) -> dict[str, Task]:
    """Return the tasks that pin the objects below the prefix, by the rest of their keys, in order.

    Empty objects, among them those that stand for folders, are left out. Raises SourceRefused if no object is left,
    or one of ``files`` matches none.
    """
    bucket, _, prefix = upstream.prefix.removeprefix("s3://").partition("/")
    where, tasks = upstream.prefix, dict[str, Task]()
    for key in sorted(_selected(upstream, _keys(bucket, prefix, network, limits, where), prefix)):
        url = f"s3://{bucket}/{quote(key)}"
        tasks[key.removeprefix(prefix)] = partial(_pin, url, network, limits)
    return tasks


def _pin(url: str, network: Network, limits: Limits) -> PinnedFile:
    return PinnedFile((url,), compute_pin(S3File(url, network, url), limits, url))


def _selected(upstream: S3Prefix, objects: Iterator[tuple[str, int]], prefix: str) -> set[str]:
    keys = set()
    for key, size in objects:
        if size:
            keys.add(key)
        elif not key.endswith("/"):
            log.info("%s is left out: it is empty", key)
    if not keys:
        raise SourceRefused(upstream.prefix, "no objects with content", "correct prefix in params.yaml")
    if not upstream.files:
        return keys
    matches = {glob: {key for key in keys if fnmatchcase(key[len(prefix) :], glob)} for glob in upstream.files}
    for glob, matching in matches.items():
        if not matching:
            raise SourceRefused(upstream.prefix, f"no object matches {glob}", "correct files in params.yaml")
    return set().union(*matches.values())


def _keys(bucket: str, prefix: str, network: Network, limits: Limits, where: str) -> Iterator[tuple[str, int]]:
    """Yield key and size of each object below the prefix."""
    token = ""
    for _ in range(MAX_PAGES):
        query = {"list-type": "2", "encoding-type": "url", "prefix": prefix}
        if token:
            query["continuation-token"] = token
        body = with_retries(partial(_page, bucket, query, network, where), limits, where, RETRY)
        try:
            if b"<!DOCTYPE" in body:
                raise ValueError("a document type, which could define entities")
            page = ElementTree.fromstring(body)  # noqa: S314 (no document type: nothing expands)
            if not page.tag.endswith("ListBucketResult"):
                raise ValueError(page.tag)
            namespace = page.tag.removesuffix("ListBucketResult")
            for entry in page.iterfind(f"{namespace}Contents"):
                yield unquote_plus(_text(entry, f"{namespace}Key")), int(_text(entry, f"{namespace}Size"))
            token = page.findtext(f"{namespace}NextContinuationToken") or ""
        except (ElementTree.ParseError, ValueError) as error:
            raise unexpected(where, "expected a list of objects") from error
        if not token:
            return
    raise PolicyViolation(where, f"more than {MAX_PAGES} pages of objects", OPERATOR)


def _text(entry: ElementTree.Element, name: str) -> str:
    if not (text := entry.findtext(name)):
        raise ValueError(f"no {name}")
    return text


def _page(bucket: str, query: dict[str, str], network: Network, where: str) -> bytes:
    response = request_signed(network, partial(_signed, bucket, query), {}, where)
    if response.status != 200:
        raise status_error(response, where, where)
    try:
        return read_response(response, where, where)
    finally:
        response.close()


def _signed(bucket: str, query: dict[str, str], region: str) -> str:
    """Return the URL of a request to list a bucket, path-style, as all servers take it."""
    from minio.signer import presign_v4  # lazy: its import takes as long as a small run

    endpoint, keys = s3_endpoint(), credentials()
    if endpoint == AWS:
        endpoint = f"https://s3.{region}.amazonaws.com"
    if keys and keys.session_token:
        query = {**query, "X-Amz-Security-Token": keys.session_token}
    parts = urlsplit(endpoint)._replace(path=f"/{bucket}", query=urlencode(query, quote_via=quote, safe=""))
    if keys:
        seconds = int(LIFETIME.total_seconds())
        parts = presign_v4(
            method="GET", url=parts, region=region, credentials=keys, date=datetime.now(UTC), expires=seconds
        )
    return urlunsplit(parts)

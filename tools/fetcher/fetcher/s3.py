"""Objects in S3: the ``minio`` package signs the URL, which is then downloaded like any other."""

import os
import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from stage.errors import PolicyViolation, UsageError

from fetcher.download import Resume
from fetcher.http import Response
from fetcher.web import Network, open_resumed

if TYPE_CHECKING:
    from minio.credentials.credentials import Credentials

AWS = "https://s3.amazonaws.com"
REGION = re.compile(r"[a-z0-9-]{1,40}")
LIFETIME = timedelta(hours=1)  # a signature need only outlive the opening of the download


class S3File:
    """An object at s3://bucket/key, at the endpoint and with the credentials of the AWS_* variables."""

    def __init__(self, url: str, network: Network, where: str) -> None:
        parts = urlsplit(url)
        self._bucket, self._key = parts.netloc, unquote(parts.path.lstrip("/"))
        if not self._bucket or not self._key or "@" in self._bucket or not self._key.isprintable():
            raise PolicyViolation(where, "invalid S3 URL", "write s3://bucket/key")
        self.url, self._network, self._where = url, network, where

    def open(self, resume: Resume | None) -> Response:
        """Open the object, at the point to resume if it is still the same version."""
        # S3 does not promise If-Range
        return open_resumed(resume, self._request, "If-Match", self.url, self._where)

    def _request(self, headers: Mapping[str, str]) -> Response:
        return request_signed(self._network, self._signed, headers, self._where)

    def _signed(self, region: str) -> str:
        from minio import Minio  # lazy: its import takes as long as a small run

        endpoint, keys = urlsplit(s3_endpoint()), credentials()
        client = Minio(
            endpoint.netloc,
            access_key=keys.access_key if keys else None,
            secret_key=keys.secret_key if keys else None,
            session_token=keys.session_token if keys else None,
            secure=endpoint.scheme == "https",
            region=region,
        )
        try:
            return client.get_presigned_url("GET", self._bucket, self._key, LIFETIME)
        except ValueError as error:
            raise PolicyViolation(self._where, f"invalid S3 URL: {error}", "write s3://bucket/key") from error


def request_signed(network: Network, sign: Callable[[str], str], headers: Mapping[str, str], where: str) -> Response:
    """Send the GET that ``sign`` returns for a region; once more if the bucket turns out to be in another one."""
    region = os.environ.get("AWS_REGION") or "us-east-1"
    response = network.get(sign(region), headers, where)
    actual = response.header("x-amz-bucket-region")
    if response.status in {301, 307, 400} and actual and REGION.fullmatch(actual) and actual != region:
        response.close()
        response = network.get(sign(actual), headers, where)
    return response


def credentials() -> "Credentials | None":
    """Return the credentials of the AWS_* variables; None for anonymous access."""
    from minio.credentials.credentials import Credentials  # lazy, as above

    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    return Credentials(key, secret, os.environ.get("AWS_SESSION_TOKEN") or None) if key and secret else None


def s3_endpoint() -> str:
    """Return the S3 endpoint's URL; raise UsageError if AWS_ENDPOINT_URL is invalid."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or AWS
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise UsageError("AWS_ENDPOINT_URL", "expected an http or https URL", "write https://host:port")
    return endpoint

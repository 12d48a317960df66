"""Objects in S3: the ``minio`` package signs the URL, which is then downloaded like any other."""

import os
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import unquote, urlsplit

from stage.errors import PolicyViolation, UsageError

from fetcher.download import Resume
from fetcher.http import Response
from fetcher.web import Network, open_resumed

AWS = "https://s3.amazonaws.com"
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
        region = os.environ.get("AWS_REGION") or "us-east-1"
        response = self._network.get(self._signed(region), headers, self._where)
        actual = response.header("x-amz-bucket-region")
        if response.status in {301, 307, 400} and actual and actual != region:
            response.close()
            response = self._network.get(self._signed(actual), headers, self._where)
        return response

    def _signed(self, region: str) -> str:
        from minio import Minio  # lazy: its import takes as long as a small run

        endpoint = urlsplit(s3_endpoint())
        client = Minio(
            endpoint.netloc,
            access_key=os.environ.get("AWS_ACCESS_KEY_ID") or None,
            secret_key=os.environ.get("AWS_SECRET_ACCESS_KEY") or None,
            session_token=os.environ.get("AWS_SESSION_TOKEN") or None,
            secure=endpoint.scheme == "https",
            region=region,
        )
        try:
            return client.get_presigned_url("GET", self._bucket, self._key, LIFETIME)
        except ValueError as error:
            raise PolicyViolation(self._where, f"invalid S3 URL: {error}", "write s3://bucket/key") from error


def s3_endpoint() -> str:
    """Return the S3 endpoint's URL; raise UsageError if AWS_ENDPOINT_URL is invalid."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL") or AWS
    parts = urlsplit(endpoint)
    if parts.scheme not in {"http", "https"} or not parts.netloc or "@" in parts.netloc:
        raise UsageError("AWS_ENDPOINT_URL", "expected an http or https URL", "write https://host:port")
    return endpoint

"""Fetch the raw files listed in sources.csv and verify every byte; pin there what upstream has now."""

from fetcher.fetch import Fetched, fetch
from fetcher.resolve import Resolved, resolve
from fetcher.upstream import GithubReadmes, HuggingFace, PlainUrls, S3Prefix, read_upstream

__all__ = [
    "Fetched",
    "GithubReadmes",
    "HuggingFace",
    "PlainUrls",
    "Resolved",
    "S3Prefix",
    "fetch",
    "read_upstream",
    "resolve",
]

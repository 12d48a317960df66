"""Fetch the raw files that sources.csv names, and check every byte; resolve what upstream holds into it."""

from fetcher.fetch import Fetched, fetch
from fetcher.resolve import Resolved, resolve
from fetcher.upstream import GithubReadmes, HuggingFace, PlainUrls, read_upstream

__all__ = ["Fetched", "GithubReadmes", "HuggingFace", "PlainUrls", "Resolved", "fetch", "read_upstream", "resolve"]

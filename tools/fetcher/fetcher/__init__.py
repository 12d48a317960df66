"""Fetch the raw files that sources.csv names, and check every byte."""

from fetcher.fetch import Fetched, fetch

__all__ = ["Fetched", "fetch"]

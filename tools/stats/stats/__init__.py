"""Measure a processed dataset into metadata.json."""

from stats.settings import Dataset, TableStats
from stats.table import TableSummary, summarise_table

__all__ = ["Dataset", "TableStats", "TableSummary", "summarise_table"]

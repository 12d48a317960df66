"""Measure a processed dataset into metadata.json."""

from stats.conversations import summarise_conversations
from stats.documents import summarise_documents
from stats.images import summarise_images
from stats.report import Summary
from stats.settings import Dataset, SplitRules, TableStats
from stats.table import summarise_table
from stats.table_splits import summarise_table_splits
from stats.text import summarise_text

__all__ = [
    "Dataset",
    "SplitRules",
    "Summary",
    "TableStats",
    "summarise_conversations",
    "summarise_documents",
    "summarise_images",
    "summarise_table",
    "summarise_table_splits",
    "summarise_text",
]
